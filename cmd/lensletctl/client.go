package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"lenslet/rtspd/auth"
	"lenslet/rtspd/wire"
)

// A client asks one camera, one request after the other.
type client struct {
	conn net.Conn
	url  string // of the stream
	cseq int    // of the last request
	got  []byte // read and not yet decoded

	secure     bool         // TLS
	login      *auth.Client // nil: without a password
	challenges []string     // of the last 401; nil: there was none
}

// dial connects to the first of the ports that takes the connection.
func dial(ctx context.Context, t target, ports []string, limit time.Duration) (*client, error) {
	switch {
	case t.port != "":
		ports = []string{t.port}
	case t.tls:
		ports = securePorts[:]
	}
	d := net.Dialer{Timeout: limit}
	var failed error
	for _, port := range ports {
		t.port = port
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(t.host, port))
		if err == nil {
			if conn, err = t.wrap(ctx, conn, limit); err != nil {
				return nil, fmt.Errorf("%s: %w", net.JoinHostPort(t.host, port), cause(err, limit))
			}
			return &client{conn: conn, url: t.url(), secure: t.tls}, nil
		}
		if dns := new(net.DNSError); errors.As(err, &dns) || ctx.Err() != nil {
			return nil, fmt.Errorf("cannot reach %s: %w", t.host, err)
		}
		failed = fmt.Errorf("cannot reach %s: %w", net.JoinHostPort(t.host, port), cause(err, limit))
	}
	return nil, failed
}

func (c *client) close() { c.conn.Close() }

// do sends a request with parameters as its body, and waits for its answer; it
// logs in where the camera wants that. An error means that there is no answer;
// the connection is of no use then.
func (c *client) do(ctx context.Context, method string, ps []wire.Parameter, limit time.Duration) (*wire.Response, error) {
	for {
		res, err := c.once(ctx, method, ps, limit)
		if err != nil || !c.logIn(res) {
			return res, err
		}
	}
}

// once is do without logging in.
func (c *client) once(ctx context.Context, method string, ps []wire.Parameter, limit time.Duration) (*wire.Response, error) {
	c.cseq++
	req := &wire.Request{Method: method, URL: c.url, Body: wire.AppendParameters(nil, ps)}
	req.Header.Set("CSeq", strconv.Itoa(c.cseq))
	req.Header.Set("User-Agent", "lensletctl")
	req.Header.Set("Content-Type", parametersType)
	if err := c.authorize(req); err != nil {
		return nil, fmt.Errorf("%s: %w", c.conn.RemoteAddr(), err)
	}
	_ = c.conn.SetDeadline(time.Now().Add(limit)) // a closed connection says so when it is used
	// In this order, or the deadline would undo the end of ctx.
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := c.conn.Write(req.Append(nil))
	var res *wire.Response
	if err == nil {
		res, err = c.answer()
	}
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%s: %w", c.conn.RemoteAddr(), cause(err, limit))
}

// answer reads until the response to the last request. Media, requests of the
// server and late answers are passed over.
func (c *client) answer() (*wire.Response, error) {
	buf := make([]byte, 4096)
	for {
		m, n, err := wire.Decode(c.got, wire.Limits{})
		if errors.Is(err, wire.ErrIncomplete) {
			n, err := c.conn.Read(buf)
			if n == 0 && err != nil {
				return nil, err
			}
			c.got = append(c.got, buf[:n]...)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the answer is not RTSP: %w", err)
		}
		c.got = c.got[n:]
		res, ok := m.(*wire.Response)
		if !ok || res.Status < 200 {
			continue
		}
		if cseq := res.Header.Get("CSeq"); cseq == "" || cseq == strconv.Itoa(c.cseq) {
			return res, nil
		}
	}
}

// cause is what went wrong on the network without the names of calls and
// sockets.
func cause(err error, limit time.Duration) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("no answer within %v", limit)
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("no answer within %v", limit)
	}
	if op := new(net.OpError); errors.As(err, &op) {
		if call := new(os.SyscallError); errors.As(op.Err, &call) {
			return call.Err
		}
		return op.Err
	}
	if errors.Is(err, io.EOF) {
		return errors.New("the connection was closed without an answer")
	}
	return err
}
