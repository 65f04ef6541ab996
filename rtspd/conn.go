package rtspd

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"lenslet/rtspd/wire"
)

// requestLimit is the time in which a request must be complete.
const requestLimit = 10 * time.Second

// readSize is the room that a read gets at least.
const readSize = 2048

// A conn is one RTSP connection. Its goroutine reads and answers; a second one
// flushes the outbox.
type conn struct {
	srv           *Server
	nc            net.Conn
	out           *outbox
	remote, local netip.AddrPort
	carried       map[string]*session // interleaved sessions; serve's goroutine alone uses it
	gone          chan struct{}       // closed by hangUp, or when serve ends
	once          sync.Once           // guards gone
}

func newConn(srv *Server, nc net.Conn) *conn {
	return &conn{
		srv: srv, nc: nc, out: newOutbox(nc), remote: addrPort(nc.RemoteAddr()), local: addrPort(nc.LocalAddr()),
		carried: map[string]*session{}, gone: make(chan struct{}),
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := t.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// hangUp ends the connection: what was written still goes out, then serve's
// goroutine finds the end.
func (c *conn) hangUp() {
	c.once.Do(func() { close(c.gone) })
	if t, ok := c.nc.(*net.TCPConn); ok {
		_ = t.CloseWrite()
	}
	_ = c.nc.SetDeadline(time.Now().Add(200 * time.Millisecond))
}

// serve reads until the connection ends; then its interleaved sessions end too.
func (c *conn) serve() {
	var flusher sync.WaitGroup
	flusher.Go(c.out.flush)
	err := c.read()
	for _, ses := range c.carried {
		c.srv.end(ses, "the connection ended")
	}
	c.once.Do(func() { close(c.gone) })
	c.out.close()
	_ = c.nc.Close()
	flusher.Wait()
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
			buf = make([]byte, len(rest), 2*len(rest)+2*readSize)
		}
		n := copy(buf[:cap(buf)], rest)
		buf = buf[:n]

		if err := c.awaitUntil(begun); err != nil {
			return err
		}
		m, err := c.nc.Read(buf[n:cap(buf)])
		buf = buf[:n+m]
		if err != nil && m == 0 {
			switch {
			case c.hungUp() || errors.Is(err, io.EOF):
				return nil
			case !errors.Is(err, os.ErrDeadlineExceeded):
				return err
			case !begun.IsZero():
				c.refuse("", wire.RequestTimeout, "the request was not complete in 10 s")
				return errors.New("a request was not complete in time")
			case !c.wanted():
				return errors.New("silent, and without a session")
			}
		}
	}
}

// awaitUntil sets the deadline of the next read: for the rest of a message, or
// for the next one.
func (c *conn) awaitUntil(begun time.Time) error {
	limit := time.Now().Add(c.srv.cfg.SessionTimeout)
	if !begun.IsZero() {
		limit = begun.Add(requestLimit)
	}
	if c.hungUp() {
		return nil // hangUp has set one
	}
	return c.nc.SetReadDeadline(limit)
}

func (c *conn) hungUp() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// wanted tells whether a live session needs this connection.
func (c *conn) wanted() bool {
	for id, ses := range c.carried {
		if c.srv.session(id) == ses {
			return true
		}
		delete(c.carried, id)
	}
	return false
}

// handleAll handles the complete messages in b and gives what is left.
func (c *conn) handleAll(b []byte) ([]byte, error) {
	for len(b) > 0 {
		m, n, err := wire.Decode(b, wire.Limits{})
		var bad *wire.SyntaxError
		switch {
		case errors.Is(err, wire.ErrIncomplete):
			return b, nil
		case errors.As(err, &bad):
			c.refuse(bad.CSeq, bad.Status, bad.Text)
			if bad.Skip == 0 {
				return nil, err
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
		} // a response: nothing was asked
	}
	return b, nil
}

// interleaved takes what a viewer sends in the connection: RTCP.
func (c *conn) interleaved(m wire.Interleaved) {
	for _, ses := range c.carried {
		if v := ses.viewer.Load(); v != nil && v.rtcpChannel == m.Channel {
			c.srv.feedback(ses, m.Payload)
		}
	}
}

// refuse answers a message that is no request.
func (c *conn) refuse(cseq string, status wire.Status, text string) {
	c.respond(cseq, &wire.Response{Status: status, Body: []byte(text + "\r\n"), Header: wire.Header{{Name: "Content-Type", Value: "text/plain"}}})
}

// respond sends the answer to the request with that CSeq.
func (c *conn) respond(cseq string, res *wire.Response) {
	res.Version, res.Reason = "RTSP/1.0", res.Status.Reason()
	h := make(wire.Header, 0, len(res.Header)+3)
	if cseq != "" {
		h.Add("CSeq", cseq)
	}
	h.Add("Server", c.srv.cfg.Name)
	res.Header = append(h, res.Header...)
	c.out.send(res.Append(nil))
}
