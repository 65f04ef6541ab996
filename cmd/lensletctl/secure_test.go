package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"lenslet/board/advert"
)

// front lets a fake be reached over TLS too, with a certificate that nobody
// trusts, and gives host:port and the fingerprint.
func front(t *testing.T, inner string) (addr, pin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", inner)
			if err != nil {
				near.Close()
				continue
			}
			go func() { io.Copy(far, near); far.Close() }()
			go func() { io.Copy(near, far); near.Close() }()
		}
	}()
	return l.Addr().String(), fingerprint(cert)
}

func TestOverTLS(t *testing.T) {
	f := &fake{answer: model(parameters())}
	addr, pin := front(t, f.serve(t))
	url := "rtsps://" + addr + "/main"
	if out, err := command(t.Context(), "get", url+"#sha256="+pin, "bitrate"); err != nil || out != "bitrate: 2000000\n" {
		t.Errorf("printed %q, %v", out, err)
	}
	if asked := f.asked(); len(asked) != 1 || asked[0].URL != url {
		t.Errorf("%+v was asked", asked)
	}
	_, err := command(t.Context(), "get", url, "bitrate")
	if err == nil || !strings.Contains(err.Error(), "add #sha256="+pin) {
		t.Errorf("an unknown certificate: %v", err)
	}
	_, err = command(t.Context(), "get", url+"#sha256="+strings.Repeat("00", 32), "bitrate")
	if err == nil || !strings.Contains(err.Error(), "another one, with sha256="+pin) {
		t.Errorf("another certificate: %v", err)
	}
	if n := len(f.asked()); n != 1 {
		t.Errorf("the camera was asked %d times", n)
	}
}

// A camera that the network knows by name gives its plain port; TLS has others.
func TestNamedCameraOverTLS(t *testing.T) {
	f := &fake{answer: model(parameters())}
	addr, pin := front(t, f.serve(t))
	host, port, _ := net.SplitHostPort(addr)
	var out bytes.Buffer
	tool := newTool(&out, advert.Camera{Name: "Front door", Port: 1, Path: "/main", Addrs: []netip.Addr{netip.MustParseAddr(host)}})
	url := fmt.Sprintf("rtsps://Front door:%s#sha256=%s", port, pin)
	if err := tool.run(t.Context(), []string{"get", url, "bitrate"}); err != nil || out.String() != "bitrate: 2000000\n" {
		t.Errorf("printed %q, %v", &out, err)
	}
	err := tool.run(t.Context(), []string{"get", "rtsps://Front door"})
	if err == nil || !strings.Contains(err.Error(), ":322:") {
		t.Errorf("without a port: %v", err)
	}
}

// Something that takes connections and does not speak TLS.
func TestNoTLSThere(t *testing.T) {
	for _, answer := range []string{"", "RTSP/1.0 400 Bad Request\r\n\r\n"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if answer != "" {
				io.WriteString(c, answer)
			}
			io.Copy(io.Discard, c)
		}()
		tool := newTool(&bytes.Buffer{})
		tool.connect = 300 * time.Millisecond
		if err := tool.run(t.Context(), []string{"get", "rtsps://" + l.Addr().String()}); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
			t.Errorf("%q: %v", answer, err)
		}
		l.Close()
	}
}

func TestBadPin(t *testing.T) {
	for _, bad := range []string{"#", "#sha256=", "#sha256=abcd", "#sha1=" + strings.Repeat("00", 32), "#sha256=" + strings.Repeat("0g", 32)} {
		if _, err := command(t.Context(), "get", "rtsps://joe:secret@cam/main"+bad); exitCode(err) != 2 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
