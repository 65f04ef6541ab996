package rtspd

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// setupFeedbackGroup is setupMulticast for a member that may ask for packets again.
func (c *client) setupFeedbackGroup() *client {
	c.t.Helper()
	c.setupMulticast()
	return c.setup("RTP/AVPF;multicast")
}

// misses lets a member of the group, by its SSRC, ask for packets.
func (c *client) misses(ssrc uint32, pairs ...rtcp.NackPair) {
	c.t.Helper()
	c.tellGroup(&rtcp.ReceiverReport{SSRC: ssrc},
		&rtcp.TransportLayerNack{SenderSSRC: ssrc, MediaSSRC: c.lab.stream.packetizer.SSRC(), Nacks: pairs})
}

// nothingForTheGroup checks that no packet is on its way to the group, after all
// that its members said has been read.
func (c *client) nothingForTheGroup() {
	c.t.Helper()
	c.lab.forgetAsking()
	before := c.lab.asked.Load()
	c.tellGroup(&rtcp.PictureLossIndication{SenderSSRC: 9, MediaSSRC: c.lab.stream.packetizer.SSRC()})
	await(c.t, "what was asked is read", func() bool { return c.lab.asked.Load() > before })
	if !c.silent(0) {
		c.t.Error("a packet that nobody is due")
	}
}

// justNow is how long ago something was sent that stays recent, however long a
// test takes.
const justNow = -time.Hour

// sentAgain lets all that was sent again have been sent that long ago.
func (l *lab) sentAgain(ago time.Duration) {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	for _, v := range l.stream.viewers {
		for i := range v.resent {
			v.resent[i].at = monotonic() - ago
		}
	}
}

// keepsAll lets the packets that are kept not grow old.
func (l *lab) keepsAll() {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	for i := range l.stream.ring.slots {
		l.stream.ring.slots[i].at = monotonic() - justNow
	}
}

// What one member misses is sent to all, once for all who miss it.
func TestGroupGetsMissedPacketsAgain(t *testing.T) {
	l := newLab(t, multicast())
	a, b := l.dial().setupFeedbackGroup(), l.dial().setupMulticast()
	a.play()
	b.must(200, "OPTIONS", "*", nil, "")
	l.publish(false, 10_000)
	l.keepsAll()
	var packets [][]byte
	for len(packets) < 4+8 { // the key unit, and this one
		packets = append(packets, a.datagram(0))
		b.datagram(0)
	}
	first := binary.BigEndian.Uint16(packets[4][2:])
	again := func(i int) {
		t.Helper()
		for _, c := range []*client{a, b} {
			if got := c.datagram(0); !bytes.Equal(got, packets[i]) {
				t.Errorf("packet %d comes back as % x", i, got[:12])
			}
		}
	}
	a.misses(1, rtcp.NackPair{PacketID: first, LostPackets: 1 << 1}, rtcp.NackPair{PacketID: first + 1000})
	again(4)
	again(6)
	l.sentAgain(justNow)
	b.misses(2, rtcp.NackPair{PacketID: first}, rtcp.NackPair{PacketID: first + 7}) // one of them is on its way
	again(11)
	l.sentAgain(justNow)
	for range 5 {
		a.misses(3, rtcp.NackPair{PacketID: first})
	}
	a.nothingForTheGroup()
	for range resendTimes - 1 {
		l.sentAgain(resendGroup)
		a.misses(1, rtcp.NackPair{PacketID: first})
		again(4)
	}
	l.sentAgain(resendGroup)
	a.misses(1, rtcp.NackPair{PacketID: first})
	a.nothingForTheGroup()
	if n := l.stream.Stats().Resent; n != 3+resendTimes-1 {
		t.Errorf("%d packets sent again", n)
	}
}

// Packets are kept while a member may ask for them.
func TestGroupKeepsPacketsForWhoMayAsk(t *testing.T) {
	l := newLab(t, multicast())
	kept := func(when string, want bool) {
		t.Helper()
		l.stream.mu.Lock()
		defer l.stream.mu.Unlock()
		if got := len(l.stream.ring.slots) > 0; got != want {
			t.Errorf("%s: packets are kept: %v", when, got)
		}
	}
	plain, asks := l.dial().setupMulticast(), l.dial().setupFeedbackGroup()
	plain.play()
	kept("nobody may ask", false)
	plain.misses(1, rtcp.NackPair{PacketID: plain.receive(1)[0].seq})
	plain.nothingForTheGroup()

	asks.write(asks.request("PLAY", l.url, nil, ""))
	await(t, "the second joins", func() bool { return l.stream.Stats().Viewers == 2 })
	l.publish(true, 100)
	asks.response()
	kept("one may ask", true)
	asks.must(200, "PAUSE", l.url, nil, "")
	kept("others play", true) // it may come back
	plain.must(200, "PAUSE", l.url, nil, "")
	kept("nobody plays", false)
	plain.play()
	kept("nobody who plays may ask", false)
}
