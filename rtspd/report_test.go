package rtspd

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/rtp"
)

func marshal(t testing.TB, packets ...rtcp.Packet) []byte {
	t.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compound reads the next RTCP packet, which must be compound (RFC 3550 6.1).
func (c *client) compound() []rtcp.Packet {
	c.t.Helper()
	packets, err := rtcp.Unmarshal(c.report())
	if err != nil {
		c.t.Fatal(err)
	}
	if err := rtcp.CompoundPacket(packets).Validate(); err != nil {
		c.t.Fatalf("%v: %v", packets, err)
	}
	return packets
}

// senderReport reads the next RTCP packet, which must be one.
func (c *client) senderReport() (sr *rtcp.SenderReport, cname string) {
	c.t.Helper()
	packets := c.compound()
	sr, ok := packets[0].(*rtcp.SenderReport)
	if !ok {
		c.t.Fatalf("no sender report: %v", packets)
	}
	sdes, ok := packets[1].(*rtcp.SourceDescription)
	if !ok || len(sdes.Chunks) != 1 || sdes.Chunks[0].Source != sr.SSRC || sdes.Chunks[0].Items[0].Type != rtcp.SDESCNAME {
		c.t.Fatalf("no CNAME: %v", packets)
	}
	return sr, sdes.Chunks[0].Items[0].Text
}

// bye reads the next RTCP packet, which must be one.
func (c *client) bye(ssrc uint32) {
	c.t.Helper()
	packets := c.compound()
	bye, ok := packets[len(packets)-1].(*rtcp.Goodbye)
	if !ok || len(bye.Sources) != 1 || bye.Sources[0] != ssrc {
		c.t.Errorf("no BYE: %v", packets)
	}
}

func TestSenderReports(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		l.stream.mu.Lock()
		if l.stream.viewers[0].reported == 0 {
			t.Error("no report with the first unit")
		}
		l.stream.mu.Unlock()
		c.receive(1)
		first, cname := c.senderReport()
		if first.SSRC != c.media.ssrc || int(first.PacketCount) != c.media.packets || int(first.OctetCount) != c.media.octets {
			t.Errorf("%+v after %d packets of %d bytes", first, c.media.packets, c.media.octets)
		}
		if cname == "" || cname != l.stream.cname {
			t.Errorf("CNAME %q", cname)
		}
		l.publish(false, 5000)
		c.receive(2)
		l.stream.mu.Lock()
		reported := l.stream.viewers[0].reported
		l.stream.mu.Unlock()
		wall := time.Date(2026, 11, 22, 1, 2, 3, 500_000_000, time.UTC)
		l.stream.report(reported+reportInterval-1, wall) // too early
		l.stream.report(reported+reportInterval, wall.Add(time.Second))
		l.stream.report(reported+2*reportInterval-1, wall) // too early
		second, again := c.senderReport()
		if again != cname {
			t.Errorf("CNAME %q after %q", again, cname)
		}
		if want := l.stream.clock.RTP(reported + reportInterval); second.RTPTime != want {
			t.Errorf("RTP time %d instead of %d", second.RTPTime, want)
		}
		if want := uint64(wall.Unix()+1+2208988800)<<32 | 1<<31; second.NTPTime != want {
			t.Errorf("NTP time %x instead of %x", second.NTPTime, want)
		}
		if int(second.PacketCount) != c.media.packets || int(second.OctetCount) != c.media.octets {
			t.Errorf("%+v after %d packets of %d bytes", second, c.media.packets, c.media.octets)
		}
	})
}

// What the reports say of the clocks leads from a packet's RTP time to the
// instant of its capture.
func TestSenderReportsTellTheTimeOfCapture(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	c.play()
	unit := c.receive(1)[0]
	sr, _ := c.senderReport()
	now, wall := monotonic(), time.Now()
	captured := wall.Add(l.published[0].at - now)
	seconds := int64(sr.NTPTime>>32) - 2208988800
	at := time.Unix(seconds, int64(sr.NTPTime&0xffffffff*1e9>>32))
	told := at.Add(time.Duration(int32(unit.rtptime-sr.RTPTime)) * time.Second / 90000)
	if d := told.Sub(captured).Abs(); d > time.Second { // only the distance of two readings of clocks
		t.Errorf("captured at %v, and the report says %v", captured, told)
	}
}

func TestNoReportBeforeTheFirstPacket(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupTCP()
	c.write(c.request("PLAY", l.url, nil, ""))
	l.awaitWaiting(1)
	l.sweepLater(time.Minute / 2)
	l.publish(true, 100)
	c.response()
	c.receive(1)
	if len(c.reports) != 0 {
		t.Error("a report before the first packet")
	}
	c.senderReport()
}

func TestTeardownSaysBye(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		c.receive(1)
		c.senderReport()
		r := c.must(200, "TEARDOWN", l.url, nil, "")
		if r.header["session"] != c.session+";timeout=60" {
			t.Errorf("Session %q", r.header["session"])
		}
		c.bye(c.media.ssrc)
		l.publish(true, 100)
		c.must(454, "PLAY", l.url, nil, "")
		if len(c.frames) > 0 || !c.tcp && !c.silent(0) {
			t.Error("packets after TEARDOWN")
		}
	})
}

func TestTeardownOfAPausedSessionSaysBye(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		c.receive(1)
		c.senderReport()
		c.must(200, "PAUSE", l.url, nil, "")
		c.must(200, "TEARDOWN", l.url, nil, "")
		c.bye(c.media.ssrc)
	})
}

// Who never sent a packet says no BYE (RFC 3550 6.3.7).
func TestTeardownWithoutAPacket(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupTCP()
	c.must(200, "TEARDOWN", c.track(), nil, "")
	if len(c.frames) > 0 || len(l.sessions()) > 0 {
		t.Errorf("%d frames, %d sessions", len(c.frames), len(l.sessions()))
	}
}

func (c *client) receiverReport(lost uint32, highest uint32, jitter uint32) []byte {
	return marshal(c.t, &rtcp.ReceiverReport{SSRC: 7, Reports: []rtcp.ReceptionReport{{
		SSRC: c.media.ssrc, TotalLost: lost, LastSequenceNumber: highest, Jitter: jitter,
	}}})
}

func TestReceiverReports(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		for range 4 {
			l.publish(false, 10_000)
		}
		first := uint32(c.receive(5)[0].seq)
		sent := uint32(c.media.packets)
		for _, r := range []struct {
			lost, expected, jitter uint32
			received, sum          uint64
		}{
			{0, 10, 90, 10, 0},
			{2, 20, 180, 18, 2},
			{2, 20, 180, 18, 2},       // the same again
			{0xffffff, 20, 90, 21, 2}, // -1: a duplicate came
			{2, 4_000_000_000 - first, 9000, uint64(c.media.packets), 2}, // more than was sent
			{3, sent, 45, uint64(c.media.packets), 3},                    // not less than before
			{3, 0, 45, uint64(c.media.packets), 3},                       // nor if it takes all back
		} {
			c.sendReport(c.receiverReport(r.lost, first+r.expected-1, r.jitter))
			jitter := time.Duration(r.jitter) * time.Second / 90000
			await(t, "the report is read", func() bool {
				st := l.stream.Stats()
				return st.Received == r.received && st.Lost == r.sum && st.Jitter == jitter
			})
		}
		c.must(200, "TEARDOWN", l.url, nil, "")
		if st := l.stream.Stats(); st.Received != uint64(sent) || st.Lost != 3 || st.Jitter != 0 || st.Viewers != 0 {
			t.Errorf("after the viewer has left: %+v", st)
		}
	})
}

// A pause in which others go on watching does not count twice.
func TestReceiverReportsAfterAPause(t *testing.T) {
	s := NewStream(StreamConfig{})
	v := &viewer{packets: 100, firstSeq: 65_530}
	s.heard(v, rtp.Reception{Highest: 65_536 + 3})
	s.remove(v, false)
	s.heard(v, rtp.Reception{Highest: 65_536 + 63, Lost: 50})
	if st := s.Stats(); st.Received != 20 || st.Lost != 50 {
		t.Errorf("%+v", st)
	}
}

func TestForeignReportsAreIgnored(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	c.play()
	c.receive(1)
	other := *c
	other.media.ssrc++
	c.sendReport(other.receiverReport(5, 10, 0))
	c.sendReport([]byte{1, 2, 3})
	c.sendReport(nil)
	stranger := l.dial().setupUDP()
	stranger.must(200, "TEARDOWN", l.url, nil, "")
	stranger.media.ssrc = c.media.ssrc
	stranger.sendReport(stranger.receiverReport(5, 10, 0))
	l.forgetAsking()
	c.sendReport(marshal(t, &rtcp.PictureLossIndication{MediaSSRC: c.media.ssrc})) // everything before was read when this was
	await(t, "the last report is read", func() bool { return l.asked.Load() == 2 })
	if st := l.stream.Stats(); st.Received != 0 || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

func TestViewerSaysBye(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		c.receive(1)
		c.sendReport(marshal(t, &rtcp.ReceiverReport{SSRC: 7}, &rtcp.Goodbye{Sources: []uint32{7}}))
		await(t, "the session ends", func() bool { return len(l.sessions()) == 0 })
		c.must(454, "PAUSE", l.url, nil, "")
	})
}
