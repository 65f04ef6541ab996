package rtspd

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestViewerBeginsWithAKeyFrame(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.write(c.request("PLAY", l.url, nil, ""))
		l.awaitWaiting(1)
		for range 5 {
			l.publish(false, 2000)
		}
		key := len(l.published)
		l.publish(true, 2000)
		l.publish(false, 2000)
		if r := c.response(); r.status != 200 {
			t.Fatalf("%d", r.status)
		}
		c.receive(2)
		c.media.equal(t, l.published[key:])
	})
}

// Without a key frame PLAY is answered all the same, later and without telling
// the first packet; the viewer begins when the key frame comes.
func TestPlayWithoutAKeyFrame(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		r := c.must(200, "PLAY", l.url, nil, "")
		if _, told := r.header["rtp-info"]; told {
			t.Errorf("RTP-Info %q without a packet", r.header["rtp-info"])
		}
		c.must(200, "OPTIONS", "*", nil, "") // one answer, not two
		l.publish(true, 2000)
		c.receive(1)
		c.media.equal(t, l.published)
		c.must(200, "GET_PARAMETER", l.url, nil, "")
	})
}

func TestKeyFrameIsAskedForAtPlay(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	if n := l.asked.Load(); n != 0 {
		t.Fatalf("asked %d times before PLAY", n)
	}
	c.write(c.request("PLAY", l.url, nil, ""))
	l.awaitWaiting(1)
	if n := l.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	l.publish(true, 100)
	c.response()
}

func TestJoinersShareOneKeyFrame(t *testing.T) {
	l := newLab(t)
	var all []*client
	for range 8 {
		all = append(all, l.dial().setupTCP())
	}
	l.stream.mu.Lock()
	l.stream.asked = monotonic() + time.Hour // a key frame was asked for just now, and stays so
	l.stream.mu.Unlock()
	for _, c := range all {
		c.write(c.request("PLAY", l.url, nil, ""))
	}
	l.awaitWaiting(len(all))
	l.publish(false, 100)
	if n := l.asked.Load(); n != 0 {
		t.Errorf("asked %d times more", n)
	}
	l.forgetAsking()
	l.publish(false, 100) // they still wait: now it is asked again, once for all
	l.publish(false, 100)
	if n := l.asked.Load(); n != 1 {
		t.Errorf("asked %d times, not once", n)
	}
	l.publish(true, 100)
	l.forgetAsking()
	l.publish(false, 100) // nobody waits
	if n := l.asked.Load(); n != 1 {
		t.Errorf("asked %d times though nobody waits", n)
	}
	if n := l.stream.Stats().KeyFramesWanted; n != 1 {
		t.Errorf("KeyFramesWanted %d", n)
	}
	for _, c := range all {
		c.response()
	}
}

// PLAY is answered by the publisher or by who gives up waiting, never by both.
func TestAbandon(t *testing.T) {
	s := NewStream(StreamConfig{})
	v, begun := &viewer{}, 0
	s.join(v, func(uint16, uint32) { begun++ })
	if !s.abandon(v) || s.abandon(v) {
		t.Error("taken back twice, or not at all")
	}
	if v.start(1, 2); begun != 0 || v.waiting || v.firstSeq != 1 {
		t.Errorf("called %d times after it was taken back: %+v", begun, v)
	}
	s.join(v, func(uint16, uint32) { begun++ })
	v.start(3, 4)
	v.start(5, 6)
	if s.abandon(v) || begun != 1 {
		t.Errorf("called %d times, and taken back afterwards", begun)
	}
	if len(s.viewers) != 1 {
		t.Errorf("%d viewers", len(s.viewers))
	}
}

// keyFrameShare to the nanosecond.
func TestKeyFramesAreAskedForAtIntervals(t *testing.T) {
	var asked int
	s := NewStream(StreamConfig{KeyFrame: func() { asked++ }})
	at := time.Duration(0)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {0, 1}, {299 * time.Millisecond, 1}, {time.Millisecond - 1, 1}, {1, 2}, {299 * time.Millisecond, 2}, {time.Hour, 3}} {
		at += c.after
		s.askKeyFrame(at)
		if asked != c.want {
			t.Errorf("at %v asked %d times, not %d", at, asked, c.want)
		}
	}
	NewStream(StreamConfig{}).askKeyFrame(0) // nobody to ask
}

func TestPictureLossBringsAKeyFrame(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		c.receive(1)
		for i, p := range []rtcp.Packet{
			&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: c.media.ssrc},
			&rtcp.FullIntraRequest{SenderSSRC: 1, MediaSSRC: c.media.ssrc, FIR: []rtcp.FIREntry{{SSRC: c.media.ssrc}}},
		} {
			l.forgetAsking()
			c.sendReport(marshal(t, p))
			await(t, "a key frame is asked for", func() bool { return l.asked.Load() == int32(i+2) })
		}
	})
}

func TestPauseStopsAndPlayGoesOnWithAKeyFrame(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		l.publish(false, 1000)
		c.receive(2)
		c.must(200, "PAUSE", l.url, nil, "")
		c.takeFrames()
		for range 5 {
			l.publish(true, 1000)
		}
		c.must(200, "PAUSE", l.url, nil, "") // again changes nothing
		if c.tcp && len(c.frames) > 0 || !c.tcp && !c.silent(0) {
			t.Error("packets after the answer to PAUSE")
		}
		c.write(c.request("PLAY", l.url, nil, ""))
		l.awaitWaiting(1)
		l.publish(false, 1000)
		resumed := len(l.published)
		l.publish(true, 1000)
		l.publish(false, 1000)
		r := c.response()
		c.media.gaps = true // what others saw meanwhile
		units := c.receive(4)
		if info := c.rtpInfo(r); info.Seq != units[2].seq || info.RTPTime != units[2].rtptime {
			t.Errorf("RTP-Info %v, first packet %d at %d", info, units[2].seq, units[2].rtptime)
		}
		want := uint32((l.published[resumed].at - l.published[1].at) * 90000 / time.Second)
		if got := units[2].rtptime - units[1].rtptime; got < want || got > want+1 {
			t.Errorf("the time went on by %d, not %d", got, want)
		}
		c.media.units = units[2:]
		c.media.equal(t, l.published[resumed:])
	})
}

// A session may change its transport while it is paused.
func TestAnotherTransport(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	c.play()
	c.receive(1)
	old := c.session
	c.must(200, "PAUSE", l.url, nil, "")
	c.setupTCP()
	if c.session != old {
		t.Errorf("session %s became %s", old, c.session)
	}
	if n := l.rtcpAddresses(); n != 0 {
		t.Errorf("%d RTCP addresses are known", n)
	}
	c.play()
	c.receive(2)
	c.media.equal(t, l.published)
	if !c.silent(0) {
		t.Error("packets by UDP")
	}
}

// The session of one connection can be used in another, but for the packets
// that only its own can carry.
func TestSessionInAnotherConnection(t *testing.T) {
	l := newLab(t)
	c, other := l.dial().setupTCP(), l.dial()
	other.session = c.session
	other.must(455, "PLAY", l.url, nil, "")
	other.must(200, "PAUSE", l.url, nil, "")
	c.play()
	other.must(200, "PAUSE", l.url, nil, "")
	if playing, _ := l.viewers(); playing != 0 {
		t.Errorf("%d play", playing)
	}
	other.setupTCP() // it moves
	c.close()
	other.play()
	other.receive(1)
	other.media.equal(t, l.published[1:])
	if n := len(l.sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
}
