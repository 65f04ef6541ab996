package rtspd

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	psrtp "github.com/pion/srtp/v3"
	"golang.org/x/sys/unix"
)

// headers of a request: name, value, name, value.
type headers []string

// A response is what came back, taken apart without the code under test: an
// answer, or a request of the server.
type response struct {
	version string // "1.0"
	method  string // of a request, with its
	url     string
	status  int
	cseq    string
	header  map[string]string // by lower-case name
	body    string
}

// A frame is one interleaved in the connection.
type frame struct {
	channel byte
	data    []byte
}

// A client is one RTSP connection, and the UDP sockets of a viewer.
type client struct {
	t       testing.TB
	lab     *lab
	nc      net.Conn
	br      *bufio.Reader
	version string // of its requests; 1.0 when empty
	cseq    int
	session string
	logsIn  func(method, url string) string // gives what Authorization has; nil: without
	setUp   response                        // the answer to SETUP
	tcp     bool
	frames  []frame    // interleaved, read and not yet looked at
	asked   []response // requests of the server, likewise
	udp     [2]*net.UDPConn
	lanes   [2]*clientLane // connections for packets; nil: none
	media   receiver
	srtp    *psrtp.Context // of what comes; nil: it is not protected
	reports [][]byte       // RTCP received
}

func (l *lab) dial() *client {
	l.t.Helper()
	nc, err := net.Dial("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	if l.trust != nil {
		nc = tls.Client(nc, l.trust)
	}
	c := &client{t: l.t, lab: l, nc: nc, br: bufio.NewReaderSize(nc, 1<<16), media: receiver{counted: l.stream != nil && l.stream.cfg.Transport}}
	l.t.Cleanup(c.close)
	return c
}

func (c *client) close() {
	_ = c.nc.Close()
	for _, u := range c.udp {
		if u != nil {
			_ = u.Close()
		}
	}
	c.closeLanes()
}

// write sends bytes.
func (c *client) write(b []byte) {
	c.t.Helper()
	_ = c.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// request is the bytes of a request, with the session if there is one.
func (c *client) request(method, url string, h headers, body string) []byte {
	c.cseq++
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s RTSP/%s\r\nCSeq: %d\r\n", method, url, cmp.Or(c.version, "1.0"), c.cseq)
	if c.session != "" {
		fmt.Fprintf(&b, "Session: %s\r\n", c.session)
	}
	if c.logsIn != nil {
		fmt.Fprintf(&b, "Authorization: %s\r\n", c.logsIn(method, url))
	}
	for i := 0; i < len(h); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", h[i], h[i+1])
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	return []byte(b.String() + "\r\n" + body)
}

// do sends a request and waits for its answer.
func (c *client) do(method, url string, h headers, body string) response {
	c.t.Helper()
	c.write(c.request(method, url, h, body))
	r := c.response()
	if r.cseq != strconv.Itoa(c.cseq) {
		c.t.Fatalf("%s %s: answer to request %s instead of %d", method, url, r.cseq, c.cseq)
	}
	return r
}

// must is do with the status that is expected.
func (c *client) must(status int, method, url string, h headers, body string) response {
	c.t.Helper()
	r := c.do(method, url, h, body)
	if r.status != status {
		c.t.Fatalf("%s %s: %d instead of %d: %s", method, url, r.status, status, r.body)
	}
	return r
}

// response reads up to the next answer; frames and requests in front of it are
// kept.
func (c *client) response() response {
	c.t.Helper()
	for {
		r, f, err := c.read()
		switch {
		case err != nil:
			c.t.Fatalf("no answer: %v", err)
		case r.method != "":
			c.asked = append(c.asked, r)
		case f == nil:
			return r
		default:
			c.frames = append(c.frames, *f)
		}
	}
}

// read reads one message: an answer, a request or a frame.
func (c *client) read() (response, *frame, error) {
	_ = c.nc.SetReadDeadline(time.Now().Add(patience))
	first, err := c.br.ReadByte()
	if err != nil {
		return response{}, nil, err
	}
	if first == '$' {
		var head [3]byte
		if _, err := io.ReadFull(c.br, head[:]); err != nil {
			return response{}, nil, err
		}
		f := &frame{head[0], make([]byte, int(head[1])<<8|int(head[2]))}
		_, err := io.ReadFull(c.br, f.data)
		return response{}, f, err
	}
	_ = c.br.UnreadByte()
	r, err := readResponse(c.br)
	return r, nil, err
}

func readResponse(br *bufio.Reader) (response, error) {
	r := response{header: map[string]string{}}
	line, err := br.ReadString('\n')
	if err != nil {
		return r, err
	}
	words := strings.SplitN(strings.TrimSuffix(line, "\r\n"), " ", 3)
	switch {
	case len(words) < 3:
		return r, fmt.Errorf("%q is no first line", line)
	case strings.HasPrefix(line, "RTSP/"):
		r.version = words[0]
		r.status, err = strconv.Atoi(words[1])
	default:
		r.method, r.url, r.version = words[0], words[1], words[2]
	}
	if r.version = strings.TrimPrefix(r.version, "RTSP/"); err != nil || (r.version != "1.0" && r.version != "2.0") {
		return r, fmt.Errorf("%q is no first line", line)
	}
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return r, err
		}
		if line == "\r\n" {
			break
		}
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r\n"), ": ")
		if !ok {
			return r, fmt.Errorf("%q is no header line", line)
		}
		name = strings.ToLower(name)
		if first, twice := r.header[name]; twice && name == "www-authenticate" {
			value = first + ", " + value
		} else if twice {
			return r, fmt.Errorf("%s is there twice", name)
		}
		r.header[name] = value
	}
	r.cseq = r.header["cseq"]
	if n := r.header["content-length"]; n != "" {
		size, err := strconv.Atoi(n)
		if err != nil {
			return r, err
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(br, body); err != nil {
			return r, err
		}
		r.body = string(body)
	}
	return r, nil
}

// ended waits for the end of the connection; frames in front of it are kept.
func (c *client) ended() {
	c.t.Helper()
	for {
		_, f, err := c.read()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.t.Fatal("the connection goes on")
		case err != nil:
			return
		case f != nil:
			c.frames = append(c.frames, *f)
		}
	}
}

// openUDP opens a pair of ports.
func (c *client) openUDP(host string) (port int) {
	c.t.Helper()
	ip := net.ParseIP(host)
	for range 100 {
		port := 20000 + 2*rand.IntN(6000)
		a, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port})
		if err != nil {
			continue
		}
		b, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port + 1})
		if err != nil {
			_ = a.Close()
			continue
		}
		c.hold(a)
		c.udp = [2]*net.UDPConn{a, b}
		return port
	}
	c.t.Fatal("no UDP ports")
	return 0
}

// hold lets the kernel keep a lot for a client that does not run now.
func (c *client) hold(u *net.UDPConn) {
	c.t.Helper()
	const most = 16 << 20 // bytes
	if u.SetReadBuffer(most) != nil {
		c.t.Fatal("the buffer cannot be set")
	}
	raw, err := u.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, most) }) // else as much as net.core.rmem_max grants
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) track() string { return c.lab.url + "/trackID=0" }

// setupUDP makes a session by UDP.
func (c *client) setupUDP() *client {
	c.t.Helper()
	host, _, _ := net.SplitHostPort(c.lab.addr)
	port := c.openUDP(host)
	return c.setup(fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1))
}

// setupTCP makes an interleaved session.
func (c *client) setupTCP() *client {
	c.t.Helper()
	c.tcp = true
	return c.setup("RTP/AVP/TCP;unicast;interleaved=0-1")
}

func (c *client) setup(transport string) *client {
	c.t.Helper()
	c.setUp = c.must(200, "SETUP", c.track(), headers{"Transport", transport}, "")
	c.session, _, _ = strings.Cut(c.setUp.header["session"], ";")
	if c.session == "" {
		c.t.Fatal("SETUP gives no session")
	}
	return c
}

// play sends PLAY, publishes a key unit when it is time, and gives the answer.
func (c *client) play() response {
	c.t.Helper()
	_, before := c.lab.viewers()
	c.write(c.request("PLAY", c.lab.url, headers{"Range", "npt=0-"}, ""))
	c.lab.awaitWaiting(before + 1)
	c.lab.publish(true, 3000)
	r := c.response()
	if r.status != 200 {
		c.t.Fatalf("PLAY: %d %s", r.status, r.body)
	}
	return r
}

// receive reads until that many units are there whole.
func (c *client) receive(units int) []received {
	c.t.Helper()
	for len(c.media.units) < units {
		if c.tcp {
			c.nextFrame()
			continue
		}
		c.media.push(c.t, c.opened(c.datagram(0)))
	}
	return c.media.units
}

// nextFrame takes the next interleaved frame to where it belongs.
func (c *client) nextFrame() {
	c.t.Helper()
	for len(c.frames) == 0 {
		r, f, err := c.read()
		switch {
		case err != nil:
			c.t.Fatalf("no frame: %v", err)
		case r.method != "":
			c.asked = append(c.asked, r)
			continue
		case f == nil:
			c.t.Fatalf("an answer (%d) where a frame is expected", r.status)
		}
		c.frames = append(c.frames, *f)
	}
	f := c.frames[0]
	c.frames = c.frames[1:]
	if f.channel%2 == 0 {
		c.media.push(c.t, c.opened(f.data))
	} else {
		c.reports = append(c.reports, f.data)
	}
}

// takeFrames is nextFrame for all that were read already.
func (c *client) takeFrames() {
	c.t.Helper()
	for len(c.frames) > 0 {
		c.nextFrame()
	}
}

// datagram reads from the socket of RTP (0) or RTCP (1).
func (c *client) datagram(which int) []byte {
	c.t.Helper()
	if c.lanes[0] != nil {
		return c.lanePacket(which)
	}
	buf := make([]byte, 1<<16)
	_ = c.udp[which].SetReadDeadline(time.Now().Add(patience))
	n, err := c.udp[which].Read(buf)
	if err != nil {
		c.t.Fatalf("no packet: %v", err)
	}
	return buf[:n]
}

// silent tells whether no packet lies in the socket. What the server sent
// before its last answer is there on loopback.
func (c *client) silent(which int) bool {
	c.t.Helper()
	_ = c.udp[which].SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := c.udp[which].Read(make([]byte, 1<<16))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// report reads the next RTCP packet.
func (c *client) report() []byte {
	c.t.Helper()
	if !c.tcp {
		return c.datagram(1)
	}
	for len(c.reports) == 0 {
		c.nextFrame()
	}
	r := c.reports[0]
	c.reports = c.reports[1:]
	return r
}

// sendReport sends RTCP to the server.
func (c *client) sendReport(packet []byte) {
	c.t.Helper()
	if c.tcp {
		c.write(append([]byte{'$', 1, byte(len(packet) >> 8), byte(len(packet))}, packet...))
		return
	}
	if c.lanes[0] != nil {
		c.sendLane(packet)
		return
	}
	_, ports, _ := strings.Cut(c.setUp.header["transport"], "server_port=")
	_, ports, _ = strings.Cut(ports, "-")
	ports, _, _ = strings.Cut(ports, ";")
	port, err := strconv.Atoi(ports)
	if err != nil {
		c.t.Fatal(err)
	}
	to := c.nc.RemoteAddr().(*net.TCPAddr)
	if _, err := c.udp[1].WriteTo(packet, &net.UDPAddr{IP: to.IP, Port: port, Zone: to.Zone}); err != nil {
		c.t.Fatal(err)
	}
}

// both runs a test for a viewer by UDP and for an interleaved one.
func both(t *testing.T, f func(t *testing.T, setup func(*client) *client)) {
	t.Run("udp", func(t *testing.T) { f(t, (*client).setupUDP) })
	t.Run("tcp", func(t *testing.T) { f(t, (*client).setupTCP) })
}

// equalNALUs compares units.
func equalNALUs(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
