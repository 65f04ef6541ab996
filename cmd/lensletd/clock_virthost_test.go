//go:build virthost

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/auth"
	"lenslet/rtspd/wire"
)

const besidePassword = "abcdefgh23456723"

// startBeside starts a lensletd beside the one that has camera and encoder, which sends
// a clip to who logs in.
const startBeside = "./lensletd -config beside.toml >beside.log 2>&1 & echo $! >beside.pid\n"

// beside makes what it needs.
func beside(t *testing.T) (files []string) {
	t.Helper()
	clip, config := filepath.Join(t.TempDir(), "clip.264"), filepath.Join(t.TempDir(), "beside.toml")
	client(t, time.Minute, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x96:rate=5", "-frames:v", "20",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-bf", "0", "-bsf:v", "h264_mp4toannexb", clip)
	text := fmt.Sprintf("listen = \":8555\"\nlisten_tls = \":8323\"\nmdns = false\nsource = \"file:clip.264\"\nstate = \"/tmp/beside\"\nviewer_password = %q\n", besidePassword)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{clip, config}
}

// A patron logged in once, and stays: at one server's name, with one nonce, in one
// session, and knows one certificate.
type patron struct {
	t          *testing.T
	v          *viewer
	user       auth.Client
	challenges []string
	secure     *tls.Conn
}

// logIn plays what the one beside sends.
func logIn(t *testing.T) *patron {
	t.Helper()
	p := &patron{t: t, v: dialViewer(t, "rtsp://10.0.2.15:8555/main"), user: auth.Client{User: viewerName, Password: besidePassword}}
	go p.v.read()
	res := p.v.do("DESCRIBE", p.v.base, "")
	if p.challenges = res.Header.Values("WWW-Authenticate"); res.Status != wire.Unauthorized {
		t.Fatalf("who does not log in is told %d", res.Status)
	}
	res = p.asks("SETUP", p.v.base+"/trackID=0", "Transport", "RTP/AVP/TCP;unicast;interleaved=0-1")
	p.v.session, _, _ = wire.ParseSession(res.Header.Get("Session"))
	p.asks("PLAY", p.v.base)
	p.v.units(3)
	p.secure = p.overTLS("to begin with")
	t.Cleanup(func() { _ = p.secure.Close() })
	return p
}

// asks wants 200, with the first nonce.
func (p *patron) asks(method, url string, headers ...string) *wire.Response {
	p.t.Helper()
	answer, err := p.user.Answer(p.challenges, method, url, false)
	if err != nil {
		p.t.Fatal(err)
	}
	res := p.v.do(method, url, "", append(headers, "Authorization", answer)...)
	if res.Status != wire.OK {
		p.t.Errorf("%s: %d %s, %s", method, res.Status, res.Body, res.Header.Get("WWW-Authenticate"))
	}
	return res
}

// overTLS connects, and wants a certificate that is valid in all of these years.
func (p *patron) overTLS(when string) *tls.Conn {
	p.t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", "10.0.2.15:8323", &tls.Config{InsecureSkipVerify: true}) // verified below
	if err != nil {
		p.t.Fatalf("%s: %v", when, err)
	}
	is := c.ConnectionState().PeerCertificates[0]
	roots := x509.NewCertPool()
	roots.AddCert(is)
	for _, year := range []int{1971, 2025, 2035} {
		options := x509.VerifyOptions{Roots: roots, CurrentTime: time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC), DNSName: "10.0.2.15"}
		if _, err := is.Verify(options); err != nil {
			p.t.Errorf("%s, to a client in %d: %v", when, year, err)
		}
	}
	return c
}

// goesOn wants the session, the login and the certificate to be what they were.
func (p *patron) goesOn(year int) {
	p.t.Helper()
	p.v.units(3)
	p.asks("GET_PARAMETER", p.v.base)
	if _, err := fmt.Fprintf(p.secure, "OPTIONS * RTSP/1.0\r\nCSeq: %d\r\n\r\n", year); err != nil {
		p.t.Errorf("the connection over TLS: %v", err)
	}
	answer := make([]byte, 1000)
	_ = p.secure.SetReadDeadline(time.Now().Add(time.Minute))
	if n, err := p.secure.Read(answer); err != nil || !strings.HasPrefix(string(answer[:n]), "RTSP/1.0 200 ") {
		p.t.Errorf("over TLS: %q, %v", answer[:n], err)
	}
	p.knows(fmt.Sprintf("the clock was set to %d", year))
	other := dialViewer(p.t, p.v.base)
	go other.read()
	q := patron{t: p.t, v: other, user: auth.Client{User: viewerName, Password: besidePassword}}
	q.challenges = other.do("DESCRIBE", other.base, "").Header.Values("WWW-Authenticate")
	q.asks("DESCRIBE", other.base)
	other.close()
}

// knows wants the certificate of the beginning.
func (p *patron) knows(when string) {
	p.t.Helper()
	c := p.overTLS(when)
	defer c.Close()
	if first, is := p.secure.ConnectionState().PeerCertificates[0], c.ConnectionState().PeerCertificates[0]; !bytes.Equal(first.Raw, is.Raw) {
		p.t.Errorf("%s: another certificate", when)
	}
}

// setClock lets the clock of the board jump by years, forth and back: sender
// reports follow it, and RTP goes on; so do logins, sessions and the certificate.
func setClock(t *testing.T, g *guest, viewers []*viewer) {
	t.Helper()
	who := logIn(t)
	for _, year := range []int{2035, 2025} {
		set := time.Date(year, 3, 1, 12, 0, 0, 0, time.UTC)
		g.do(t, fmt.Sprintf("date -s @%d", set.Unix()))
		goOn(t, fmt.Sprintf("the clock was set to %d", year), 5*time.Second, viewers)
		for _, v := range viewers {
			waitFor(t, time.Minute, "a sender report of that year", func() bool {
				v.mu.Lock()
				defer v.mu.Unlock()
				const to1970 = 2_208_988_800 // seconds from 1900, RFC 5905 6
				last := v.reports[len(v.reports)-1].NTPTime >> 32
				return last >= uint64(set.Unix()+to1970) && last < uint64(set.Unix()+to1970+300)
			})
		}
		who.goesOn(year)
	}
	g.do(t, "p=$(cat beside.pid); kill $p; while [ -e /proc/$p/exe ]; do sleep 0.1; done\n"+startBeside)
	waitFor(t, time.Minute, "it is back", func() bool {
		c, err := net.Dial("tcp", "10.0.2.15:8323")
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	who.knows("it was started again")
	endure(t, 10*time.Second, viewers)
}
