package rtspd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// A mediaServer takes what is pushed, and is as odd as a test wants it.
type mediaServer struct {
	t   testing.TB
	l   net.Listener
	odd map[string]func(c *mediaConn, r *wire.Request) // by method; others get good answers
	all sync.WaitGroup

	mu    sync.Mutex
	conns []*mediaConn
}

// A mediaConn is one connection to it.
type mediaConn struct {
	srv *mediaServer
	nc  net.Conn

	mu       sync.Mutex
	requests []*wire.Request
	answers  []*wire.Response
	frames   []wire.Interleaved
	ended    bool
}

func newMediaServer(t testing.TB) *mediaServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &mediaServer{t: t, l: l, odd: map[string]func(*mediaConn, *wire.Request){}}
}

// open lets it serve until the test ends: it is called after lab.serve, so that
// nothing of it is left when the lab looks for that.
func (s *mediaServer) open() {
	s.all.Go(s.accept)
	s.t.Cleanup(s.close)
}

func (s *mediaServer) url() string { return "rtsp://" + s.l.Addr().String() + "/cam" }

func (s *mediaServer) close() {
	_ = s.l.Close()
	s.hangUp()
	s.all.Wait()
}

func (s *mediaServer) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.nc.Close()
	}
}

func (s *mediaServer) accept() {
	for {
		nc, err := s.l.Accept()
		if err != nil {
			return
		}
		c := &mediaConn{srv: s, nc: nc}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.all.Go(c.serve)
	}
}

// conn is the nth connection, once it is there.
func (s *mediaServer) conn(n int) *mediaConn {
	s.t.Helper()
	var c *mediaConn
	await(s.t, fmt.Sprintf("connection %d", n), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.conns) > n {
			c = s.conns[n]
		}
		return c != nil
	})
	return c
}

// count is the number of connections so far.
func (s *mediaServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (c *mediaConn) serve() {
	defer func() {
		c.mu.Lock()
		c.ended = true
		c.mu.Unlock()
		_ = c.nc.Close()
	}()
	var buf []byte
	for {
		m, n, err := wire.Decode(buf, wire.Limits{})
		if errors.Is(err, wire.ErrIncomplete) {
			chunk := make([]byte, 64<<10)
			k, err := c.nc.Read(chunk)
			if err != nil {
				return
			}
			buf = append(buf, chunk[:k]...)
			continue
		}
		if err != nil {
			c.srv.t.Errorf("the push sent: %v", err)
			return
		}
		c.got(m)
		buf = buf[n:]
	}
}

func (c *mediaConn) got(m wire.Message) {
	c.mu.Lock()
	switch m := m.(type) {
	case *wire.Request:
		c.requests = append(c.requests, m)
	case *wire.Response:
		c.answers = append(c.answers, m)
	case wire.Interleaved:
		m.Payload = slices.Clone(m.Payload)
		c.frames = append(c.frames, m)
	}
	c.mu.Unlock()
	if r, ok := m.(*wire.Request); ok {
		if f := c.srv.odd[r.Method]; f != nil {
			f(c, r)
		} else {
			c.good(r)
		}
	}
}

// reply answers: header fields as name, value, name, value.
func (c *mediaConn) reply(r *wire.Request, status wire.Status, fields ...string) {
	res := &wire.Response{Status: status}
	res.Header.Add("CSeq", r.Header.Get("CSeq"))
	for i := 0; i < len(fields); i += 2 {
		res.Header.Add(fields[i], fields[i+1])
	}
	c.write(res.Append(nil))
}

func (c *mediaConn) write(b []byte) {
	_ = c.nc.SetWriteDeadline(time.Now().Add(patience))
	_, _ = c.nc.Write(b) // a push that is gone needs no answer
}

// good answers as a good server does.
func (c *mediaConn) good(r *wire.Request) {
	switch r.Method {
	case "OPTIONS":
		c.reply(r, wire.OK, "Public", "OPTIONS, ANNOUNCE, SETUP, RECORD, TEARDOWN, GET_PARAMETER")
	case "SETUP":
		c.reply(r, wire.OK, "Session", "47;timeout=60", "Transport", r.Header.Get("Transport"))
	case "ANNOUNCE":
		c.reply(r, wire.OK)
	default:
		c.reply(r, wire.OK, "Session", "47")
	}
}

// asked waits for the nth request of a method.
func (c *mediaConn) asked(method string, n int) *wire.Request {
	c.srv.t.Helper()
	var found *wire.Request
	await(c.srv.t, fmt.Sprintf("request %d of %s", n, method), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		k := 0
		for _, r := range c.requests {
			if r.Method == method {
				if k++; k == n {
					found = r
				}
			}
		}
		return found != nil
	})
	return found
}

// methods are those of the requests so far.
func (c *mediaConn) methods() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, r := range c.requests {
		all = append(all, r.Method)
	}
	return strings.Join(all, " ")
}

// on gives the payloads that came on a channel.
func (c *mediaConn) on(channel byte) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all [][]byte
	for _, f := range c.frames {
		if f.Channel == channel {
			all = append(all, f.Payload)
		}
	}
	return all
}

// continuous checks the sequence numbers of RTP packets.
func continuous(t testing.TB, packets [][]byte) {
	t.Helper()
	for i, p := range packets {
		if i > 0 && binary.BigEndian.Uint16(p[2:]) != binary.BigEndian.Uint16(packets[i-1][2:])+1 {
			t.Fatalf("packet %d follows %d", binary.BigEndian.Uint16(p[2:]), binary.BigEndian.Uint16(packets[i-1][2:]))
		}
	}
}

// hasty are short times, for tests that want to see what comes next.
var hasty = pushTimes{
	first: time.Millisecond, most: 4 * time.Millisecond, steady: time.Hour,
	picture: patience, limit: patience, farewell: patience, stall: patience,
}

// pushing is a lab that pushes to s, with the parameter sets known.
func pushing(t testing.TB, s *mediaServer, cfg PushConfig, times pushTimes, options ...option) (*lab, *Push) {
	t.Helper()
	l := prepareLab(t, nil, options...)
	p, err := l.srv.Push(cfg, l.stream)
	if err != nil {
		t.Fatal(err)
	}
	p.pushTimes = times
	l.publish(true, 500)
	l.serve("127.0.0.1:0")
	s.open()
	return l, p
}

// awaitStatus waits for a status, or one that begins with it.
func awaitStatus(t testing.TB, p *Push, want string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the push is: %s", p.Status())
		}
	}()
	await(t, "the push is "+want, func() bool { return strings.HasPrefix(p.Status(), want) })
}

// lone runs a publication by itself, over a connection of the test's.
func lone(l *lab, nc net.Conn, times pushTimes) (end func() error) {
	to, _ := parseTarget("rtsp://user:secret@camera/main")
	p := &Push{stream: l.stream, udp: l.srv.udp, name: "test", log: l.srv.cfg.Log, to: to, pushTimes: times}
	c := newPublication(p, to, nc)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		_, err := c.publish(ctx)
		ended <- err
	}()
	return func() error {
		cancel()
		return <-ended
	}
}
