package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// securePorts are tried for rtsps:// where the URL names none.
var securePorts = [...]string{"8322", "322"}

// cutPin takes #sha256=FINGERPRINT off the end of a camera's URL.
func cutPin(s string) (rest, pin string, err error) {
	rest, fragment, given := strings.Cut(s, "#")
	if !given || !strings.Contains(s, "://") { // the name of a camera may hold a #
		return s, "", nil
	}
	text, ok := strings.CutPrefix(fragment, "sha256=")
	sum, bad := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if !ok || bad != nil || len(sum) != sha256.Size {
		return "", "", badPin(s)
	}
	return rest, hex.EncodeToString(sum), nil
}

func badPin(s string) error {
	return badUsage("%q does not end with #sha256= and the 64 digits that lensletd prints", redact(s))
}

// wrap speaks TLS over a new connection where the target wants it. The
// certificate must be the pinned one, else one that this computer trusts.
func (t target) wrap(ctx context.Context, conn net.Conn, limit time.Duration) (net.Conn, error) {
	if !t.tls {
		return conn, nil
	}
	cfg := &tls.Config{ServerName: t.host}
	if t.pin != "" {
		cfg.InsecureSkipVerify = true // VerifyConnection decides
		cfg.VerifyConnection = func(s tls.ConnectionState) error {
			if found := fingerprint(s.PeerCertificates[0]); found != t.pin {
				return fmt.Errorf("the certificate is another one, with sha256=%s", found)
			}
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	secured := tls.Client(conn, cfg)
	err := secured.HandshakeContext(ctx)
	if err == nil {
		return secured, nil
	}
	conn.Close()
	if unknown := new(tls.CertificateVerificationError); errors.As(err, &unknown) && len(unknown.UnverifiedCertificates) > 0 && t.pin == "" {
		return nil, fmt.Errorf("this computer does not trust its certificate; if lensletd prints the same fingerprint, add #sha256=%s to the URL",
			fingerprint(unknown.UnverifiedCertificates[0]))
	}
	return nil, err
}

func fingerprint(c *x509.Certificate) string {
	return fmt.Sprintf("%x", sha256.Sum256(c.Raw))
}
