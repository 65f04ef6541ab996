package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lenslet/rtspd/wire"
)

const (
	// sendSize is how many bytes are sent at once: a record of TLS.
	sendSize = 16 << 10
	// stallTime is how long the camera may take none.
	stallTime = 30 * time.Second
	// commitTime is how long it may take to have them all on its disk.
	commitTime = 2 * time.Minute
)

// A bundle is a file that is sent.
type bundle struct {
	file *os.File
	size int64  // bytes
	path string // on the camera: by what is in it, so that no other one is gone on with
}

func openBundle(name string) (*bundle, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	if size == 0 {
		f.Close()
		return nil, badUsage("%s is empty", filepath.Base(name))
	}
	return &bundle{f, size, fmt.Sprintf("/update/%x.raucb", sum.Sum(nil)[:16])}, nil
}

// send sends the bundle, and goes on where it stopped as often as the network
// breaks, unless nothing gets through any more.
func (u *updating) send(ctx context.Context) error {
	for since := time.Now(); ; {
		before := u.sent
		err := u.sendRest(ctx)
		if u.sent > before {
			since = time.Now()
		}
		var refused *refusedError
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil, u.sent == 0, time.Since(since) > silentFor:
			return err
		case errors.As(err, &refused) && !refused.busy:
			return err
		}
		u.bar.show("it goes on after "+err.Error(), u.bar.percent)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * u.every):
		}
	}
}

// sendRest sends what is not there yet.
func (u *updating) sendRest(ctx context.Context) error {
	offset, err := u.offset(ctx)
	if err != nil {
		return err
	}
	return u.sendFrom(ctx, offset)
}

// A refusedError is the camera's word against it.
type refusedError struct {
	text string
	busy bool // with another one, or still with ours
}

// Error is a sentence.
func (e *refusedError) Error() string { return e.text }

// offset asks how much of the bundle is there. A camera that does not want to
// tell says why when it gets the first byte.
func (u *updating) offset(ctx context.Context) (n int64, err error) {
	var challenges []string
	for {
		c, err := u.connect(ctx)
		if err != nil {
			return 0, err
		}
		c.challenges = challenges
		res, err := u.request(ctx, c, "HEAD", "")
		c.close()
		switch {
		case err != nil:
			return 0, err
		case c.logIn(res):
			challenges = c.challenges
			continue
		case res.Status == wire.Unauthorized:
			return 0, &refusedError{text: unauthorized(c)}
		}
		u.challenges = c.challenges
		n, err = strconv.ParseInt(res.Header.Get("Upload-Offset"), 10, 64)
		if res.Status != wire.OK || err != nil || n >= u.bundle.size || n < 0 {
			return 0, nil
		}
		return n, nil
	}
}

// request sends the head of a request, and waits for the answer.
func (u *updating) request(ctx context.Context, c *client, method, more string) (*wire.Response, error) {
	req := &wire.Request{Method: method, URL: u.bundle.path}
	if err := c.authorize(req); err != nil {
		return nil, fmt.Errorf("%s: %w", c.conn.RemoteAddr(), err)
	}
	head := fmt.Sprintf("%s %s %s\r\nHost: %s\r\nUser-Agent: lensletctl\r\n%s", method, u.bundle.path, wire.VersionHTTP, c.conn.RemoteAddr(), more)
	if value := req.Header.Get("Authorization"); value != "" {
		head += "Authorization: " + value + "\r\n"
	}
	_ = c.conn.SetDeadline(time.Now().Add(u.answer))
	defer context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })()
	_, err := io.WriteString(c.conn, head+"\r\n")
	if err == nil {
		var res *wire.Response
		if res, err = c.httpAnswer(); err == nil {
			return res, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", c.conn.RemoteAddr(), cause(err, u.answer))
}

// httpAnswer reads an answer, with what it says.
func (c *client) httpAnswer() (*wire.Response, error) {
	buf := make([]byte, 4096)
	for {
		m, n, err := wire.DecodeHead(c.got, 0)
		if errors.Is(err, wire.ErrIncomplete) {
			n, err := c.conn.Read(buf)
			if n == 0 && err != nil {
				return nil, err
			}
			c.got = append(c.got, buf[:n]...)
			continue
		}
		res, ok := m.(*wire.Response)
		if err != nil || !ok {
			return nil, errors.New("the answer is not HTTP: this is no camera that takes updates")
		}
		c.got = c.got[n:]
		if res.Status == wire.Continue || res.Header.Get("Content-Type") != "text/plain" {
			return res, nil
		}
		rest, _ := io.ReadAll(io.LimitReader(c.conn, 4096)) // what has come of it
		res.Body = append(c.got, rest...)
		return res, nil
	}
}

// sendFrom sends the rest of the bundle.
func (u *updating) sendFrom(ctx context.Context, offset int64) error {
	c, err := u.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	c.challenges = u.challenges
	res, err := u.request(ctx, c, "PUT", fmt.Sprintf("Content-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\nExpect: 100-continue\r\n",
		u.bundle.size-offset, offset, u.bundle.size-1, u.bundle.size))
	if err == nil && res.Status == wire.Continue {
		res, err = u.body(ctx, c, offset)
	}
	if err != nil {
		return err
	}
	if res.Status == 202 {
		return nil
	}
	if res.Status == wire.Unauthorized {
		return &refusedError{text: unauthorized(c)}
	}
	said := strings.Join(strings.Fields(string(res.Body)), " ")
	if said == "" {
		said = fmt.Sprintf("the camera answered %d %s", res.Status, res.Reason)
	}
	return &refusedError{text: printable("the camera refuses the update: " + said), busy: res.Status == 409 || res.Status == 416}
}

// body sends the bytes, unless an answer comes before.
func (u *updating) body(ctx context.Context, c *client, offset int64) (*wire.Response, error) {
	_ = c.conn.SetDeadline(time.Time{})
	defer context.AfterFunc(ctx, c.close)() // which deadlines do not undo
	var answer *wire.Response
	var broken error
	answered := make(chan struct{}) // closed by its reader, who ends with the connection
	go func() {
		defer close(answered)
		answer, broken = c.httpAnswer()
	}()
	sent, err := u.pour(c.conn, offset, answered)
	limit := commitTime
	if err != nil || !sent {
		limit = time.Second // what it has against us may be on its way
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(limit))
	<-answered
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case broken == nil:
		return answer, nil
	case err == nil:
		err = broken
	}
	return nil, fmt.Errorf("%s: %w", c.conn.RemoteAddr(), cause(err, stallTime))
}

// pour writes the bytes from offset on, and tells whether all were sent.
func (u *updating) pour(to net.Conn, offset int64, answered <-chan struct{}) (all bool, err error) {
	buf := make([]byte, sendSize)
	for offset < u.bundle.size {
		select {
		case <-answered:
			return false, nil
		default:
		}
		n, err := u.bundle.file.ReadAt(buf[:min(sendSize, u.bundle.size-offset)], offset)
		if n == 0 {
			return false, fmt.Errorf("read the bundle: %w", err)
		}
		_ = to.SetWriteDeadline(time.Now().Add(stallTime)) // a closed connection says so when it is used
		if _, err := to.Write(buf[:n]); err != nil {
			return false, err
		}
		offset += int64(n)
		u.sent += int64(n)
		u.bar.show("sending", int(offset*100/u.bundle.size))
	}
	return true, nil
}
