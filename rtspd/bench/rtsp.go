package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a server may take to answer; a PLAY may wait for a key
// frame.
const patience = 20 * time.Second

// A client is one RTSP connection while it is set up.
type client struct {
	conn    net.Conn
	url     string // of the stream
	session string
	cseq    int
	unread  []byte // that came and was not looked at
	media   []byte // frames that came between answers
}

// An answer is what came to a request.
type answer struct {
	status int
	header textproto.MIMEHeader
	body   string
}

func dial(address, path string) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, url: "rtsp://" + address + "/" + path}, nil
}

// request sends one, and waits for a 200.
func (c *client) request(method, target, headers, body string) (answer, error) {
	if err := c.send(method, target, headers, body); err != nil {
		return answer{}, err
	}
	return c.await(method)
}

func (c *client) send(method, target, headers, body string) error {
	c.cseq++
	if c.session != "" {
		headers += "Session: " + c.session + "\r\n"
	}
	if body != "" {
		headers += fmt.Sprintf("Content-Type: text/parameters\r\nContent-Length: %d\r\n", len(body))
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	_, err := fmt.Fprintf(c.conn, "%s %s RTSP/1.0\r\nCSeq: %d\r\nUser-Agent: bench\r\n%s\r\n%s", method, target, c.cseq, headers, body)
	return err
}

func (c *client) await(method string) (answer, error) {
	a, err := c.answer()
	if err != nil {
		return a, fmt.Errorf("%s: %w", method, err)
	}
	if a.status != 200 {
		return a, fmt.Errorf("%s was answered with %d", method, a.status)
	}
	if id, _, _ := strings.Cut(a.header.Get("Session"), ";"); id != "" {
		c.session = id
	}
	return a, nil
}

// answer reads one. Frames in front of it are kept.
func (c *client) answer() (answer, error) {
	for {
		if n := whole(c.unread); n > 0 {
			c.media = append(c.media, c.unread[:n]...)
			c.unread = c.unread[n:]
			continue
		}
		if len(c.unread) > 0 && c.unread[0] != '$' {
			if a, n, err := parseAnswer(c.unread); err != nil || n > 0 {
				c.unread = c.unread[n:]
				return a, err
			}
		}
		var chunk [4096]byte
		n, err := c.conn.Read(chunk[:])
		if n == 0 && err != nil {
			return answer{}, err
		}
		c.unread = append(c.unread, chunk[:n]...)
	}
}

// whole is the length of the frame that b begins with; 0: there is none, or it
// is not complete.
func whole(b []byte) int {
	if len(b) < frameHead || b[0] != '$' {
		return 0
	}
	if n := frameHead + int(b[2])<<8 + int(b[3]); n <= len(b) {
		return n
	}
	return 0
}

// parseAnswer reads an answer of n bytes; n is 0 while it is not complete.
func parseAnswer(b []byte) (a answer, n int, err error) {
	head, _, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return a, 0, nil
	}
	first, lines, _ := strings.Cut(string(head), "\r\n")
	if _, err := fmt.Sscanf(first, "RTSP/1.0 %d", &a.status); err != nil {
		return a, 0, fmt.Errorf("%q is no answer", first)
	}
	a.header = textproto.MIMEHeader{}
	for line := range strings.SplitSeq(lines, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		a.header.Add(textproto.TrimString(name), textproto.TrimString(value))
	}
	size := 0
	if v := a.header.Get("Content-Length"); v != "" {
		if size, err = strconv.Atoi(v); err != nil || size < 0 {
			return a, 0, fmt.Errorf("Content-Length %q is no number", v)
		}
	}
	n = len(head) + 4 + size
	if n > len(b) {
		return a, 0, nil
	}
	a.body = string(b[len(head)+4 : n])
	return a, n, nil
}

// describe gives the URL of the picture.
func (c *client) describe() (track string, err error) {
	a, err := c.request("DESCRIBE", c.url, "Accept: application/sdp\r\n", "")
	if err != nil {
		return "", err
	}
	base := a.header.Get("Content-Base")
	if base == "" {
		base = c.url
	}
	return control(base, a.body)
}

// control is the URL of the first picture of a description.
func control(base, sdp string) (string, error) {
	_, media, ok := strings.Cut(sdp, "m=video")
	if !ok {
		return "", errors.New("the description has no picture")
	}
	_, line, ok := strings.Cut(media, "a=control:")
	if !ok {
		return base, nil
	}
	line, _, _ = strings.Cut(line, "\n")
	line = strings.TrimSpace(line)
	if u, err := url.Parse(line); err == nil && u.IsAbs() {
		return line, nil
	}
	return strings.TrimSuffix(base, "/") + "/" + line, nil
}

// setup asks for a transport, and gives what the server chose.
func (c *client) setup(track, transport string) (string, error) {
	a, err := c.request("SETUP", track, "Transport: "+transport+"\r\n", "")
	return a.header.Get("Transport"), err
}

// parameters reads some of the server's.
func (c *client) parameters(names ...string) (map[string]string, error) {
	a, err := c.request("GET_PARAMETER", c.url, "", strings.Join(names, "\r\n")+"\r\n")
	values := map[string]string{}
	for line := range strings.SplitSeq(a.body, "\r\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			values[name] = value
		}
	}
	return values, err
}

// detach takes the connection away from Go's own poller, and gives its socket,
// which does not block.
func (c *client) detach() (fd int, err error) {
	defer c.conn.Close()
	raw, err := c.conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return -1, err
	}
	controlled := raw.Control(func(s uintptr) { fd, err = unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(controlled, err)
}

// line reads one that ends with \n: a floor's answer.
func (c *client) line() (string, error) {
	for {
		if line, rest, ok := bytes.Cut(c.unread, []byte("\n")); ok {
			c.unread = rest
			return string(line), nil
		}
		var chunk [4096]byte
		n, err := c.conn.Read(chunk[:])
		if n == 0 {
			return "", errors.Join(err, io.ErrUnexpectedEOF)
		}
		c.unread = append(c.unread, chunk[:n]...)
	}
}
