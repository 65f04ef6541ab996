package rtspd

import (
	"fmt"
	"strings"
	"testing"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/wire"
)

// rtpInfo reads what PLAY tells of the first packet.
func (c *client) rtpInfo(r response) wire.RTPInfo {
	c.t.Helper()
	infos, err := wire.ParseRTPInfo(r.header["rtp-info"])
	if err != nil || len(infos) != 1 || infos[0].NoSeq || infos[0].NoRTPTime {
		c.t.Fatalf("RTP-Info %q: %v", r.header["rtp-info"], err)
	}
	return infos[0]
}

func TestViewersReceiveWhatWasPublished(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		l.publish(true, 500) // nobody sees it
		c := setup(l.dial())
		r := c.play()
		if len(c.frames) > 0 {
			t.Error("a packet came before the answer to PLAY")
		}
		for i := range 20 {
			switch i % 5 {
			case 0:
				l.publish(true, 60_000)
			case 1:
				l.publish(false, 1)
			case 2:
				l.publish(false, 1388, 1389, 1387) // to the byte: one packet, two, one
			default:
				l.publish(false, 700*i)
			}
		}
		units := c.receive(21)
		c.media.equal(t, l.published[1:])
		info := c.rtpInfo(r)
		if info.Seq != units[0].seq || info.RTPTime != units[0].rtptime || info.URL != c.track() {
			t.Errorf("RTP-Info %v, first packet %d at %d", info, units[0].seq, units[0].rtptime)
		}
		if got, want := fmt.Sprintf("ssrc=%08X", c.media.ssrc), c.setUp.header["transport"]; !strings.Contains(want, got) {
			t.Errorf("%s, and SETUP said %s", got, want)
		}
		if r.header["range"] != "npt=now-" || r.header["session"] != c.session+";timeout=60" {
			t.Errorf("Range %q, Session %q", r.header["range"], r.header["session"])
		}
		st := l.stream.Stats()
		if st.Viewers != 1 || st.Units != 22 || st.Packets != uint64(c.media.packets) ||
			st.Bytes != uint64(c.media.octets+12*c.media.packets) || st.Refused != 0 || !st.HasLatency {
			t.Errorf("%+v, and %d packets came", st, c.media.packets)
		}
	})
}

// All viewers see the same packets.
func TestManyViewers(t *testing.T) {
	l := newLab(t)
	var all []*client
	for i := range 12 {
		c := l.dial()
		if i%2 == 0 {
			c.setupUDP()
		} else {
			c.setupTCP()
		}
		c.write(c.request("PLAY", l.url, nil, ""))
		all = append(all, c)
	}
	l.awaitWaiting(len(all))
	for i := range 30 {
		l.publish(i%10 == 0, 4000+i)
	}
	var first wire.RTPInfo
	for i, c := range all {
		r := c.response()
		if info := c.rtpInfo(r); i == 0 {
			first = info
		} else if info.Seq != first.Seq || info.RTPTime != first.RTPTime {
			t.Errorf("viewer %d begins at %v, not at %v", i, info, first)
		}
		c.receive(30)
		c.media.equal(t, l.published)
		if c.media.ssrc != all[0].media.ssrc {
			t.Errorf("SSRC %08X and %08X", c.media.ssrc, all[0].media.ssrc)
		}
	}
	st := l.stream.Stats()
	if st.Viewers != 12 || st.Packets != uint64(12*all[0].media.packets) {
		t.Errorf("%+v", st)
	}
}

// Bytes are copied once for each channel in use, whatever the number of
// viewers, and not at all for viewers by UDP; runs of packets leave in one call.
func TestCostOfViewers(t *testing.T) {
	l := newLab(t)
	udp := l.dial().setupUDP()
	udp.play()
	l.publish(false, 40_000)
	udp.receive(2)
	if st := l.stream.Stats(); st.Copied != 0 || st.Segmented == 0 {
		t.Errorf("by UDP: %+v", st)
	}
	for _, transport := range []string{"interleaved=0-1", "interleaved=0-1", "interleaved=6-7"} {
		c := l.dial().setup("RTP/AVP/TCP;" + transport)
		c.tcp = true
		c.play()
	}
	before, packets := l.stream.Stats(), udp.media.packets
	l.publish(false, 40_000)
	udp.receive(6)
	after := l.stream.Stats()
	framed := uint64(40_000 - 1) // the first byte of a NAL unit is in the headers of its fragments
	last := (40_000 - 1 + 1385) / 1386
	framed += uint64(last * (4 + 12 + 2))
	if got := after.Copied - before.Copied; got != 2*framed {
		t.Errorf("%d bytes copied for two channels, not 2 times %d", got, framed)
	}
	if udp.media.packets == packets {
		t.Error("nothing arrived")
	}
}

func TestPacketsKeepTheMTU(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t, func(_ *Config, s *StreamConfig) { s.MTU = 500 })
		c := setup(l.dial())
		c.play()
		l.publish(false, 10_000)
		c.receive(2)
		c.media.equal(t, l.published)
		if c.media.packets < 13_000/500 {
			t.Errorf("%d packets", c.media.packets)
		}
	})
}

func TestUnitsWithoutPacketsDoNoHarm(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.write(c.request("PLAY", l.url, nil, ""))
		l.awaitWaiting(1)
		for _, nalus := range [][][]byte{nil, {nil}, {{}, {}}} {
			u := l.unit(true)
			u.nalus = nalus
			l.stream.Publish(u)
		}
		kept := len(l.published)
		l.publish(true, 100)
		r := c.response()
		units := c.receive(1)
		if info := c.rtpInfo(r); info.Seq != units[0].seq || info.RTPTime != units[0].rtptime {
			t.Errorf("RTP-Info %v, first packet %d at %d", info, units[0].seq, units[0].rtptime)
		}
		c.media.equal(t, l.published[kept:])
	})
}

func TestViewerByIPv6(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLabOn(t, "[::1]:0")
		c := setup(l.dial())
		c.play()
		c.receive(1)
		c.media.equal(t, l.published)
	})
}

// The numbers go on past 65535.
func TestSequenceWraps(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		l.stream.packetizer = rtp.NewPacketizer(payloadType, 1, 65_500, 0)
		c := setup(l.dial())
		r := c.play()
		for range 10 {
			l.publish(false, 10_000)
		}
		c.receive(11)
		c.media.equal(t, l.published)
		if info := c.rtpInfo(r); info.Seq != 65_500 || c.media.next > 1000 {
			t.Errorf("from %d to %d", info.Seq, c.media.next)
		}
	})
}

// Two streams of one server are apart, also in one connection.
func TestTwoStreams(t *testing.T) {
	l := newLabWith(t, "127.0.0.1:0", []*Stream{NewStream(StreamConfig{Path: "live/small"})})
	c := l.dial().setupTCP()
	first := c.session
	c.session = ""
	r := c.must(200, "SETUP", "rtsp://camera/live/small/trackID=0", headers{"Transport", "RTP/AVP/TCP;interleaved=2-3"}, "")
	second, _, _ := strings.Cut(r.header["session"], ";")
	c.session = second
	c.must(454, "PLAY", l.url, nil, "")
	c.must(459, "SETUP", c.track(), headers{"Transport", "RTP/AVP/TCP;interleaved=2-3"}, "")
	c.must(200, "OPTIONS", "rtsp://camera/live/small", nil, "")
	c.session = first
	c.play()
	c.receive(1)
	c.media.equal(t, l.published)
	c.session = second
	c.must(200, "TEARDOWN", "rtsp://camera/live/small", nil, "")
	if n := len(l.sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
}
