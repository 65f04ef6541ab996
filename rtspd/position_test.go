package rtspd

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

func TestRangesOfALiveStream(t *testing.T) {
	now := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	for asked, want := range map[string]string{
		"npt=now-":                     "npt=now-",
		"npt=0-":                       "npt=now-",
		"npt=0.000-":                   "npt=now-",
		"npt=0-10":                     "npt=now-", // the end is not kept
		"npt=-10":                      "npt=now-",
		"npt=0-;time=20261122T010203Z": "npt=now-",
		"clock=20261122T010203Z-":      "clock=20261122T010203Z-",
		"clock=20261122T010204Z-":      "clock=20261122T010203Z-",
		"clock=20010101T000000Z-20990101T000000Z": "clock=20261122T010203Z-",
		"clock=20261122T010205Z-":                 "",
		"npt=0-;time=20261122T010205Z":            "",
		"npt=5-":                                  "",
		"smpte=0:00:00-":                          "",
	} {
		rng, err := wire.ParseRange(asked)
		if err != nil {
			t.Fatal(err)
		}
		if ok := live(rng, now); ok != (want != "") {
			t.Errorf("%s: %v", asked, ok)
		} else if got := rangeInForce(asked, now); ok && got != want {
			t.Errorf("%s: in force is %s, not %s", asked, got, want)
		}
	}
	if got := rangeInForce("", now); got != "npt=now-" {
		t.Errorf("without a range: %s", got)
	}
}

func TestPlayTellsWhatIsInForce(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	if r := c.play(); r.header["scale"] != "" || r.header["speed"] != "" {
		t.Errorf("nobody asked: %v", r.header)
	}
	r := c.must(200, "PLAY", l.url, headers{"Scale", "2", "Speed", "0.5", "Range", "clock=20260101T000000Z-"}, "")
	if r.header["scale"] != "1.0" || r.header["speed"] != "1.0" || !strings.HasPrefix(r.header["range"], "clock=2") {
		t.Errorf("%v", r.header)
	}
	c.must(200, "PAUSE", l.url, headers{"Range", "npt=now-"}, "")
	c.write(c.request("PLAY", l.url, headers{"Scale", "-1.0", "Range", "clock=20260101T000000Z-"}, ""))
	l.awaitWaiting(1)
	l.publish(true, 100)
	if r = c.response(); r.header["scale"] != "1.0" || r.header["speed"] != "" || !strings.HasPrefix(r.header["range"], "clock=2") || r.header["rtp-info"] == "" {
		t.Errorf("%v", r.header)
	}
}

// What is refused leaves the session as it was.
func TestRefusedPositions(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	c.play()
	c.must(457, "PAUSE", l.url, headers{"Range", "npt=20-"}, "")
	c.must(457, "PLAY", l.url, headers{"Range", "npt=20-"}, "")
	for _, h := range []headers{{"Scale", "fast"}, {"Speed", "1,5"}, {"Scale", "NaN"}, {"Speed", "inf"}} {
		c.must(400, "PLAY", l.url, h, "")
	}
	if playing, _ := l.viewers(); playing != 1 {
		t.Errorf("%d play", playing)
	}
}

// A queue of PLAYs is played at once, as one.
func TestQueuedPlays(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		var queue []byte
		for range 3 {
			queue = append(queue, c.request("PLAY", l.url, headers{"Range", "npt=0-5"}, "")...)
		}
		c.write(queue)
		l.awaitWaiting(1)
		l.publish(true, 100)
		for i := range 3 {
			if r := c.response(); r.status != 200 || r.header["range"] != "npt=now-" || (i == 0) != (r.header["rtp-info"] != "") {
				t.Errorf("PLAY %d: %d %v", i, r.status, r.header)
			}
		}
		l.publish(false, 100)
		c.receive(2)
		c.media.equal(t, l.published)
	})
}

// Public lists the methods that can be used, and no other.
func TestPublicIsTrue(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.Limits.SessionsPerAddress = 1000 })
	t.Cleanup(publishing(l))
	for _, target := range []string{l.url, l.url + "/trackID=0", "rtsp://" + l.addr} {
		for _, version := range []string{"1.0", "2.0"} {
			dial := func() *client {
				c := l.dial()
				c.version = version
				return c
			}
			listed := wire.List(dial().must(200, "OPTIONS", target, nil, "").header["public"])
			if len(listed) < 8 {
				t.Errorf("%s: %v", target, listed)
			}
			for _, method := range append(listed, "ANNOUNCE", "RECORD", "REDIRECT", "PLAY_NOTIFY", "DANCE") {
				c := dial().setupUDP()
				r := c.do(method, target, headers{"Transport", "RTP/AVP/TCP;interleaved=0-1"}, "")
				refused := r.status == 405 || r.status == 501
				if in := slices.Contains(listed, method); in == refused {
					t.Errorf("RTSP/%s, %s %s: %d, and Public says %v", version, method, target, r.status, listed)
				}
				c.close()
			}
		}
	}
}

func TestTeardownOfTheTrack(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		c.receive(1)
		c.must(200, "TEARDOWN", c.track(), nil, "")
		c.senderReport()
		c.bye(c.media.ssrc)
		c.must(454, "TEARDOWN", l.url, nil, "")
		if len(l.sessions()) != 0 {
			t.Error("the session of the last track goes on")
		}
	})
}

func TestModes(t *testing.T) {
	for mode, want := range map[string]bool{
		"": true, "PLAY": true, "play": true, "PLAY,RECORD": true, "RECORD, play": true, "RECORD": false, "DISPLAY": false, "PLAYBACK": false,
	} {
		if got := watches(mode); got != want {
			t.Errorf("mode=%s: %v", mode, got)
		}
	}
}
