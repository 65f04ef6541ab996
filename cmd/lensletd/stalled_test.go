package main

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// dialStalled plays over TCP with a small buffer, and leaves it to the caller to
// read, or not to.
func dialStalled(address string) (net.Conn, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	_ = c.(*net.TCPConn).SetReadBuffer(4096)
	_, _ = fmt.Fprintf(c, "SETUP %s/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n", address)
	answer := make([]byte, 4096)
	n, err := c.Read(answer)
	m, _, bad := wire.Decode(answer[:n], wire.Limits{})
	res, ok := m.(*wire.Response)
	if err != nil || bad != nil || !ok {
		_ = c.Close()
		return nil, fmt.Errorf("SETUP of a stalled viewer: %v %v %q", err, bad, answer[:n])
	}
	_, _ = fmt.Fprintf(c, "PLAY %s RTSP/1.0\r\nCSeq: 2\r\nSession: %s\r\n\r\n", address, res.Header.Get("Session"))
	return c, nil
}

// Who does not read is moved on, and that is told; another viewer loses nothing.
func TestSkipsAreTold(t *testing.T) {
	address, _ := start(t, "-source", "pattern", "-set", "resolution=320x240", "-set", "bitrate=4000000")
	watches := dialViewer(t, address)
	watches.play("udp")
	if got := watches.get("skips") + " " + watches.get("packets_refused"); got != "0 0" {
		t.Fatalf("skips and packets refused: %s, want 0 0", got)
	}
	c, err := dialStalled(address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitFor(t, time.Minute, "a skip is told", func() bool { return watches.get("skips") != "0" })
	watches.checkContinuity(time.Second)
}
