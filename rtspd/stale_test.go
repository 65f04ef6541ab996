package rtspd

import (
	"testing"
)

// quietNow wants the server to have asked nothing.
func (c *client) quietNow(when string) {
	c.t.Helper()
	c.must(200, "GET_PARAMETER", c.lab.url, nil, "")
	if len(c.asked) > 0 {
		c.t.Errorf("%s: told %+v", when, c.asked)
		c.asked = nil
	}
}

// toldOnce wants one announcement, and no second one.
func (c *client) toldOnce(when string) {
	c.t.Helper()
	c.checkAnnounce(c.nextRequest(), otherSPS, testPPS)
	c.quietNow(when)
}

// A client whose description is from before a change is told when it sets up.
func TestOldDescriptionIsAnnouncedAtSetup(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		l.publish(true, 100)
		c, fresh, other := l.dial().optIn(), l.dial().optIn(), l.dial()
		for _, c := range []*client{c, fresh, other} {
			c.must(200, "DESCRIBE", l.url, nil, "")
		}
		l.publishWith(otherSPS, testPPS)
		fresh.must(200, "DESCRIBE", l.url, nil, "")
		c.quietNow("without a session")
		setup(c).toldOnce("after SETUP")
		setup(fresh).quietNow("with a new description")
		setup(other).quietNow("who has not opted in")
	})
}

// One that takes requests later is told then, before its first packet.
func TestOldDescriptionIsAnnouncedBeforeThePackets(t *testing.T) {
	for name, late := range map[string]func(c *client) headers{
		"in front of PLAY": func(c *client) headers { c.optIn(); return nil },
		"by PLAY":          func(*client) headers { return optsIn },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.publish(true, 100)
			c := l.dial()
			c.must(200, "DESCRIBE", l.url, nil, "")
			c.setupTCP()
			l.publishWith(otherSPS, testPPS)
			c.quietNow("who has not opted in")
			c.write(c.request("PLAY", l.url, late(c), ""))
			l.awaitWaiting(1)
			c.checkAnnounce(c.nextRequest(), otherSPS, testPPS)
			if len(c.frames) > 0 {
				t.Error("a packet came first")
			}
			l.publishWith(otherSPS, testPPS)
			if r := c.response(); r.status != 200 {
				t.Errorf("PLAY: %d", r.status)
			}
			c.quietNow("after PLAY")
		})
	}
}

// What was described once more is not announced.
func TestDescribedAgain(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	c := l.dial()
	c.must(200, "DESCRIBE", l.url, nil, "")
	c.setupTCP()
	l.publishWith(otherSPS, testPPS)
	c.must(200, "DESCRIBE", l.url, nil, "")
	c.optIn().quietNow("described again")
	l.publish(true, 100) // back again
	c.checkAnnounce(c.nextRequest(), testSPS, testPPS)
}

// A client of 2.0 is told by PLAY_NOTIFY; of several streams, of the right one.
func TestOldDescriptionOfSeveralStreams(t *testing.T) {
	side := NewStream(StreamConfig{Path: "side"})
	l := newLabWith(t, "127.0.0.1:0", []*Stream{side})
	l.publish(true, 100)
	c := l.dial2()
	c.must(200, "DESCRIBE", "rtsp://"+l.addr, supports2, "")
	l.publishWith(otherSPS, testPPS)
	c.must(200, "SETUP", "rtsp://"+l.addr+"/side/trackID=0", headers{"Transport", "RTP/AVP/TCP;unicast;interleaved=2-3"}, "")
	c.must(200, "OPTIONS", "*", nil, "")
	if len(c.asked) > 0 {
		t.Fatalf("told %+v of a stream that has not changed", c.asked)
	}
	c.tcp = true
	c.setup2("RTP/AVP/TCP;unicast;interleaved=0-1").quietNow("after SETUP")
	c.write(c.request("PLAY", l.url, nil, ""))
	l.awaitWaiting(1)
	r := c.nextRequest()
	c.checkNotify(r, "media-properties-update")
	if r.header["mtag"] != l.stream.mtag() || len(c.frames) > 0 {
		t.Errorf("%v, after %d packets", r.header, len(c.frames))
	}
	l.publishWith(otherSPS, testPPS)
	if r := c.response(); r.status != 200 {
		t.Errorf("PLAY: %d", r.status)
	}
	c.quietNow("after PLAY")
}
