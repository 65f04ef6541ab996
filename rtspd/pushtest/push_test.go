package pushtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPush(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		t.Run(transport, func(t *testing.T) {
			s := newServer(t, 0, nil)
			d := startDaemon(t, fmt.Sprintf("url = %q\ntransport = %q\n", s.url("user:secret"), transport))
			s.awaitUnits(25)
			d.awaitStatus("streaming")
			d.watch(s.url(""), 50, "-rtsp_transport", "tcp")
			s.faults()
			s.mu.Lock()
			if !strings.Contains(strings.ToLower(s.transport), transport) {
				t.Errorf("the server received by %s", s.transport)
			}
			s.mu.Unlock()
			d.stop()
			await(t, "the end of the session", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.ended != nil
			})
			if !strings.Contains(s.ended.Error(), "torn down") {
				t.Errorf("the session ended with: %v", s.ended)
			}
			if strings.Contains(d.logged(), "secret") {
				t.Error("the password is in the log")
			}
		})
	}
}

func TestPushEncrypted(t *testing.T) {
	certificate, file := certificateFor(t, "127.0.0.1")
	s := newServer(t, 0, &tls.Config{Certificates: []tls.Certificate{certificate}})
	d := startDaemon(t, fmt.Sprintf("url = %q\nca = %q\n", s.url("user:secret"), file))
	s.awaitUnits(25)
	d.awaitStatus("streaming")
	d.watch(s.url(""), 25)
	s.faults()
	stranger := startDaemon(t, fmt.Sprintf("url = %q\n", s.url("user:secret")))
	await(t, "the certificate is refused", func() bool {
		return strings.Contains(stranger.status(), "failed to verify certificate: x509: certificate signed by unknown authority")
	})
	d.stop()
}

// certificateFor is a certificate that vouches for itself, also as a PEM file.
func certificateFor(t *testing.T, ip string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(ip)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestPushReturnsAfterARestart(t *testing.T) {
	s := newServer(t, 0, nil)
	port := s.rtsp.NetListener().Addr().(*net.TCPAddr).Port
	d := startDaemon(t, fmt.Sprintf("url = %q\n", s.url("user:secret")))
	s.awaitUnits(5)
	s.rtsp.Close()
	await(t, "the end is noticed", func() bool { return strings.HasPrefix(d.status(), "failed: ") })
	again := newServer(t, port, nil)
	again.awaitUnits(25)
	d.awaitStatus("streaming")
	d.watch(again.url(""), 25, "-rtsp_transport", "tcp")
	again.faults()
	d.stop()
}

func TestPushWithAWrongPassword(t *testing.T) {
	s := newServer(t, 0, nil)
	d := startDaemon(t, fmt.Sprintf("url = %q\n", s.url("user:wrong-one")))
	d.awaitStatus("failed: the server refuses user and password")
	d.stop()
	if strings.Contains(d.logged(), "wrong-one") || strings.Count(d.logged(), "the server refuses user and password") != 1 {
		t.Errorf("the log says:\n%s", d.logged())
	}
}

// A new resolution goes on in the session, with parameter sets in the stream.
func TestPushGoesOnAfterANewResolution(t *testing.T) {
	s := newServer(t, 0, nil)
	d := startDaemon(t, fmt.Sprintf("url = %q\n", s.url("user:secret")))
	s.awaitUnits(10)
	s.mu.Lock()
	publisher, before := s.publisher, s.sps
	s.mu.Unlock()
	d.set("resolution: 320x240")
	await(t, "other parameter sets", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.sps != before
	})
	s.awaitUnits(25)
	s.mu.Lock()
	if s.publisher != publisher {
		t.Error("the session changed")
	}
	s.mu.Unlock()
	s.faults()
	d.awaitStatus("streaming")
	d.stop()
}
