package rtspd

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/rtp"
)

// multicast gives the stream a group of each family, on a random port.
func multicast() option {
	port := uint16(30000 + 2*rand.IntN(1000))
	return func(_ *Config, s *StreamConfig) {
		s.Multicast = Multicast{Groups: []netip.AddrPort{
			netip.AddrPortFrom(netip.MustParseAddr("239.255.7.9"), port),
			netip.AddrPortFrom(netip.MustParseAddr("ff15::7:9"), port),
		}}
	}
}

// group is the one of IPv4: the loopback interface has no route for groups of
// IPv6, whose test is TestPlayersShareAGroup of cmd/lensletd.
func (c *client) group() netip.AddrPort {
	return c.lab.stream.cfg.Multicast.Groups[0]
}

// groups counts those in use.
func (l *lab) groups() int {
	l.srv.groups.mu.Lock()
	defer l.srv.groups.mu.Unlock()
	return len(l.srv.groups.open)
}

// setupMulticast makes a session by multicast, and joins the group.
func (c *client) setupMulticast() *client {
	c.t.Helper()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		c.t.Fatal(err)
	}
	to := c.group()
	for i := range c.udp {
		a := &net.UDPAddr{IP: to.Addr().AsSlice(), Port: int(to.Port()) + i}
		if c.udp[i], err = net.ListenMulticastUDP("udp", lo, a); err != nil {
			c.t.Fatal(err)
		}
		_ = c.udp[i].SetReadBuffer(4 << 20)
	}
	return c.setup("RTP/AVP;multicast")
}

// tellGroup sends RTCP to the group, as its members do.
func (c *client) tellGroup(packets ...rtcp.Packet) {
	c.t.Helper()
	to := c.group()
	lo, _ := net.InterfaceByName("lo")
	from, err := listenToSend(lo, netip.MustParseAddr("127.0.0.1"), 1)
	if err != nil {
		c.t.Fatal(err)
	}
	defer from.Close()
	if _, err := from.WriteToUDPAddrPort(marshal(c.t, packets...), netip.AddrPortFrom(to.Addr(), to.Port()+1)); err != nil {
		c.t.Fatal(err)
	}
}

func TestMulticastIsOffered(t *testing.T) {
	l := newLab(t, multicast(), func(_ *Config, s *StreamConfig) { s.Multicast.TTL = 7 })
	port := l.stream.cfg.Multicast.Groups[0].Port()
	want := fmt.Sprintf("RTP/AVP;multicast;destination=239.255.7.9;source=127.0.0.1;ttl=7;port=%d-%d;ssrc=", port, port+1)
	for _, offer := range []string{
		"RTP/AVP;multicast", "RTP/AVP/UDP;multicast", // FFmpeg
		"RTP/AVP;multicast;mode=PLAY;ttl=64;port=5000-5001",
		"RTP/AVP;multicast;destination=239.255.7.9",
		"RTP/AVP;multicast;destination=239.1.1.1,RTP/AVP;multicast,RTP/AVP/TCP;interleaved=0-1",
	} {
		c := l.dial().setup(offer)
		if got := c.setUp.header["transport"]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s instead of %s", offer, got, want)
		}
		c.must(200, "TEARDOWN", l.url, nil, "")
	}
	c := l.dial()
	for _, offer := range []string{
		"RTP/AVP/TCP;multicast", "RTP/AVP;multicast;destination=239.255.7.8", "RTP/AVP;multicast;destination=127.0.0.1",
		"RTP/SAVP;multicast", "RTP/AVP;multicast;mode=RECORD", "RTP/AVP;multicast;destination=group",
	} {
		c.must(461, "SETUP", c.track(), headers{"Transport", offer}, "")
	}
	if got := l.dial().setup("RTP/AVP;unicast;multicast;client_port=5000-5001").setUp.header["transport"]; !strings.Contains(got, "unicast") {
		t.Errorf("both at once: %s", got)
	}
}

func TestNoMulticastForTheFamily(t *testing.T) {
	l := newLab(t, multicast(), func(_ *Config, s *StreamConfig) { s.Multicast.Groups = s.Multicast.Groups[1:] })
	c := l.dial()
	c.must(461, "SETUP", c.track(), headers{"Transport", "RTP/AVP;multicast"}, "")
}

// Two viewers see what one send carries; a key frame comes when the second one
// joins; the group ends with the last.
func TestViewersShareAGroup(t *testing.T) {
	l := newLab(t, multicast())
	a, b := l.dial().setupMulticast(), l.dial().setupMulticast()
	ra := a.play()
	l.publish(false, 20_000)
	l.forgetAsking()
	asked := l.asked.Load()
	b.write(b.request("PLAY", l.url, nil, ""))
	await(t, "a key frame is asked for", func() bool { return l.asked.Load() > asked })
	l.publish(false, 3000)
	l.publish(true, 3000)
	rb := b.response()
	l.publish(false, 20_000)
	ua, ub := a.receive(5), b.receive(5)
	a.media.equal(t, l.published)
	b.media.equal(t, l.published)
	if info := a.rtpInfo(ra); info.Seq != ua[0].seq || info.RTPTime != ua[0].rtptime {
		t.Errorf("RTP-Info of the first %v", info)
	}
	if info := b.rtpInfo(rb); info.Seq != ub[3].seq || info.RTPTime != ub[3].rtptime {
		t.Errorf("RTP-Info of the second %v, and the key frame is %d", info, ub[3].seq)
	}
	if st := l.stream.Stats(); st.Viewers != 2 || st.Packets != uint64(a.media.packets) || st.Copied != 0 || st.Refused != 0 || st.Segmented < 4 {
		t.Errorf("%+v, and %d packets came", st, a.media.packets)
	}
	sr, _ := a.senderReport()
	if sr.SSRC != a.media.ssrc || sr.PacketCount == 0 {
		t.Errorf("%+v", sr)
	}
	again, _ := a.senderReport() // of the second joining
	if int(again.PacketCount) <= int(sr.PacketCount) {
		t.Errorf("%+v after %+v", again, sr)
	}
	a.must(200, "TEARDOWN", l.url, nil, "")
	l.publish(false, 500)
	b.receive(6) // no BYE for all
	b.must(200, "PAUSE", l.url, nil, "")
	l.publish(true, 500)
	b.must(200, "TEARDOWN", l.url, nil, "")
	b.senderReport()
	b.senderReport()
	b.bye(b.media.ssrc)
	if !b.silent(0) {
		t.Error("packets after the pause")
	}
}

// A group and viewers of other kinds are served side by side.
func TestMulticastBesideUnicast(t *testing.T) {
	l := newLab(t, multicast())
	group, udp, tcp := l.dial().setupMulticast(), l.dial().setupUDP(), l.dial().setupTCP()
	for _, c := range []*client{group, udp, tcp} {
		c.play()
	}
	l.publish(false, 9000)
	group.receive(4)
	group.media.equal(t, l.published)
	udp.receive(3)
	tcp.receive(2)
	tcp.media.equal(t, l.published[2:])
	if st := l.stream.Stats(); st.Viewers != 3 {
		t.Errorf("%+v", st)
	}
}

func TestMulticastReports(t *testing.T) {
	l := newLab(t, multicast())
	c := l.dial().setupMulticast()
	c.play()
	first := uint32(c.receive(1)[0].seq)
	report := func(ssrc, highest, lost, jitter uint32) {
		c.tellGroup(&rtcp.ReceiverReport{SSRC: ssrc, Reports: []rtcp.ReceptionReport{{
			SSRC: c.media.ssrc, LastSequenceNumber: highest, TotalLost: lost, Jitter: jitter,
		}}})
	}
	ses := l.srv.session(c.session)
	ses.seen.Store(0)
	for _, r := range []struct {
		ssrc, highest, lost, jitter uint32
		received, sum               uint64
		worst                       time.Duration
	}{
		{1, first + 9, 0, 90, 1, 0, time.Millisecond}, // from here on it is counted
		{1, first + 19, 0, 90, 11, 0, time.Millisecond},
		{2, 5<<16 + first + 9, 0, 180, 12, 0, 2 * time.Millisecond},
		{2, 5<<16 + first + 29, 3, 9, 29, 3, time.Millisecond},
	} {
		report(r.ssrc, r.highest, r.lost, r.jitter)
		await(t, "the report is read", func() bool {
			st := l.stream.Stats()
			return st.Received == r.received && st.Lost == r.sum && st.Jitter == r.worst
		})
	}
	if ses.seen.Load() == 0 {
		t.Error("a report is no sign of life")
	}
	c.tellGroup(&rtcp.ReceiverReport{SSRC: 1}, &rtcp.Goodbye{Sources: []uint32{1}})
	await(t, "the jitter of who is left", func() bool { return l.stream.Stats().Jitter == 100*time.Microsecond })
	if len(l.sessions()) != 1 {
		t.Error("one member's BYE ends a session")
	}
	l.forgetAsking()
	asked := l.asked.Load()
	c.tellGroup(&rtcp.PictureLossIndication{SenderSSRC: 2, MediaSSRC: c.media.ssrc})
	await(t, "a key frame is asked for", func() bool { return l.asked.Load() == asked+1 })
}

// What we send to the group comes back to us, and says nothing.
// A viewer by multicast that takes requests is asked like any other.
func TestMulticastViewersAreAsked(t *testing.T) {
	l := newLab(t, multicast())
	l.publish(true, 100)
	c := l.dial().setupMulticast().optIn()
	c.checkNotPolled(time.Minute / 2) // it does not play
	c.play()
	for range 5 {
		l.publish(false, 100)
	}
	c.checkNotPolled(0)
	if st := c.tell(c.polled(pollInterval), "packets_received: 3\r\njitter: 2.5\r\n"); st.Received != 3 || st.Jitter != 2500*time.Microsecond {
		t.Errorf("%+v", st)
	}
}

func TestOwnReportsAreNoSignOfLife(t *testing.T) {
	s := NewStream(StreamConfig{})
	g := &group{sink: &viewer{}, listeners: map[uint32]*listener{}}
	own := rtp.SenderReport(nil, rtp.Report{SSRC: s.packetizer.SSRC()})
	if s.groupFeedback(g, own, 0) || s.groupFeedback(g, []byte("garbage"), 0) {
		t.Error("taken as a member's")
	}
	if !s.groupFeedback(g, marshal(t, &rtcp.ReceiverReport{SSRC: 1}), 0) {
		t.Error("an empty report is a member's too")
	}
}

func TestListenersAreBounded(t *testing.T) {
	s := NewStream(StreamConfig{})
	g := &group{sink: &viewer{}, listeners: map[uint32]*listener{}}
	report := func(ssrc uint32, at time.Duration) {
		s.groupFeedback(g, marshal(t, &rtcp.ReceiverReport{SSRC: ssrc, Reports: []rtcp.ReceptionReport{{SSRC: s.packetizer.SSRC()}}}), at)
	}
	for i := range uint32(listenersMost + 5) {
		report(1000+i, time.Second)
	}
	if len(g.listeners) != listenersMost || g.listeners[1000] == nil {
		t.Errorf("%d listeners", len(g.listeners))
	}
	report(1, time.Second+listenerSilence)
	if g.listeners[1] != nil {
		t.Error("one more, though none was silent for too long")
	}
	report(1, time.Second+listenerSilence+1)
	if len(g.listeners) != 1 || g.listeners[1] == nil {
		t.Errorf("%d listeners after all were silent", len(g.listeners))
	}
}

// A session may change between the group and a transport of its own.
func TestMulticastAndBack(t *testing.T) {
	l := newLab(t, multicast())
	c := l.dial().setupMulticast()
	session := c.session
	c.setup("RTP/AVP;multicast")
	if n := l.groups(); n != 1 || c.session != session {
		t.Errorf("%d groups, session %s after %s", n, c.session, session)
	}
	c.setupTCP()
	if n := l.groups(); n != 0 {
		t.Errorf("%d groups though the session has another transport", n)
	}
	c.play()
	c.receive(1)
	c.media.equal(t, l.published)
	other := l.dial().setupMulticast()
	l.sweepLater(time.Hour) // all are silent
	if n := l.groups(); n != 0 || len(l.sessions()) != 0 {
		t.Errorf("%d groups, sessions %v", n, l.sessions())
	}
	other.must(454, "PLAY", l.url, nil, "")
}

func TestInterfaceOf(t *testing.T) {
	for addr, want := range map[string]string{"127.0.0.1": "lo", "::1": "lo", "fe80::1%lo": "lo", "192.0.2.1": "", "fe80::1%none": ""} {
		if got, ok := interfaceOf(netip.MustParseAddr(addr)); got != want || ok != (want != "") {
			t.Errorf("%s is at %q, %v", addr, got, ok)
		}
	}
}

func TestGroupThatCannotBeOpened(t *testing.T) {
	s := NewStream(StreamConfig{})
	to := netip.MustParseAddrPort("239.255.7.9:30000")
	for _, c := range []struct {
		key   groupKey
		local string
	}{
		{groupKey{s, to, "none"}, "127.0.0.1"},
		{groupKey{s, to, "lo"}, "192.0.2.1"},
		{groupKey{s, netip.MustParseAddrPort("127.0.0.2:30000"), "lo"}, "127.0.0.1"},
	} {
		if g, err := openGroup(c.key, netip.MustParseAddr(c.local)); err == nil {
			t.Errorf("%+v from %s opens", c.key, c.local)
			g.close()
		}
	}
}
