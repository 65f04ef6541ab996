package main

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"lenslet/board/durable"
)

// overTLS takes a listener over: what it accepts speaks TLS 1.2 or above. When
// it fails the listener is closed.
func (d *daemon) overTLS(l net.Listener) (net.Listener, error) {
	if d.cert.Certificate == nil {
		cert, err := d.certificate()
		if err != nil {
			_ = l.Close()
			return l, err
		}
		d.cert = cert
	}
	d.secure = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{d.cert}, MinVersion: tls.VersionTLS12})
	return d.secure, nil
}

// certificate is the configured one, else the one that was made at the first
// start. A camera whose state cannot be kept serves with one for this run.
func (d *daemon) certificate() (tls.Certificate, error) {
	if d.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(d.TLSCert, d.TLSKey)
		if err != nil {
			return cert, usagef("tls_cert %s with tls_key %s: %v", d.TLSCert, d.TLSKey, err)
		}
		return cert, nil
	}
	dir, err := d.stateDir()
	if err == nil {
		var cert tls.Certificate
		if cert, err = ownCertificate(dir, d.hosts(), durable.Write, d.log.Warn); err == nil {
			return cert, nil
		}
	}
	d.log.Warn("the TLS certificate is for this run only", "error", err)
	certPEM, keyPEM, err := makeCertificate(d.hosts())
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}

// hosts are the names and addresses under which this computer is opened.
func (d *daemon) hosts() []string {
	id := d.host()
	name, _ := os.Hostname() // without: the others
	name = cmp.Or(name, id)
	hosts := []string{name, name + ".local", id + ".local", "localhost", "127.0.0.1", "::1"}
	addrs, _ := net.InterfaceAddrs() // none: the names
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
			hosts = append(hosts, n.IP.String())
		}
	}
	sort.Slice(hosts, func(i, j int) bool { return hosts[i] < hosts[j] })
	return slices.Compact(hosts)
}

// ownCertificate reads the certificate and the key in dir, and makes them where
// they are not there, or are of no use.
func ownCertificate(dir string, hosts []string, write func(string, fs.FileMode, []byte) error, warn func(string, ...any)) (tls.Certificate, error) {
	certFile, keyFile := filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "certificate.key")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil {
		return cert, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		warn("a new TLS certificate is made", "error", err)
	}
	certPEM, keyPEM, err := makeCertificate(hosts)
	if err != nil {
		return tls.Certificate{}, err
	}
	// The key first: a certificate without its key would be found to be of no
	// use, and both be made again.
	if err := write(keyFile, 0o600, keyPEM); err != nil {
		return tls.Certificate{}, fmt.Errorf("keep the TLS key: %w", err)
	}
	if err := write(certFile, 0o644, certPEM); err != nil {
		return tls.Certificate{}, fmt.Errorf("keep the TLS certificate: %w", err)
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}

// makeCertificate makes a self-signed certificate for a server of those names
// and addresses, and its key, both in PEM. It is valid from long ago: a board
// without a battery begins in 1970, or when its image was made.
func makeCertificate(hosts []string) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	var serial [16]byte
	_, _ = rand.Read(serial[:]) // never fails (crypto/rand)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(append([]byte{1}, serial[1:]...)), // positive, RFC 5280 4.1.2.2
		Subject:      pkix.Name{CommonName: "lenslet"},
		NotBefore:    time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC), // the last that UTCTime has, RFC 5280 4.1.2.5.1
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

// fingerprint is the SHA-256 of the certificate, in hexadecimal.
func fingerprint(cert tls.Certificate) string {
	return fmt.Sprintf("%x", sha256.Sum256(cert.Certificate[0]))
}
