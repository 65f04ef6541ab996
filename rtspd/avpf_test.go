package rtspd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/rtp"
)

// setupAVPF makes a session by UDP that may ask for packets again.
func (c *client) setupAVPF() *client {
	c.t.Helper()
	host, _, _ := net.SplitHostPort(c.lab.addr)
	port := c.openUDP(host)
	return c.setup(fmt.Sprintf("RTP/AVPF;unicast;client_port=%d-%d", port, port+1))
}

// nack asks for packets again.
func (c *client) nack(pairs ...rtcp.NackPair) {
	c.t.Helper()
	c.sendReport(marshal(c.t, &rtcp.ReceiverReport{SSRC: 7},
		&rtcp.TransportLayerNack{SenderSSRC: 7, MediaSSRC: c.lab.stream.packetizer.SSRC(), Nacks: pairs}))
}

// nothingMore checks that no RTP packet is on its way: what the server was asked
// before must have been answered when the next thing is.
func (c *client) nothingMore() {
	c.t.Helper()
	c.lab.forgetAsking()
	before := c.lab.asked.Load()
	c.sendReport(marshal(c.t, &rtcp.PictureLossIndication{MediaSSRC: c.lab.stream.packetizer.SSRC()}))
	await(c.t, "what was asked is read", func() bool { return c.lab.asked.Load() > before })
	if !c.silent(0) {
		c.t.Error("a packet that nobody is due")
	}
}

func TestFeedbackProfileIsEchoed(t *testing.T) {
	l := newLab(t)
	for offer, want := range map[string]string{
		"RTP/AVPF;unicast;client_port=5000-5001":                                        "RTP/AVPF;unicast;",
		"RTP/AVPF/TCP;unicast;interleaved=0-1":                                          "RTP/AVPF/TCP;unicast;interleaved=0-1;",
		"RTP/SAVPF;unicast;client_port=5000-5001,RTP/AVPF/UDP;unicast;client_port=5002": "RTP/AVPF;unicast;",
	} {
		c := l.dial().setup(offer)
		if got := c.setUp.header["transport"]; !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", offer, got)
		}
		c.must(200, "TEARDOWN", l.url, nil, "")
	}
}

func TestDescriptionOffersFeedback(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	body := l.dial().must(200, "DESCRIBE", l.url, nil, "").body
	for _, want := range []string{"m=video 0 RTP/AVP 96\r\n", "a=rtcp-fb:96 nack\r\n", "a=rtcp-fb:96 nack pli\r\n", "a=rtcp-fb:96 ccm fir\r\n", "a=rtcp-fb:* ack ccfb\r\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}

func TestMissedPacketsAreSentAgain(t *testing.T) {
	l := newLab(t)
	other, c := l.dial().setupAVPF(), l.dial().setupAVPF()
	other.play()
	c.play()
	l.publish(false, 20_000)
	l.keepsAll()
	var packets [][]byte
	for len(packets) < 4+15 { // the key unit, and this one
		packets = append(packets, c.datagram(0))
	}
	before := l.stream.Stats()
	first := binary.BigEndian.Uint16(packets[4][2:])
	// 4, 6 and 12, 4 twice; and one that does not exist yet.
	c.nack(rtcp.NackPair{PacketID: first, LostPackets: 1<<1 | 1<<7}, rtcp.NackPair{PacketID: first}, rtcp.NackPair{PacketID: first + 1000})
	size := 0
	for _, i := range []int{4, 6, 12} {
		got := c.datagram(0)
		size += len(got)
		if !bytes.Equal(got, packets[i]) {
			t.Errorf("packet %d comes back as % x", i, got[:12])
		}
	}
	l.sentAgain(justNow)
	c.nack(rtcp.NackPair{PacketID: first}) // asked before the answer can have come
	c.nothingMore()
	after := l.stream.Stats()
	if after.Resent != 3 || after.Packets-before.Packets != 3 || after.Bytes-before.Bytes != uint64(size) {
		t.Errorf("%+v after %+v", after, before)
	}
	other.receive(3)
	other.nothingMore()
}

func TestOnlyFeedbackViewersAreAnswered(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	c.play()
	seq := c.receive(1)[0].seq
	c.nack(rtcp.NackPair{PacketID: seq})
	c.nothingMore()
	if len(l.stream.ring.slots) != 0 {
		t.Error("packets are kept though nobody may ask for them")
	}
	tcp := l.dial().setup("RTP/AVPF/TCP;unicast;interleaved=0-1")
	tcp.tcp = true
	tcp.play()
	if len(l.stream.ring.slots) != 0 {
		t.Error("packets are kept for a viewer by TCP")
	}
	avpf := l.dial().setupAVPF()
	avpf.play()
	c.nack(rtcp.NackPair{PacketID: avpf.receive(1)[0].seq})
	c.receive(3)
	c.nothingMore()
	avpf.must(200, "PAUSE", l.url, nil, "")
	avpf.nack(rtcp.NackPair{PacketID: avpf.media.next - 1})
	avpf.nothingMore()
	if len(l.stream.ring.slab) != 0 || l.stream.Stats().Resent != 0 {
		t.Error("packets are kept though who may ask for them is paused")
	}
}

// A viewer whose network loses every seventh packet sees every picture.
func TestLossIsRepaired(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupAVPF()
	c.play()
	c.receive(1)
	held, asked := map[uint16][]byte{}, map[uint16]bool{}
	for n := 1; len(c.media.units) < 21; n++ {
		if len(c.media.units) == len(l.published) {
			l.publish(false, 15_000)
		}
		b := c.datagram(0)
		seq := binary.BigEndian.Uint16(b[2:])
		if n%7 == 0 && !asked[seq] {
			c.nack(rtcp.NackPair{PacketID: seq})
			asked[seq] = true
			continue
		}
		held[seq] = b
		for b := held[c.media.next]; b != nil; b = held[c.media.next] {
			c.media.push(t, b)
		}
	}
	c.media.equal(t, l.published)
	if st := l.stream.Stats(); len(asked) < 20 || st.Resent != uint64(len(asked)) {
		t.Errorf("%d were lost, %d sent again", len(asked), st.Resent)
	}
}

func ringPacketsOf(seq uint16, n, size int) []rtp.Packet {
	packets := make([]rtp.Packet, n)
	for i := range packets {
		h := make([]byte, rtp.HeaderSize)
		binary.BigEndian.PutUint16(h[2:], seq+uint16(i))
		packets[i] = rtp.Packet{Header: h, Payload: make([]byte, size)}
	}
	return packets
}

func TestRing(t *testing.T) {
	var r ring
	r.keep(0, ringPacketsOf(0, 3, 100), 0)
	if r.find(0, 0) != nil {
		t.Error("the zero ring keeps something")
	}
	r.open(&viewer{}, 1400)
	if len(r.slots) != 0 {
		t.Error("room for a viewer that may not ask")
	}
	a, b := &viewer{feedback: true}, &viewer{feedback: true}
	r.open(a, 1400)
	r.keep(65_534, ringPacketsOf(65_534, 4, 1388), time.Second)
	r.open(b, 1400)
	for _, seq := range []uint16{65_534, 65_535, 0, 1} {
		got := r.find(seq, 2*time.Second)
		if len(got) != 1400 || binary.BigEndian.Uint16(got[2:]) != seq {
			t.Errorf("packet %d: %d bytes", seq, len(got))
		}
		if r.find(seq, 2*time.Second+1) != nil {
			t.Errorf("packet %d is older than it may be", seq)
		}
	}
	if r.find(2, time.Second) != nil || r.find(65_533, time.Second) != nil {
		t.Error("a packet that was not kept")
	}
	r.keep(2, ringPacketsOf(2, len(r.slots)-1, 10), time.Second)
	if r.find(0, time.Second) != nil {
		t.Error("a packet whose place was taken")
	}
	if got := r.find(1, time.Second); len(got) != 1400 {
		t.Error("the oldest packet is gone already")
	}
	r.close(a)
	if r.find(2, time.Second) == nil || a.resent != nil || len(b.resent) != len(r.slots) {
		t.Error("the ring ends with the first viewer")
	}
	r.close(&viewer{})
	r.close(b)
	if r.slots != nil || r.slab != nil {
		t.Error("the ring stays")
	}
}

func TestRingIsBounded(t *testing.T) {
	for mtu, packets := range map[int]int{64: 1024, 1400: 1024, 2048: 1024, 2049: 512, 65_000: 32, 65_507: 32} {
		var r ring
		r.open(&viewer{feedback: true}, mtu)
		if len(r.slots) != packets || len(r.slab) != packets*mtu || len(r.slab) > ringBytes {
			t.Errorf("MTU %d: %d packets in %d bytes", mtu, len(r.slots), len(r.slab))
		}
	}
}

func TestWhenAPacketIsSentAgain(t *testing.T) {
	v := &viewer{resent: make([]resend, 16), trip: 100 * time.Millisecond}
	for i, c := range []struct {
		seq  uint16
		at   time.Duration
		want bool
	}{
		{5, 0, true}, {5, 0, false}, {6, 0, true}, {5, 100*time.Millisecond - 1, false}, {5, 100 * time.Millisecond, true},
		{5, time.Second, true}, {5, 1200 * time.Millisecond, true}, {5, 1400 * time.Millisecond, false}, // four times
		{5 + 16, 1400 * time.Millisecond, true}, {5 + 16, 1400 * time.Millisecond, false}, // another packet in the same place
		{0, 0, true}, {5 + 16, time.Hour, true}, // the number has come round
	} {
		if got := v.due(c.seq, c.at); got != c.want {
			t.Errorf("%d: packet %d at %v: %v", i, c.seq, c.at, got)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	const last = 7<<16 + 5 // the sender report, sent when an hour was over
	for _, c := range []struct {
		r        rtp.Reception
		trip     time.Duration
		patience time.Duration
	}{
		{rtp.Reception{}, 0, resendUnknown},
		{rtp.Reception{DLSR: 5}, 0, resendUnknown},
		{rtp.Reception{LSR: last, DLSR: 2 << 16}, time.Second, resendMost},
		{rtp.Reception{LSR: last, DLSR: 46 << 14 / 4}, 125 * time.Millisecond, 125 * time.Millisecond},
		{rtp.Reception{LSR: last, DLSR: 3 << 16}, 1, resendLeast},
		{rtp.Reception{LSR: last, DLSR: 4 << 16}, 0, resendUnknown},   // waited before it was sent
		{rtp.Reception{LSR: last - 1<<16, DLSR: 5}, 0, resendUnknown}, // of another report
	} {
		v := &viewer{lsr: last, reported: time.Hour}
		v.measure(c.r, time.Hour+3*time.Second)
		if v.trip != c.trip || v.patience() != c.patience {
			t.Errorf("%+v: %v, and patience for %v", c.r, v.trip, v.patience())
		}
	}
}

// A picture lost while the last key frame is young brings another one when that
// moment is over, unless one comes by itself.
func TestPictureLossIsRemembered(t *testing.T) {
	for key, name := range map[bool]string{false: "none comes", true: "one comes"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.dial().setupUDP()
			c.play()
			ssrc := c.lab.stream.packetizer.SSRC()
			l.stream.mu.Lock()
			l.stream.asked = monotonic() + time.Hour // just now, and stays so
			l.stream.mu.Unlock()
			c.sendReport(marshal(t, &rtcp.PictureLossIndication{MediaSSRC: ssrc}))
			await(t, "it is read", func() bool { l.stream.mu.Lock(); defer l.stream.mu.Unlock(); return l.stream.owed })
			l.publish(key, 100)
			before := l.asked.Load()
			l.forgetAsking()
			l.publish(false, 100)
			l.forgetAsking()
			l.publish(false, 100)
			if got, want := l.asked.Load()-before, map[bool]int32{false: 1, true: 0}[key]; got != want {
				t.Errorf("key frame meanwhile: %v; asked %d times more, not %d", key, got, want)
			}
		})
	}
}

func TestRepeatedIntraRequest(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupAVPF()
	c.play()
	ssrc := c.lab.stream.packetizer.SSRC()
	for _, r := range []struct {
		seq  uint8
		want int32
	}{{0, 2}, {0, 2}, {255, 3}, {255, 3}, {0, 4}} {
		l.forgetAsking()
		l.stream.feedback(l.srv.session(c.session).viewer.Load(),
			marshal(t, &rtcp.FullIntraRequest{SenderSSRC: 1, FIR: []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: r.seq}}}))
		if got := l.asked.Load(); got != r.want {
			t.Errorf("request %d: asked %d times, not %d", r.seq, got, r.want)
		}
	}
}
