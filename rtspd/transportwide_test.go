package rtspd

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/rate"
	"lenslet/rtspd/rtp"
)

// counted lets packets carry transport-wide numbers.
func counted(_ *Config, s *StreamConfig) { s.Transport = true }

// uncounted changes nothing.
func uncounted(*Config, *StreamConfig) {}

// eitherWay runs a test with numbers, which brings something once, and without.
func eitherWay(t *testing.T, f func(t *testing.T, o option, want uint64)) {
	t.Run("with", func(t *testing.T) { f(t, counted, 1) })
	t.Run("without", func(t *testing.T) { f(t, uncounted, 0) })
}

// protect makes the viewer one by SRTP, whose packets have other numbers.
func (w *teller) protect() {
	w.stream.mu.Lock()
	defer w.stream.mu.Unlock()
	e := w.stream.current()
	e.next = uint64(w.stream.packetizer.Next() + 40_000)
	w.v.safe = &safety{epoch: e}
	w.v.safe.ssrc.Store(e.ssrc)
	w.seen = w.stream.packetizer.Next() - uint16(e.next)
}

// Numbers are offered where they are set, and not otherwise: a recorder that cannot
// skip extensions would show nothing.
func TestTransportNumbersAreOffered(t *testing.T) {
	eitherWay(t, func(t *testing.T, o option, want uint64) {
		l := newLab(t, o)
		l.publish(true, 100)
		body := l.dial().must(200, "DESCRIBE", l.url, nil, "").body
		for _, line := range []string{
			"a=rtcp-fb:96 transport-cc\r\n",
			"a=extmap:1 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n",
		} {
			if uint64(strings.Count(body, line)) != want {
				t.Errorf("not %d times %q in\n%s", want, line, body)
			}
		}
	})
}

// Whatever the transport, packets carry their numbers, are no larger than they may be,
// and bring what was published.
func TestTransportNumbersReachViewers(t *testing.T) {
	avpf := func(c *client) *client { return c.setupAVPF() }
	for name, c := range map[string]struct {
		lab   func(testing.TB, ...option) *lab
		setup func(*client) *client
		tag   int // bytes that SRTP adds
	}{
		"udp": {newLab, (*client).setupUDP, 0}, "interleaved": {newLab, (*client).setupTCP, 0}, "with feedback": {newLab, avpf, 0},
		"multicast": {newLab, (*client).setupMulticast, 0}, "TCP of its own, 2.0": {newLab, (*client).setupLanes, 0},
		"paced":    {func(t testing.TB, o ...option) *lab { return newLab(t, append(o, chunked)...) }, (*client).setupUDP, 0},
		"udp, 2.0": {newLab, func(c *client) *client { c.version = "2.0"; return c.setupUDP() }, 0},
		"SRTP by udp": {newSecureLab, func(c *client) *client {
			c.describeSRTP(c.lab.url + "?srtp")
			return c.setupSRTP("udp")
		}, 10},
		"SRTP, interleaved": {newSecureLab, func(c *client) *client {
			c.describeSRTP(c.lab.url + "?srtp")
			return c.setupSRTP("tcp")
		}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			l := c.lab(t, counted, multicast())
			l.publish(true, 100)
			v := c.setup(l.dial())
			v.play()
			l.publish(false, 40_000)
			l.publish(false, 1380, 1379)
			v.receive(3)
			v.media.equal(t, l.published[1:])
			st := l.stream.Stats()
			if want := v.media.octets + 20*v.media.packets; st.Bytes != uint64(want) || v.media.largest != 1400 {
				t.Errorf("%d bytes, want %d; the largest packet has %d", st.Bytes, want, v.media.largest)
			}
		})
	}
}

// chunked lets all units go out in chunks.
func chunked(_ *Config, s *StreamConfig) { s.Pacing = PacingOn }

// Packets that are sent again are the same, numbers and all.
func TestNumberedPacketsAreSentAgain(t *testing.T) {
	l := newLab(t, counted)
	c := l.dial().setupAVPF()
	c.play()
	l.keepsAll()
	var packets [4][]byte // of the key unit
	for i := range packets {
		packets[i] = c.datagram(0)
	}
	before := l.stream.Stats()
	c.nack(rtcp.NackPair{PacketID: binary.BigEndian.Uint16(packets[1][2:])})
	if got := c.datagram(0); !bytes.Equal(got, packets[1]) {
		t.Errorf("% x comes instead of % x", got[:20], packets[1][:20])
	}
	if st := l.stream.Stats(); st.Resent != 1 || st.Bytes-before.Bytes != uint64(len(packets[1])) {
		t.Errorf("%+v after %+v", st, before)
	}
}

// Transport-wide feedback of a viewer by UDP is read where numbers are sent.
func TestTransportWideFeedbackIsRead(t *testing.T) {
	eitherWay(t, func(t *testing.T, o option, want uint64) {
		a := newAdaptive(t, rate.Majority, o)
		c := a.dial().setupUDP()
		c.play()
		first := c.receive(1)[0].seq
		f := wideFeedback(c.media.ssrc, first, 7)
		f.tell(true, 3*time.Millisecond)
		c.sendReport(marshal(t, f.packet()))
		c.nothingMore() // what was told is read
		if n := a.stream.Stats().PacketReports; n != want {
			t.Errorf("%d reports were counted, want %d", n, want)
		}
	})
}

// What came late, or waited at the viewer, is told from a queue on the way there.
func TestFarClock(t *testing.T) {
	const day = 24 * time.Hour
	c := farClock{}
	now, theirs := 3*day, rtp.WidePeriod-time.Second
	for i, s := range []struct {
		passes, late, want time.Duration
	}{
		{0, 20 * time.Millisecond, 0},
		{time.Second, 320 * time.Millisecond, 300 * time.Millisecond},
		{time.Second, 20 * time.Millisecond, 0},
		{time.Second, 10 * time.Millisecond, 0},                     // quicker than before
		{time.Second, 20 * time.Millisecond, 10 * time.Millisecond}, // and that counts now
		{time.Minute, 20 * time.Millisecond, 0},                     // for a while: clocks drift
		{20 * day, 20 * time.Millisecond, 0},                        // longer than their clock counts
		{-time.Hour, 20 * time.Millisecond, 0},                      // it was set back
		{time.Second, 120 * time.Millisecond, 100 * time.Millisecond},
		{time.Hour, 120 * time.Millisecond, 0},
	} {
		theirs += s.passes
		if s.passes > 0 {
			now += s.passes
		}
		at := now + s.late
		got := at - c.made(theirs%rtp.WidePeriod, at)
		if off := got - s.want; off > time.Millisecond || off < -time.Millisecond {
			t.Errorf("step %d: told %v late, want %v", i, got, s.want)
		}
	}
}
