package rtspd

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"lenslet/rtspd/wire"
)

// readSize is the room in bytes that a read gets at least. Most requests need less,
// and all who play hold it.
const readSize = 1024

// lingerTime is how long the end of a connection waits for the other side to
// take what was written last.
const lingerTime = 200 * time.Millisecond

// A conn is one RTSP connection. Its goroutine reads and answers; where the other
// side is slow to take that, a second one flushes the outbox.
type conn struct {
	srv           *Server
	nc            net.Conn
	out           *outbox
	asker         asker
	remote, local netip.AddrPort
	sessions      map[string]*session // set up here; serve's goroutine alone uses it
	pipelines     map[string]*session // by the number of Pipelined-Requests; likewise
	editions      map[*Stream]uint64  // of the descriptions given; likewise
	gone          chan struct{}       // closed by hangUp
	once          sync.Once           // guards gone

	mu       sync.Mutex // guards in where others than serve's goroutine look
	in       net.Conn   // where requests come from: nc, or a tunnel through HTTP
	passage  *passage   // that tunnel, if there is one
	watch    sync.WaitGroup
	welcomed bool // it is known to be RTSP

	described bool // what it asked for last was described as SRTP; like sessions

	begun      time.Time
	secure     bool   // nobody can listen: TLS
	turnedAway string // why there is no room for it; "" if there is. admit alone sets it
	proved     bool   // somebody has logged in; like sessions
	user       string // who did, "" without authentication
}

func newConn(srv *Server, nc net.Conn) *conn {
	return &conn{
		srv: srv, nc: nc, in: nc, out: newOutbox(nc, srv.cfg.StallTimeout),
		remote: addrPort(nc.RemoteAddr()), local: addrPort(nc.LocalAddr()),
		sessions: map[string]*session{}, pipelines: map[string]*session{}, editions: map[*Stream]uint64{}, gone: make(chan struct{}),
		begun: time.Now(), secure: isSecure(nc),
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	var p netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		p = a.AddrPort()
	case *net.UDPAddr:
		p = a.AddrPort()
	default:
		return p
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// hangUp ends the connection: serve's goroutine stops reading, now or after the
// request that it handles.
func (c *conn) hangUp() {
	c.once.Do(func() {
		close(c.gone)
		c.mu.Lock()
		defer c.mu.Unlock()
		_ = c.in.SetReadDeadline(time.Now())
	})
}

func (c *conn) hungUp() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// serve reads until the connection ends; then its interleaved sessions end too,
// and what is written already still goes out.
func (c *conn) serve() {
	err := c.handshake()
	if err == nil {
		err = c.read()
	}
	for _, ses := range c.sessions {
		if ses.viewer.Load().conn == c {
			c.srv.end(ses, "the connection ended", true)
		}
	}
	c.asker.end()
	c.hangUp()
	until := time.Now().Add(lingerTime)
	defer severAt(c.nc, until)()
	c.out.finish(until)
	_ = c.in.SetReadDeadline(until)
	_, _ = io.Copy(io.Discard, c.in) // to close with bytes unread would take the last answer back
	c.out.wait()
	_ = c.nc.Close()
	c.leaveTunnel()
	c.watch.Wait()
	c.out.drop()
	c.srv.leave(c)
	if err != nil {
		c.srv.cfg.Log.Debug("connection ended", "viewer", c.remote, "error", err)
	}
}

// read decodes and handles messages, one after the other. nil: the other side
// closed, or we hung up.
func (c *conn) read() error {
	var buf []byte
	begun := time.Time{} // when the message in buf began
	for {
		if !c.welcomed {
			var over bool
			var err error
			if buf, over, err = c.welcome(buf); over || err != nil {
				return err
			}
		}
		rest, err := c.handleAll(buf)
		if err != nil {
			return err
		}
		switch {
		case len(rest) == 0:
			begun = time.Time{}
		case begun.IsZero() || len(rest) < len(buf):
			begun = time.Now()
		}
		if cap(buf)-len(rest) < readSize {
			buf = make([]byte, len(rest), 2*len(rest)+readSize)
		}
		n := copy(buf[:cap(buf)], rest)
		buf = buf[:n]

		if err := c.awaitUntil(begun); err != nil || c.hungUp() {
			return err
		}
		m, err := c.in.Read(buf[n:cap(buf)])
		buf = buf[:n+m]
		if m == 0 && err != nil {
			if again, err := c.ends(err, !begun.IsZero()); !again {
				return err
			}
		}
	}
}

// ends judges the error of a read, in the middle of a message or not. True: to
// go on reading, since the connection is silent but a session needs it. A nil
// error: the other side closed, or we hung up.
func (c *conn) ends(err error, midway bool) (again bool, _ error) {
	switch {
	case c.hungUp() || errors.Is(err, io.EOF):
		return false, nil
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return false, err
	case midway:
		c.refuse("", wire.RequestTimeout, "the request did not become complete in time")
		return false, errors.New("a request was not complete in time")
	}
	c.prune()
	if len(c.sessions) > 0 {
		return true, nil
	}
	return false, errors.New("silent, and without a session")
}

// awaitUntil sets the deadline of the next read: for the rest of a message, or
// for the next one. hangUp, when it comes later, overrules it.
func (c *conn) awaitUntil(begun time.Time) error {
	limit := time.Now().Add(c.srv.cfg.SessionTimeout)
	if !begun.IsZero() {
		limit = begun.Add(c.srv.cfg.RequestTimeout)
	}
	if end, ok := c.deadline(); ok && end.Before(limit) {
		limit = end
	}
	return c.in.SetReadDeadline(limit)
}

// prune forgets the sessions that have ended.
func (c *conn) prune() {
	for id, ses := range c.sessions {
		if ses.ended() {
			delete(c.sessions, id)
		}
	}
}

// handleAll handles the complete messages in b and gives what is left.
func (c *conn) handleAll(b []byte) ([]byte, error) {
	for len(b) > 0 && !c.hungUp() {
		m, n, err := wire.Decode(b, c.srv.cfg.Limits.wire())
		var bad *wire.SyntaxError
		switch {
		case errors.Is(err, wire.ErrIncomplete):
			return bytes.TrimLeft(b, "\r\n"), nil // line ends alone begin no message
		case errors.As(err, &bad):
			if !bad.Response {
				c.refuse(bad.CSeq, bad.Status, bad.Text)
			}
			if bad.Skip == 0 {
				return nil, errors.New("what came is no RTSP") // not its words: there may be a password in them
			}
			b = b[bad.Skip:]
			continue
		case err != nil:
			return nil, err
		}
		b = b[n:]
		switch m := m.(type) {
		case *wire.Request:
			c.handle(m)
		case wire.Interleaved:
			c.interleaved(m)
		case *wire.Response:
			c.asker.answered(m)
		}
	}
	return b, nil
}

// interleaved takes what a viewer sends in the connection: RTCP.
func (c *conn) interleaved(m wire.Interleaved) {
	for _, ses := range c.sessions {
		if v := ses.viewer.Load(); v.conn == c && v.rtcpChannel == m.Channel {
			c.srv.feedback(ses, m.Payload)
		}
	}
}

// refuse answers a message that is no request.
func (c *conn) refuse(cseq string, status wire.Status, text string) {
	c.respond(cseq, &wire.Response{Status: status, Body: []byte(text + "\r\n"), Header: wire.Header{{Name: "Content-Type", Value: "text/plain"}}})
}

// answer sends the answer to a request, with what every answer tells about it.
func (c *conn) answer(r *request, res *wire.Response) {
	if r.Header.Has("Supported") {
		res.Header.Set("Supported", strings.Join(r.features(), ", "))
	}
	if v := r.Header.Get("Timestamp"); v != "" {
		res.Header.Set("Timestamp", v)
	}
	last := slices.Contains(wire.List(strings.ToLower(r.Header.Get("Connection"))), "close")
	if last {
		res.Header.Set("Connection", "close")
	}
	if r.v2 {
		r.complete(res)
	}
	c.respond(r.cseq, res)
	if last {
		c.hangUp()
	}
}

// respond sends the answer to the request with that CSeq.
func (c *conn) respond(cseq string, res *wire.Response) {
	res.Reason = cmp.Or(res.Reason, res.Status.Reason())
	h := make(wire.Header, 0, len(res.Header)+4)
	if cseq != "" {
		h.Add("CSeq", cseq)
	}
	h.Add("Server", c.srv.cfg.Name)
	h.Add("Date", date(time.Now()))
	res.Header = append(h, res.Header...)
	c.out.send(res.Append(nil))
}
