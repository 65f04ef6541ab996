package rtspd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lenslet/rtspd/auth"
	"lenslet/rtspd/wire"
)

// A publication is one connection to the server that is pushed to. One
// goroutine asks, a second one reads, a third one flushes the outbox.
type publication struct {
	push *Push
	to   target
	nc   net.Conn
	out  *outbox

	login      *auth.Client // nil: the URL has no user
	challenges []string     // of the last 401
	session    string       // "" before the server gave one
	timeout    time.Duration
	ping       string // the method of a sign of life
	cseq       int

	viewer atomic.Pointer[viewer] // nil before SETUP
	closed chan struct{}          // by read's goroutine, when it ends
	why    error                  // why it ended; set before closed

	mu     sync.Mutex
	wanted string              // CSeq of the request that waits for its answer; "" if none does
	answer chan *wire.Response // where that answer goes; never closed, room for one
}

// A movedError sends us elsewhere.
type movedError struct{ location string }

// Error is for the log only: the redirect is followed.
func (*movedError) Error() string { return "the server redirects" }

// dial connects. Each connection logs in anew.
func (p *Push) dial(ctx context.Context, to target) (*publication, error) {
	ctx, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", to.address())
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", to.address(), plainly(err))
	}
	if to.secure() {
		cfg := &tls.Config{}
		if p.cfg.TLS != nil {
			cfg = p.cfg.TLS.Clone()
		}
		cfg.ServerName = to.url.Hostname()
		secured := tls.Client(nc, cfg)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = nc.Close()
			return nil, fmt.Errorf("no encrypted connection to %s: %w", to.address(), plainly(err))
		}
		nc = secured
	}
	return newPublication(p, to, nc), nil
}

func newPublication(p *Push, to target, nc net.Conn) *publication {
	c := &publication{
		push: p, to: to, nc: nc, out: newOutbox(nc, p.stall),
		timeout: time.Minute, ping: "OPTIONS", closed: make(chan struct{}), // a minute: RFC 2326 12.37
	}
	if to.user != nil {
		password, _ := to.user.Password()
		c.login = &auth.Client{User: to.user.Username(), Password: password}
	}
	return c
}

// plainly leaves the addresses out of the network's errors: they are known, or
// change from attempt to attempt.
func plainly(err error) error {
	var op *net.OpError
	var number syscall.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("it does not answer")
	case errors.As(err, &number):
		return number
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// readError says why the connection ended.
func readError(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the server closed the connection")
	case errors.Is(err, net.ErrClosed): // by the outbox
		return errors.New("the server takes nothing more")
	}
	return fmt.Errorf("the connection broke: %w", plainly(err))
}

// ask sends a request and gives its answer, if that is 2xx. A 401 is answered
// with user and password.
func (c *publication) ask(ctx context.Context, method, url string, body []byte, fields ...wire.Field) (*wire.Response, error) {
	refused := 0
	for {
		res, err := c.exchange(ctx, method, url, body, fields)
		if err != nil {
			return nil, err
		}
		if res.Status != wire.Unauthorized {
			return res, judge(method, res)
		}
		challenges := res.Header.Values("WWW-Authenticate")
		stale := strings.Contains(strings.ToLower(strings.Join(challenges, ",")), "stale=true")
		switch refused++; {
		case c.login == nil:
			return nil, errors.New("the server wants a user and a password, and the URL has none")
		case refused > 3 || (c.challenges != nil && refused > 1 && !stale):
			return nil, errors.New("the server refuses user and password")
		}
		c.challenges = challenges
	}
}

// judge turns an answer into an error, unless it is a good one.
func judge(method string, res *wire.Response) error {
	said := fmt.Sprintf("%d %.60s", res.Status, cmp.Or(res.Reason, res.Status.Reason()))
	switch s := res.Status; {
	case s >= 200 && s < 300:
		return nil
	case s >= 300 && s < 400 && s != wire.NotModified && s != wire.UseProxy && res.Header.Has("Location"):
		return &movedError{res.Header.Get("Location")}
	case s == wire.Forbidden:
		return fmt.Errorf("the server does not allow it (%s to %s)", said, method)
	case s == wire.NotFound:
		return fmt.Errorf("the server does not know the path (%s to %s)", said, method)
	case (s == wire.MethodNotAllowed || s == wire.NotImplemented) && (method == "ANNOUNCE" || method == "RECORD"):
		return fmt.Errorf("the server takes no streams (%s to %s)", said, method)
	case s == wire.UnsupportedTransport:
		return fmt.Errorf("the server does not take this transport (%s to %s)", said, method)
	}
	return fmt.Errorf("the server answers %s to %s", said, method)
}

// exchange sends one request and waits for its answer. Others, which came too
// late, are passed over.
func (c *publication) exchange(ctx context.Context, method, url string, body []byte, fields []wire.Field) (*wire.Response, error) {
	c.cseq++
	cseq := strconv.Itoa(c.cseq)
	h := wire.Header{{Name: "CSeq", Value: cseq}, {Name: "User-Agent", Value: c.push.name}}
	if c.session != "" {
		h.Add("Session", c.session)
	}
	if c.challenges != nil {
		value, err := c.login.Answer(c.challenges, method, url, c.to.secure() && !c.to.foreign)
		if err != nil {
			return nil, err
		}
		h.Add("Authorization", value)
	}
	answer := make(chan *wire.Response, 1)
	c.mu.Lock()
	c.wanted, c.answer = cseq, answer
	c.mu.Unlock()
	c.out.send((&wire.Request{Method: method, URL: url, Header: append(h, fields...), Body: body}).Append(nil))
	limit := time.NewTimer(c.push.limit)
	defer limit.Stop()
	select {
	case res := <-answer:
		return res, c.note(res)
	case <-c.closed:
		select {
		case res := <-answer: // it was the last word
			return res, c.note(res)
		default:
		}
		return nil, c.why
	case <-limit.C:
		return nil, fmt.Errorf("the server does not answer %s", method)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// note takes over what every answer may say: some servers give the session
// with ANNOUNCE.
func (c *publication) note(res *wire.Response) error {
	v := res.Header.Get("Session")
	if v == "" || res.Status >= 300 {
		return nil
	}
	id, timeout, err := wire.ParseSession(v)
	if err != nil {
		return errors.New("the server gives a session that cannot be read")
	}
	c.session = id
	if timeout > 0 {
		c.timeout = time.Duration(timeout) * time.Second
	}
	return nil
}

// deliver hands an answer to who waits for it. One without a number can only be
// that of the only request under way.
func (c *publication) deliver(res *wire.Response) {
	cseq := strings.TrimSpace(res.Header.Get("CSeq"))
	c.mu.Lock()
	defer c.mu.Unlock()
	if res.Status < 200 || c.wanted == "" || (cseq != "" && cseq != c.wanted) {
		return
	}
	c.wanted = ""
	c.answer <- res
}

// read takes what the server sends until the connection ends.
func (c *publication) read() {
	defer close(c.closed)
	var buf []byte
	for {
		rest, err := c.take(buf)
		if err != nil {
			c.why = err
			return
		}
		if cap(buf)-len(rest) < readSize {
			buf = make([]byte, len(rest), 2*len(rest)+readSize)
		}
		n := copy(buf[:cap(buf)], rest)
		m, err := c.nc.Read(buf[n:cap(buf)])
		if buf = buf[:n+m]; m == 0 && err != nil {
			c.why = readError(err)
			return
		}
	}
}
