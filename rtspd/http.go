package rtspd

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"lenslet/rtspd/tunnel"
)

// halfTunnels is how many GETs and POSTs may wait for the other one. They wait
// as long as a request may take.
const halfTunnels = 32

// A tunnelKey is what GET and POST of a tunnel have in common: the cookie to
// the byte, the computer that they come from, and TLS or not, since what is
// said over TLS may be a password.
type tunnelKey struct {
	cookie string
	from   netip.Addr
	secure bool
}

// A passage is a tunnel through HTTP, or the half of it that came first. The
// connection of the GET answers, and reads what the one of the POST writes.
type passage struct {
	key      tunnelKey
	get      *conn         // nil: not there yet; guarded by tunnels.mu, like post
	post     *conn         // the latest; nil: not there, or gone
	in, out  net.Conn      // the two ends of a pipe from POST to GET
	complete chan struct{} // closed by tunnels.join, when both were there
}

// close lets the GET read the end, and the POST fail.
func (p *passage) close() { _ = p.out.Close() }

// tunnels finds the other half. It holds its lock while it calls nobody.
type tunnels struct {
	mu    sync.Mutex
	byKey map[tunnelKey]*passage
	half  int // that are not complete
}

var (
	errTunnelTaken = errors.New("there is a GET with this x-sessioncookie already")
	errTunnelsFull = errors.New("too many tunnels are half open")
)

// join adds a connection to the tunnel of that key, which it makes if need be.
// A POST takes the place of the one before, which replaced is.
func (t *tunnels) join(key tunnelKey, c *conn, kind tunnel.Kind) (p *passage, replaced *conn, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p = t.byKey[key]
	switch {
	case p == nil && t.half >= halfTunnels:
		return nil, nil, errTunnelsFull
	case p == nil:
		p = &passage{key: key, complete: make(chan struct{})}
		p.in, p.out = net.Pipe()
		if t.byKey == nil {
			t.byKey = map[tunnelKey]*passage{}
		}
		t.byKey[key] = p
		t.half++
	case kind == tunnel.Get && p.get != nil:
		return nil, nil, errTunnelTaken
	}
	if kind == tunnel.Get {
		p.get = c
	} else {
		replaced, p.post = p.post, c
	}
	if p.get != nil && p.post != nil && !isClosed(p.complete) {
		close(p.complete)
		t.half--
	}
	return p, replaced, nil
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// leave takes a connection out of its tunnel, and gives who is left in it. A
// tunnel without its GET, or one that never was complete, is over.
func (t *tunnels) leave(p *passage, c *conn) (other *conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.post == c {
		p.post = nil
		if isClosed(p.complete) {
			return nil // another POST may come
		}
	} else if p.get != c {
		return nil // replaced
	}
	if t.byKey[p.key] == p {
		delete(t.byKey, p.key)
		if !isClosed(p.complete) {
			t.half--
		}
	}
	p.close()
	return p.post
}

// welcome looks at the first bytes of a connection. What is not HTTP is given
// back. With HTTP the connection becomes one half of a tunnel: the one of the
// GET goes on as a connection whose requests come through the tunnel, the one
// of the POST does nothing else than to carry, and is over when welcome returns;
// so is one with a file (upload.go).
func (c *conn) welcome(b []byte) (rest []byte, over bool, err error) {
	switch tunnel.Sniff(b) {
	case tunnel.Undecided:
		return b, false, nil
	case tunnel.RTSP:
		c.welcomed = true
		return b, false, nil
	case tunnel.Upload:
		return c.upload(b)
	}
	head, n, err := tunnel.ParseHead(b)
	switch {
	case errors.Is(err, tunnel.ErrIncomplete):
		return b, false, nil
	case err != nil:
		c.refuseHTTP(tunnel.BadRequest, "this port speaks RTSP, also inside of HTTP with an x-sessioncookie")
		return nil, true, err
	case c.turnedAway != "":
		c.refuseHTTP(tunnel.ServiceUnavailable, c.turnedAway)
		return nil, true, nil
	}
	c.welcomed = true
	key := tunnelKey{cookie: head.Cookie, from: origin(c.remote.Addr()), secure: c.secure}
	p, replaced, err := c.srv.tunnels.join(key, c, head.Kind)
	switch {
	case errors.Is(err, errTunnelTaken):
		c.refuseHTTP(tunnel.Conflict, err.Error())
		return nil, true, err
	case err != nil:
		c.refuseHTTP(tunnel.ServiceUnavailable, err.Error())
		return nil, true, err
	case replaced != nil:
		replaced.hangUp()
	}
	if head.Kind == tunnel.Get {
		over, err = c.carryOut(p)
		return nil, over, err
	}
	return nil, true, c.carryIn(p, b[n:])
}

func (c *conn) refuseHTTP(status int, text string) {
	c.out.send(tunnel.Refuse(c.srv.cfg.Name, status, text))
}

// carryOut answers the GET, and lets the connection read from the tunnel.
func (c *conn) carryOut(p *passage) (over bool, err error) {
	c.passage = p
	c.out.send(tunnel.Accept(c.srv.cfg.Name))
	c.mu.Lock()
	c.in = p.in
	c.mu.Unlock()
	_ = c.nc.SetReadDeadline(time.Time{})
	c.watch.Go(func() { // ends with nc
		_, _ = io.Copy(io.Discard, c.nc) // nothing is to come here but the end
		p.close()
	})
	return !c.await(p), nil
}

// await waits until both halves of the tunnel are there. False: in vain.
func (c *conn) await(p *passage) bool {
	limit := time.NewTimer(c.srv.cfg.RequestTimeout)
	defer limit.Stop()
	select {
	case <-p.complete:
		return true
	case <-c.gone:
	case <-limit.C:
	}
	return false
}

// carryIn decodes the body of the POST, of which b was read already, into the
// tunnel until one of the two ends. A POST gets no answer while all is well.
func (c *conn) carryIn(p *passage, b []byte) error {
	defer c.srv.tunnels.leave(p, c)
	if !c.await(p) {
		if !c.hungUp() {
			c.refuseHTTP(tunnel.RequestTimeout, "there is no GET with this x-sessioncookie")
		}
		return nil
	}
	var d tunnel.Decoder
	var plain []byte
	buf := make([]byte, readSize)
	for {
		var err error
		if plain, err = d.Append(plain[:0], b); err != nil {
			c.refuseHTTP(tunnel.BadRequest, "the body is not base64")
			p.close() // who knows where the next request would begin
			return err
		}
		if len(plain) > 0 { // an empty write would wait for a reader
			if _, err = p.out.Write(plain); err != nil {
				return nil // the GET is gone
			}
		}
		if err := c.nc.SetReadDeadline(time.Time{}); err != nil || c.hungUp() { // hangUp, when it comes later, sets another
			return nil
		}
		n, err := c.nc.Read(buf)
		if b = buf[:n]; n == 0 && err != nil {
			return nil
		}
	}
}

// leaveTunnel ends the tunnel of a GET, with the POST.
func (c *conn) leaveTunnel() {
	if c.passage == nil {
		return
	}
	if post := c.srv.tunnels.leave(c.passage, c); post != nil {
		post.hangUp()
	}
}
