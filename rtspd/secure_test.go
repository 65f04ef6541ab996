package rtspd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// overTLS wraps a listener, and lets clients trust it.
func (l *lab) overTLS(inner net.Listener) net.Listener {
	l.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"camera"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		l.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		l.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	l.trust = &tls.Config{RootCAs: roots, ServerName: "camera"}
	l.url = strings.Replace(l.url, "rtsp:", "rtsps:", 1)
	return tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
}

func newSecureLab(t testing.TB, options ...option) *lab {
	return newLabOn(t, "tls:127.0.0.1:0", options...)
}

// raw is the TCP connection below a client's.
func (c *client) raw() *net.TCPConn {
	if t, ok := c.nc.(*tls.Conn); ok {
		return t.NetConn().(*net.TCPConn)
	}
	return c.nc.(*net.TCPConn)
}

func TestRTSPS(t *testing.T) {
	l := newSecureLab(t)
	l.publish(true, 100)
	first := len(l.published)
	c := l.dial()
	if base := c.must(200, "DESCRIBE", l.url, nil, "").header["content-base"]; base != l.url+"/" || !strings.HasPrefix(base, "rtsps://") {
		t.Errorf("the base is %q, asked was %s", base, l.url)
	}
	c.setupTCP()
	if info := c.play().header["rtp-info"]; !strings.Contains(info, "url=rtsps://") {
		t.Errorf("RTP-Info: %s", info)
	}
	for range 20 {
		l.publish(false, 60_000, 900) // larger than a record
	}
	c.receive(21)
	c.media.equal(t, l.published[first:])
	if n := l.dial().setupUDP(); n.session == "" { // the requests alone are hidden
		t.Error("no session by UDP")
	}
}

// Who opens a connection and says nothing of TLS holds nobody up, and is closed
// in the time of a request.
func TestHandshakeHasALimit(t *testing.T) {
	l := newSecureLab(t, func(c *Config, _ *StreamConfig) { c.RequestTimeout = 3 * time.Second })
	silent, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	l.dial().must(200, "OPTIONS", "*", nil, "") // meanwhile
	_ = silent.SetReadDeadline(time.Now().Add(patience))
	if _, err := silent.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it goes on")
	}
	plain, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	_, _ = io.WriteString(plain, "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
	_ = plain.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(plain); errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(b), "RTSP/1.0") {
		t.Errorf("without TLS it answers %q, %v", b, err)
	}
}

// A server that stops waits neither for a handshake nor for a viewer over TLS
// that takes nothing.
func TestShutdownOverTLS(t *testing.T) {
	l := newSecureLab(t, patient)
	silent, err := net.Dial("tcp", l.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	l.stall()
	took := stopwatch()
	l.stop()
	if d := took(); d > 2*time.Second {
		t.Errorf("it took %v", d)
	}
}

// What waits for a viewer over TLS is bounded; it goes on with a key frame.
func TestSlowViewerOverTLS(t *testing.T) {
	l := newSecureLab(t, patient)
	c := l.stall()
	outbox := l.srv.session(c.session).viewer.Load().out
	for range 50 {
		l.publish(true, 200_000)
		outbox.mu.Lock()
		if outbox.bytes > outboxBytes {
			t.Errorf("%d bytes wait", outbox.bytes)
		}
		outbox.mu.Unlock()
	}
	c.media.gaps = true
	for !outbox.drained() { // it reads again
		c.nextFrame()
	}
	resumed := len(l.published)
	l.publish(true, 5000)
	l.publish(false, 5000)
	for len(c.media.units) == 0 || c.media.units[len(c.media.units)-1].rtptime != l.stream.clock.RTP(l.published[resumed+1].at) {
		c.nextFrame()
	}
	tail := receiver{units: c.media.units[len(c.media.units)-2:]}
	tail.equal(t, l.published[resumed:])
}

// A viewer over TLS that takes nothing is closed, and Publish never waits for
// it.
func TestStalledViewerOverTLSIsCutOff(t *testing.T) {
	l := newSecureLab(t, patient)
	udp := l.dial().setupUDP()
	udp.play()
	c := l.dial().setupTCP()
	c.play() // and reads nothing
	out := l.srv.session(c.session).viewer.Load().out
	out.mu.Lock()
	out.stall = 100 * time.Millisecond // its alone: answers to the others have time
	out.mu.Unlock()
	await(t, "the viewer is gone", func() bool {
		took := stopwatch()
		l.publish(true, 60_000)
		if d := took(); d > 2*time.Second {
			t.Fatalf("Publish took %v", d)
		}
		return slices.Equal(l.sessions(), []string{udp.session})
	})
}
