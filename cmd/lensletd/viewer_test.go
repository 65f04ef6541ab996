package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"lenslet/rtspd/wire"
)

// A viewer is a plain RTSP client that keeps the header of every RTP packet.
type viewer struct {
	t       testing.TB
	conn    net.Conn
	udp     [2]*net.UDPConn
	base    string
	version string // of its requests; RTSP/1.0 when empty
	session string
	setUp   string // the Transport that SETUP gave
	cseq    int

	answers chan *wire.Response // closed when the connection ends
	asked   chan asked          // requests of the server, answered already
	mu      sync.Mutex
	packets []rtp.Header
	sets    map[string]int // the packet that each SPS came in first, by its base64
	nalus   []byte         // nal_unit_type of each packet, 0 for the rest of a fragmented one
	sizes   []int
	times   []time.Time // of arrival
	reports []rtcp.SenderReport
	bye     chan struct{} // closed by the first BYE
	byeOnce sync.Once
}

// dialViewer connects; dial makes its sockets where the test wants them.
func dialViewer(t testing.TB, address string) *viewer {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	v := &viewer{t: t, conn: conn, base: address, answers: make(chan *wire.Response, 8), asked: make(chan asked, 64), sets: map[string]int{}, bye: make(chan struct{})}
	t.Cleanup(v.close)
	return v
}

func (v *viewer) close() {
	_ = v.conn.Close()
	for _, c := range v.udp {
		if c != nil {
			_ = c.Close()
		}
	}
}

// play sets the track up, over "udp" or "tcp", and plays it.
func (v *viewer) play(transport string) {
	v.t.Helper()
	offer := "RTP/AVP/TCP;unicast;interleaved=0-1"
	if transport == "udp" {
		offer = fmt.Sprintf("RTP/AVP;unicast;client_port=%s", v.listen())
	}
	go v.read()
	if res := v.do("DESCRIBE", v.base, ""); res.Status != wire.OK {
		v.t.Fatalf("DESCRIBE: %d %s", res.Status, res.Body)
	}
	res := v.do("SETUP", v.base+"/trackID=0", "", "Transport", offer)
	if res.Status != wire.OK {
		v.t.Fatalf("SETUP: %d %s", res.Status, res.Body)
	}
	v.session, _, _ = wire.ParseSession(res.Header.Get("Session"))
	v.setUp = res.Header.Get("Transport")
	if res := v.do("PLAY", v.base, ""); res.Status != wire.OK {
		v.t.Fatalf("PLAY: %d %s", res.Status, res.Body)
	}
}

// listen opens two UDP ports in a row.
func (v *viewer) listen() string {
	for v.udp[1] == nil {
		rtp, err := net.ListenUDP("udp", nil)
		if err != nil {
			v.t.Fatal(err)
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		rtcp, err := net.ListenUDP("udp", &net.UDPAddr{Port: port + 1})
		if err != nil {
			_ = rtp.Close()
			continue
		}
		v.udp = [2]*net.UDPConn{rtp, rtcp}
	}
	for i, c := range v.udp {
		if err := c.SetReadBuffer(4 << 20); err != nil {
			v.t.Fatal(err)
		}
		go v.receive(byte(i), c)
	}
	port := v.udp[0].LocalAddr().(*net.UDPAddr).Port
	return fmt.Sprintf("%d-%d", port, port+1)
}

func (v *viewer) receive(channel byte, c *net.UDPConn) {
	buf := make([]byte, 65536)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		v.take(channel, buf[:n])
	}
}

// send sends a request.
func (v *viewer) send(method, target, body string, headers ...string) {
	v.t.Helper()
	v.cseq++
	req := wire.Request{Method: method, URL: target, Version: v.version, Body: []byte(body)}
	req.Header.Add("CSeq", fmt.Sprint(v.cseq))
	if v.session != "" {
		req.Header.Add("Session", v.session)
	}
	if body != "" {
		req.Header.Add("Content-Type", "text/parameters")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	if _, err := v.conn.Write(req.Append(nil)); err != nil {
		v.t.Errorf("%s: %v", method, err)
	}
}

// do sends a request and waits for its answer.
func (v *viewer) do(method, target, body string, headers ...string) *wire.Response {
	v.t.Helper()
	v.send(method, target, body, headers...)
	select {
	case res, ok := <-v.answers:
		if !ok {
			v.t.Fatalf("%s: the connection ended", method)
		}
		return res
	case <-time.After(30 * time.Second):
		v.t.Fatalf("%s: no answer", method)
		return nil
	}
}

// set changes parameters and wants the given status. While the stream is mended,
// as after a moment in which this machine had no time for it, it asks again.
func (v *viewer) set(status wire.Status, lines ...string) string {
	v.t.Helper()
	var res *wire.Response
	waitFor(v.t, time.Minute, "the stream is well", func() bool {
		res = v.do("SET_PARAMETER", v.base, strings.Join(lines, "\r\n")+"\r\n")
		return res.Status != wire.ServiceUnavailable || status == wire.ServiceUnavailable
	})
	if res.Status != status {
		v.t.Fatalf("SET_PARAMETER %q: %d %q, want %d", lines, res.Status, res.Body, status)
	}
	return string(res.Body)
}

// get reads one parameter.
func (v *viewer) get(name string) string {
	v.t.Helper()
	res := v.do("GET_PARAMETER", v.base, name+"\r\n")
	ps, err := wire.ParseParameters(res.Body)
	if res.Status != wire.OK || err != nil || len(ps) != 1 {
		v.t.Fatalf("GET_PARAMETER %s: %d %q", name, res.Status, res.Body)
	}
	return ps[0].Value
}

// read decodes what comes over the connection.
func (v *viewer) read() {
	defer close(v.answers)
	var buf []byte
	chunk := make([]byte, 65536)
	for {
		m, n, err := wire.Decode(buf, wire.Limits{})
		switch {
		case errors.Is(err, wire.ErrIncomplete):
			n, err := v.conn.Read(chunk)
			if err != nil {
				return
			}
			buf = append(buf, chunk[:n]...)
			continue
		case err != nil:
			v.t.Errorf("decode: %v", err)
			return
		}
		switch m := m.(type) {
		case *wire.Response:
			v.answers <- m
		case *wire.Request:
			v.oblige(m)
		case wire.Interleaved:
			v.take(m.Channel, m.Payload)
		}
		buf = buf[n:]
	}
}

// take keeps what is told by an RTP packet (channel 0) or by RTCP (channel 1).
func (v *viewer) take(channel byte, b []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if channel == 1 {
		ps, err := rtcp.Unmarshal(b)
		if err != nil {
			v.t.Errorf("RTCP: %v", err)
		}
		for _, p := range ps {
			switch p := p.(type) {
			case *rtcp.SenderReport:
				v.reports = append(v.reports, *p)
			case *rtcp.Goodbye:
				v.byeOnce.Do(func() { close(v.bye) })
			}
		}
		return
	}
	var h rtp.Header
	n, err := h.Unmarshal(b)
	if err != nil || n >= len(b) {
		v.t.Errorf("RTP: %v", err)
		return
	}
	v.packets = append(v.packets, h)
	v.nalus = append(v.nalus, naluType(b[n:]))
	v.sizes = append(v.sizes, len(b))
	v.times = append(v.times, time.Now())
	v.learn(b[n:])
}

func naluType(payload []byte) byte {
	t := payload[0] & 0x1f
	if t == 28 && len(payload) > 1 { // FU-A
		if payload[1]&0x80 == 0 {
			return 0
		}
		return payload[1] & 0x1f
	}
	if t == 24 && len(payload) > 3 { // STAP-A
		return payload[3] & 0x1f
	}
	return t
}

// waitFor waits until the condition holds.
func waitFor(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("after %v still not: %s", limit, what)
		case <-tick.C:
		}
	}
}

// units waits for n more whole access units.
func (v *viewer) units(n int) {
	v.t.Helper()
	start := v.markers()
	waitFor(v.t, 60*time.Second, fmt.Sprintf("%d units more", n), func() bool { return v.markers() >= start+n })
}

func (v *viewer) markers() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, h := range v.packets {
		if h.Marker {
			n++
		}
	}
	return n
}

// checkContinuity wants one SSRC, each sequence number one above the last, and a
// time that never runs backward, nor jumps further than limit.
func (v *viewer) checkContinuity(limit time.Duration) {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := 1; i < len(v.packets); i++ {
		a, b := v.packets[i-1], v.packets[i]
		if b.SSRC != a.SSRC {
			v.t.Fatalf("packet %d: SSRC %08x after %08x", i, b.SSRC, a.SSRC)
		}
		if b.SequenceNumber != a.SequenceNumber+1 {
			v.t.Fatalf("packet %d: sequence number %d after %d", i, b.SequenceNumber, a.SequenceNumber)
		}
		step := int32(b.Timestamp - a.Timestamp)
		if d := time.Duration(step) * time.Second / 90000; d < 0 || d > limit {
			v.t.Fatalf("packet %d: time goes on by %v", i, d)
		}
		if (b.Timestamp != a.Timestamp) != a.Marker {
			v.t.Fatalf("packet %d: marker %v and time step %d", i-1, a.Marker, step)
		}
	}
	if len(v.packets) == 0 {
		v.t.Fatal("no packets")
	}
}

// checkRate wants the units so far to come at a number per second, by the RTP
// clock, within 5 %.
func (v *viewer) checkRate(want float64) {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	n, first, last := -1, v.packets[0].Timestamp, uint32(0)
	for _, h := range v.packets {
		if h.Marker {
			n++
			last = h.Timestamp
		}
	}
	if got := float64(n) * 90000 / float64(last-first); got < want*0.95 || got > want*1.05 {
		v.t.Errorf("%.2f pictures/s, want %.2f", got, want)
	}
}
