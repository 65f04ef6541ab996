package rtspd

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/wire"
)

func TestPushOverTCP(t *testing.T) {
	s := newMediaServer(t)
	l, p := pushing(t, s, PushConfig{URL: strings.Replace(s.url(), "//", "//user:secret@", 1)}, hasty)
	c := s.conn(0)
	announce, setup, record := c.asked("ANNOUNCE", 1), c.asked("SETUP", 1), c.asked("RECORD", 1)
	awaitStatus(t, p, "streaming")
	if got := c.methods(); got != "OPTIONS ANNOUNCE SETUP RECORD" {
		t.Errorf("asked %s", got)
	}
	if announce.URL != s.url() || announce.Header.Get("Content-Type") != "application/sdp" || !bytes.Contains(announce.Body, []byte("sprop-parameter-sets=")) {
		t.Errorf("announced %s: %s", announce.URL, announce.Body)
	}
	if tr := setup.Header.Get("Transport"); setup.URL != s.url()+"/trackID=0" || tr != "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record" && tr != `RTP/AVP/TCP;unicast;interleaved=0-1;mode="record"` {
		t.Errorf("set up %s with %s", setup.URL, tr)
	}
	if record.Header.Get("Session") != "47" || record.Header.Get("Authorization") != "" || record.Header.Get("User-Agent") != "lenslet" {
		t.Errorf("recorded with %v", record.Header)
	}

	l.awaitWaiting(1)
	l.publish(false, 400) // nothing to begin with
	l.publish(true, 4000)
	l.publish(false, 400)
	await(t, "5 packets", func() bool { return len(c.on(0)) == 5 })
	packets := c.on(0)
	continuous(t, packets)
	if packets[0][12]&0x1f != 24 || !bytes.Contains(packets[0], testSPS) {
		t.Errorf("begins with % x instead of the parameter sets", packets[0][:20])
	}
	await(t, "a sender report", func() bool { return len(c.on(1)) > 0 })
	if c.on(1)[0][1] != 200 {
		t.Errorf("RTCP begins with type %d", c.on(1)[0][1])
	}

	l.stop()
	c.asked("TEARDOWN", 1)
	last := c.on(1)[len(c.on(1))-1]
	if p.Status() != "off" || last[len(last)-7] == 0 || !bytes.Contains(last, []byte{0x81, 203}) {
		t.Errorf("%s, and took leave with % x", p.Status(), last)
	}
}

// The server chooses the channels, reports what it received and asks for a key
// frame.
func TestPushHearsTheServer(t *testing.T) {
	s := newMediaServer(t)
	s.odd["SETUP"] = func(c *mediaConn, r *wire.Request) {
		c.reply(r, wire.OK, "Session", "x", "Transport", "RTP/AVP/TCP;unicast;interleaved=6-9;mode=record")
	}
	l, _ := pushing(t, s, PushConfig{URL: s.url(), Transport: "tcp"}, hasty)
	l.awaitWaiting(1)
	l.publish(true, 4000)
	c := s.conn(0)
	await(t, "packets", func() bool { return len(c.on(6)) == 4 && len(c.on(9)) == 1 })
	l.forgetAsking()
	before := l.asked.Load()
	b := feedbackOn(t, c.on(6))
	c.write(wire.Interleaved{Channel: 8, Payload: b}.Append(nil)) // not RTCP's
	c.write(wire.Interleaved{Channel: 9, Payload: []byte{1, 2}}.Append(nil))
	if l.stream.Stats().Lost != 0 {
		t.Error("a report on another channel counted")
	}
	c.write(wire.Interleaved{Channel: 9, Payload: b}.Append(nil))
	await(t, "the report", func() bool { st := l.stream.Stats(); return st.Lost == 1 && st.Received == 3 })
	await(t, "a key frame", func() bool { return l.asked.Load() == before+1 })
}

// feedbackOn is a receiver report that one of the packets was lost, and a PLI.
func feedbackOn(t testing.TB, packets [][]byte) []byte {
	t.Helper()
	last := packets[len(packets)-1]
	ssrc, seq := binary.BigEndian.Uint32(last[8:]), binary.BigEndian.Uint16(last[2:])
	b, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: ssrc, LastSequenceNumber: uint32(seq), TotalLost: 1}}},
		&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: ssrc},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPushOverUDP(t *testing.T) {
	rtpPort, rtcpPort := listenUDP(t), listenUDP(t)
	if portOf(rtpPort) > portOf(rtcpPort) {
		rtpPort, rtcpPort = rtcpPort, rtpPort
	}
	s := newMediaServer(t)
	s.odd["SETUP"] = func(c *mediaConn, r *wire.Request) {
		ports := wire.PortRange{First: portOf(rtpPort), Last: portOf(rtcpPort), OK: true}
		c.reply(r, wire.OK, "Session", "x;timeout=90", "Transport", r.Header.Get("Transport")+";source=192.0.2.1;server_port="+ports.String())
	}
	l, p := pushing(t, s, PushConfig{URL: s.url(), Transport: "udp"}, hasty)
	awaitStatus(t, p, "streaming")
	c := s.conn(0)
	asked, err := wire.ParseTransport(c.asked("SETUP", 1).Header.Get("Transport"))
	if err != nil || asked[0].Lower != "UDP" || !asked[0].Unicast || !strings.EqualFold(asked[0].Mode, "record") {
		t.Fatalf("asked for %v", asked)
	}
	l.publish(true, 4000)
	var packets [][]byte
	for range 4 {
		packet, from := receive(t, rtpPort)
		if int(from.Port()) != asked[0].ClientPort.First {
			t.Errorf("packets come from port %d, not %d", from.Port(), asked[0].ClientPort.First)
		}
		packets = append(packets, packet)
	}
	continuous(t, packets)
	if report, from := receive(t, rtcpPort); report[1] != 200 || int(from.Port()) != asked[0].ClientPort.RTCP() {
		t.Errorf("RTCP type %d from port %d", report[1], from.Port())
	}
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(asked[0].ClientPort.RTCP()))
	if _, err := rtpPort.WriteToUDPAddrPort(feedbackOn(t, packets), to); err != nil { // from the wrong port
		t.Fatal(err)
	}
	packets[3][3]-- // so that the right one says something else
	if _, err := rtcpPort.WriteToUDPAddrPort(feedbackOn(t, packets), to); err != nil {
		t.Fatal(err)
	}
	await(t, "the report", func() bool { return l.stream.Stats().Lost == 1 })
	if n := l.stream.Stats().Received; n != 2 {
		t.Errorf("%d packets received, by a report from a stranger", n)
	}
	l.stop()
	c.asked("TEARDOWN", 1)
	if bye, _ := receive(t, rtcpPort); !bytes.Contains(bye, []byte{0x81, 203}) {
		t.Errorf("took leave with % x", bye)
	}
}

func listenUDP(t testing.TB) *net.UDPConn {
	t.Helper()
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

func portOf(u *net.UDPConn) int { return u.LocalAddr().(*net.UDPAddr).Port }

func receive(t testing.TB, u *net.UDPConn) ([]byte, netip.AddrPort) {
	t.Helper()
	b := make([]byte, 2048)
	_ = u.SetReadDeadline(time.Now().Add(patience))
	n, from, err := u.ReadFromUDPAddrPort(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n], from
}

// Nothing is announced before the parameter sets are known; the codec is asked
// for them.
func TestPushWaitsForAPicture(t *testing.T) {
	s := newMediaServer(t)
	l := prepareLab(t, nil)
	p, err := l.srv.Push(PushConfig{URL: s.url()}, l.stream)
	if err != nil {
		t.Fatal(err)
	}
	p.pushTimes = hasty
	p.picture = 100 * time.Millisecond
	l.serve("127.0.0.1:0")
	s.open()
	awaitStatus(t, p, "failed: the camera gives no picture")
	if l.asked.Load() == 0 || s.count() != 0 {
		t.Errorf("asked for %d key frames, connected %d times", l.asked.Load(), s.count())
	}
	l.publish(true, 500)
	s.conn(0).asked("ANNOUNCE", 1)
}

// Each change of the status is one line in the log, and no line has the
// password.
func TestPushLog(t *testing.T) {
	s := newMediaServer(t)
	var mu sync.Mutex
	broken, log := true, &lockedBuffer{}
	s.odd["RECORD"] = func(c *mediaConn, r *wire.Request) {
		mu.Lock()
		defer mu.Unlock()
		if broken {
			c.reply(r, wire.ServiceUnavailable)
			return
		}
		c.good(r)
	}
	l, p := pushing(t, s, PushConfig{URL: strings.Replace(s.url(), "//", "//user:secret@", 1)}, hasty, func(c *Config, _ *StreamConfig) {
		c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	s.conn(4)
	mu.Lock()
	broken = false
	mu.Unlock()
	awaitStatus(t, p, "streaming")
	l.stop()
	var said []string
	for line := range strings.Lines(log.String()) {
		if _, status, ok := strings.Cut(line, "msg=push "); ok {
			said = append(said, strings.TrimSpace(status))
		}
	}
	server := "server=" + s.l.Addr().String() + " status="
	want := []string{
		server + "connecting", server + `"failed: the server answers 503 Service Unavailable to RECORD"`, server + "streaming", server + "off",
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log says\n%s\nwanted\n%s", log, strings.Join(want, "\n"))
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
