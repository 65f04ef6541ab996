package rtspd

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// A tunnelled connection reads from a GET and writes base64 to a POST, one
// piece a write, cut and broken into lines as cut says.
type tunnelled struct {
	net.Conn // of the GET
	post     net.Conn
	cut      int // characters a line; 0: all in one
}

func (c *tunnelled) Write(b []byte) (int, error) {
	text := base64.StdEncoding.EncodeToString(b)
	if c.cut > 0 {
		var lines strings.Builder
		for rest := text; rest != ""; {
			n := min(len(rest), c.cut)
			lines.WriteString(rest[:n] + "\r\n")
			rest = rest[n:]
		}
		text = lines.String()
	}
	for rest := text; rest != ""; {
		n := len(rest)
		if c.cut > 0 {
			n = min(n, c.cut+1) // between CR and LF too
		}
		if _, err := io.WriteString(c.post, rest[:n]); err != nil {
			return 0, err
		}
		rest = rest[n:]
	}
	return len(b), nil
}

func (c *tunnelled) Close() error { return errors.Join(c.Conn.Close(), c.post.Close()) }

// half sends the head of a GET or POST.
func (l *lab) half(method, cookie string) *client {
	l.t.Helper()
	c := l.dial()
	c.write(fmt.Appendf(nil, "%s /main HTTP/1.0\r\nx-sessioncookie: %s\r\nContent-Length: 32767\r\n\r\n", method, cookie))
	return c
}

// status reads the head of an answer by HTTP.
func (c *client) status() (line string) {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	for n := 0; ; n++ {
		s, err := c.br.ReadString('\n')
		if err != nil {
			c.t.Fatalf("no answer by HTTP: %v", err)
		}
		if s = strings.TrimSuffix(s, "\r\n"); n == 0 {
			line = s
		} else if s == "" {
			return line
		}
	}
}

// tunnel joins both halves.
func (l *lab) tunnel(cookie string, cut int) *client {
	l.t.Helper()
	get := l.half("GET", cookie)
	if line := get.status(); line != "HTTP/1.0 200 OK" {
		l.t.Fatalf("GET: %s", line)
	}
	post := l.half("POST", cookie)
	get.nc = &tunnelled{Conn: get.nc, post: post.nc, cut: cut}
	return get
}

// gone waits for the end of a connection.
func (c *client) gone() []byte {
	c.t.Helper()
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(c.br)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Error("the connection goes on")
	}
	return b
}

func (l *lab) tunnelsLeft() int {
	l.srv.tunnels.mu.Lock()
	defer l.srv.tunnels.mu.Unlock()
	return len(l.srv.tunnels.byKey) + l.srv.tunnels.half
}

func TestTunnelThroughHTTP(t *testing.T) {
	for name, lab := range map[string]func(testing.TB, ...option) *lab{"plain": newLab, "TLS": newSecureLab} {
		for _, cut := range []int{0, 1, 3, 76} {
			t.Run(fmt.Sprintf("%s, lines of %d", name, cut), func(t *testing.T) {
				l := lab(t)
				l.publish(true, 100)
				c := l.tunnel("secret", cut)
				c.must(200, "OPTIONS", "*", nil, "")
				c.must(200, "SET_PARAMETER", l.url, headers{"Content-Type", "text/parameters"}, "bitrate: 7000\r\n")
				c.setupTCP()
				c.play()
				for range 10 {
					l.publish(false, 30_000)
				}
				c.receive(11)
				c.media.equal(t, l.published[1:])
				if name == "plain" && l.srv.session(c.session).viewer.Load().out.raw == nil {
					t.Error("units are not written directly")
				}
				c.must(200, "TEARDOWN", l.url, nil, "")
				c.close()
				await(t, "the tunnel is closed", func() bool { return l.tunnelsLeft() == 0 })
			})
		}
	}
}

// The POST may come first, end, and come again, also in the middle of a request
// and while the one before is still open.
func TestPostsComeAndGo(t *testing.T) {
	l := newLab(t)
	first := l.half("POST", "a")
	await(t, "half a tunnel", func() bool { return l.tunnelsLeft() == 2 })
	c := l.half("GET", "a")
	if line := c.status(); line != "HTTP/1.0 200 OK" {
		t.Fatal(line)
	}
	posts := &tunnelled{Conn: c.nc, post: first.nc}
	c.nc = posts
	c.must(200, "OPTIONS", "*", nil, "")
	whole, request := c.request("OPTIONS", "*", nil, ""), c.request("OPTIONS", "*", nil, "")
	c.write(append(whole, request[:9]...))
	c.response()                  // so that the half behind it is there too
	second := l.half("POST", "a") // takes over from the first
	first.gone()
	posts.post = second.nc
	c.write(request[9:])
	if r := c.response(); r.status != 200 {
		t.Errorf("%d", r.status)
	}
	_ = second.nc.Close()
	await(t, "the POST is gone", func() bool {
		l.srv.mu.Lock()
		defer l.srv.mu.Unlock()
		return len(l.srv.conns) == 1
	})
	third := l.half("POST", "a")
	posts.post = third.nc
	c.must(200, "OPTIONS", "*", nil, "")
	_ = posts.Conn.Close() // the GET: then all is over
	if b := third.gone(); len(b) > 0 {
		t.Errorf("the POST was answered: %q", b)
	}
	await(t, "the tunnel is closed", func() bool { return l.tunnelsLeft() == 0 })
}

// Cookies are compared to the byte; halves that find no other one end.
func TestHalfTunnelsEnd(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.RequestTimeout = 300 * time.Millisecond })
	get := l.half("GET", "cookie")
	if line := get.status(); line != "HTTP/1.0 200 OK" {
		t.Fatal(line)
	}
	for _, other := range []string{"Cookie", "cookie2", "cooki"} {
		post := l.half("POST", other)
		post.write([]byte(base64.StdEncoding.EncodeToString([]byte("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"))))
		if line := post.status(); line != "HTTP/1.0 408 Request Timeout" {
			t.Errorf("%s: %s", other, line)
		}
		post.gone()
	}
	if b := get.gone(); len(b) > 0 {
		t.Errorf("the GET got %q", b)
	}
	await(t, "no tunnel is left", func() bool { return l.tunnelsLeft() == 0 })
}

func TestTunnelRefusals(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) {
		c.RequestTimeout = patience
		c.Limits.Connections, c.Limits.ConnectionsPerAddress = 200, 200
	})
	c := l.tunnel("a", 0)
	if line := l.half("GET", "a").status(); line != "HTTP/1.0 409 Conflict" {
		t.Errorf("a second GET: %s", line)
	}
	for _, head := range []string{"GET / HTTP/1.1\r\nHost: camera\r\n\r\n", "POST /main HTTP/1.0\r\nx-sessioncookie:\r\n\r\n", "GET /main RTSP/1.0\r\nCSeq: 1\r\n\r\n"} {
		browser := l.dial()
		browser.write([]byte(head))
		if line := browser.status(); line != "HTTP/1.0 400 Bad Request" {
			t.Errorf("%q: %s", head, line)
		}
		if b := browser.gone(); !strings.Contains(string(b), "this port speaks RTSP") {
			t.Errorf("%q", b)
		}
	}
	for i := range halfTunnels {
		if line := l.half("GET", fmt.Sprint("half", i)).status(); line != "HTTP/1.0 200 OK" {
			t.Fatalf("half %d: %s", i, line)
		}
	}
	for _, method := range []string{"GET", "POST"} {
		if line := l.half(method, "more").status(); line != "HTTP/1.0 503 Service Unavailable" {
			t.Errorf("%s: %s", method, line)
		}
	}
	c.must(200, "OPTIONS", "*", nil, "") // who is there stays
	_, _ = c.nc.(*tunnelled).post.Write([]byte("*"))
	c.gone()
}

// A tunnel ends with the server at once, in whatever state.
func TestShutdownOfTunnels(t *testing.T) {
	l := newLab(t, patient)
	l.half("GET", "half").status()
	l.half("POST", "other")
	l.half("POST", "unfinished").write([]byte("T1BU"))
	idle := l.tunnel("idle", 0)
	c := l.tunnel("playing", 0).setupTCP()
	c.play()
	await(t, "all are there", func() bool { return l.tunnelsLeft() == 5+3 })
	took := stopwatch()
	l.stop()
	if d := took(); d > 2*time.Second {
		t.Errorf("it took %v", d)
	}
	idle.gone()
	if n := l.tunnelsLeft(); n != 0 {
		t.Errorf("%d tunnels are left", n)
	}
}

// GET_PARAMETER begins like GET, and a first line may come byte by byte.
func TestRequestsThatBeginLikeHTTP(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	for _, b := range c.request("GET_PARAMETER", l.url, nil, "") {
		c.write([]byte{b})
	}
	if r := c.response(); r.status != 200 {
		t.Errorf("%d", r.status)
	}
}

// A head that does not become complete is a request that does not.
func TestUnfinishedHead(t *testing.T) {
	late := newLab(t, func(c *Config, _ *StreamConfig) { c.RequestTimeout = 100 * time.Millisecond }).dial()
	late.write([]byte("GET /main HTTP/1.0\r\n")) // and nothing more
	r, err := readResponse(bufio.NewReader(late.nc))
	if err != nil || r.status != 408 {
		t.Errorf("%d, %v", r.status, err)
	}
}
