package rtspd

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// checkNotify wants a PLAY_NOTIFY of the client's session.
func (c *client) checkNotify(r response, reason string) {
	c.t.Helper()
	if r.method != "PLAY_NOTIFY" || r.version != "2.0" || r.url != c.lab.url {
		c.t.Fatalf("not the notification expected: %+v", r)
	}
	if r.header["notify-reason"] != reason || r.header["session"] != c.session {
		c.t.Errorf("%v", r.header)
	}
	if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 GMT", r.header["date"]); err != nil {
		c.t.Error(err)
	}
}

// supports2 is how a client of 2.0 says that it takes requests.
var supports2 = headers{"Supported", "play.basic"}

// A change reaches a client of 2.0 as PLAY_NOTIFY, before the first packet that
// needs the new parameter sets, however slowly the client reads.
func TestNotifyPrecedesThePackets(t *testing.T) {
	for name, behind := range map[string]int{"prompt": 0, "slow": 20} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.publish(true, 100)
			c := l.dial2()
			c.tcp = true
			before := c.must(200, "DESCRIBE", l.url, supports2, "").header["mtag"]
			c.setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
			c.play2()
			for range behind {
				l.publish(false, 60_000)
			}
			l.publishWith(otherSPS, testPPS)
			r := c.nextRequest()
			c.checkNotify(r, "media-properties-update")
			checkNow(t, l, "Media-Range", r.header["media-range"], "npt", "clock")
			if r.header["media-properties"] != liveProperties || r.header["mtag"] == before || r.header["mtag"] == "" {
				t.Errorf("%v", r.header)
			}
			checkNow(t, l, "Range", r.header["range"], "npt")
			if r.body != "" { // RFC 7826 13.5.2
				t.Errorf("a body: %s", r.body)
			}
			for _, f := range c.frames {
				if f.channel == 0 && bytes.Contains(f.data, otherSPS) {
					t.Fatal("a packet came first")
				}
			}
			c.frames = nil
			for !bytes.Contains(c.nextPacket(), otherSPS) {
				continue
			}
			seen := l.srv.session(c.session).seen.Load()
			c.answer(r, 200, headers{"Session", c.session}, "")
			if r := c.must(200, "DESCRIBE", l.url, nil, ""); !strings.Contains(r.body, base64.StdEncoding.EncodeToString(otherSPS)) {
				t.Errorf("not the new description: %s", r.body)
			}
			await(t, "the answer is a sign of life", func() bool { return l.srv.session(c.session).seen.Load() > seen })
		})
	}
}

// While it plays, a client of 2.0 is told every five minutes how far the stream is.
func TestNotifiedNowAndThen(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.SessionTimeout = time.Hour })
	l.publish(true, 100)
	c := l.dial2()
	c.tcp = true
	c.must(200, "OPTIONS", "*", supports2, "")
	c.setup2(interleavedOffer)
	quiet := func(after time.Duration) {
		t.Helper()
		l.sweepLater(after)
		c.must(200, "OPTIONS", "*", nil, "")
		for _, r := range c.asked {
			if r.method == "PLAY_NOTIFY" {
				t.Errorf("after %v: %+v", after, r)
			}
		}
		c.asked = nil
	}
	quiet(updateInterval) // it does not play
	c.play2()
	quiet(0)
	quiet(updateInterval - time.Second)
	for i := range time.Duration(2) {
		l.sweepLater((i + 1) * (updateInterval + time.Second))
		r := c.nextRequest()
		for r.method == "GET_PARAMETER" {
			r = c.nextRequest()
		}
		c.checkNotify(r, "media-properties-update")
		quiet((i + 1) * (updateInterval + time.Second))
	}
}

// Who speaks 2.0 and does not say that it takes requests gets none, nor does one
// of 1.0 that lists the feature tags of 2.0.
func TestNoNotifyWithoutAsking(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	two, one := l.dial2().setup2("RTP/AVP/TCP;unicast;interleaved=0-1"), l.dial()
	two.tcp = true
	one.must(200, "OPTIONS", "*", supports2, "")
	one.setupTCP()
	two.must(200, "OPTIONS", "*", headers{"Require", "play.basic"}, "") // of the server, not of the client
	two.play2()
	one.play()
	ready := l.dial2() // notifications are for who plays, RFC 7826 13.5
	ready.must(200, "OPTIONS", "*", supports2, "")
	ready.setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
	l.publishWith(otherSPS, testPPS)
	for _, c := range []*client{one, two, ready} {
		c.must(200, "OPTIONS", "*", nil, "")
		if len(c.asked) != 0 {
			t.Errorf("RTSP/%s was asked %+v", c.version, c.asked)
		}
	}
}

// checkTeardown wants the server's TEARDOWN of the client's session.
func (c *client) checkTeardown(r response) {
	c.t.Helper()
	if r.method != "TEARDOWN" || r.version != "2.0" || r.url != c.lab.url || r.header["session"] != c.session || r.header["terminate-reason"] != "Server-Admin" {
		c.t.Errorf("%+v", r)
	}
}

// The stop of the server is told as the end of the stream, of the PLAY in force
// and in its unit, and of the session.
func TestEndOfStream(t *testing.T) {
	for _, unit := range []string{"npt", "clock"} {
		t.Run(unit, func(t *testing.T) { testEndOfStream(t, unit) })
	}
}

func testEndOfStream(t *testing.T, unit string) {
	l := newLab(t)
	l.publish(true, 100)
	c := l.dial2()
	c.tcp = true
	c.must(200, "OPTIONS", "*", supports2, "")
	c.setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
	asked := "npt=now-"
	if unit == "clock" {
		asked = "clock=20200101T000000Z-"
	}
	info := c.rtpInfo2(c.play2("Range", asked).header["rtp-info"])
	play := c.cseq
	c.must(200, "GET_PARAMETER", l.url, nil, "")
	l.publish(false, 5000)
	last := c.receive(2)
	idle := l.dial2() // set up, but not playing
	idle.must(200, "OPTIONS", "*", supports2, "")
	idle.setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
	l.stop()

	r := c.nextRequest()
	c.checkNotify(r, "end-of-stream")
	if want := "cseq=" + strconv.Itoa(play) + ` status=200 reason="OK"`; r.header["request-status"] != want {
		t.Errorf("Request-Status: %s, want %s", r.header["request-status"], want)
	}
	rng, err := wire.ParseRange(r.header["range"])
	if err != nil || rng.Start.Set || !rng.End.Set || rng.Unit != unit {
		t.Errorf("Range: %s, %v", r.header["range"], err)
	}
	if end := c.rtpInfo2(r.header["rtp-info"]); end.Seq != c.media.next-1 || end.Seq == info.Seq || last[1].seq == info.Seq {
		t.Errorf("the last packet is %d, not %d", end.Seq, c.media.next-1)
	}
	c.checkTeardown(c.nextRequest())
	idle.checkTeardown(idle.nextRequest())
	for _, c := range []*client{c, idle} {
		if r, _, err := c.read(); err == nil {
			t.Errorf("and then %+v", r)
		}
	}
}

// A REDIRECT is of the session's version.
func TestRedirect2(t *testing.T) {
	l := newLab(t)
	c := l.dial2()
	c.must(200, "OPTIONS", "*", supports2, "")
	c.setup2("RTP/AVP/TCP;unicast;interleaved=0-1")
	go l.srv.Direct(Directions{DrainTo: "rtsp://other.example/main"})
	r := c.nextRequest()
	if r.method != "REDIRECT" || r.version != "2.0" || r.header["location"] != "rtsp://other.example/main" || r.header["session"] != c.session || r.header["terminate-reason"] != "Server-Admin" {
		t.Fatalf("%+v", r)
	}
	c.answer(r, 200, nil, "")
	c.must(200, "TEARDOWN", l.url, nil, "")
	c.session = ""
	if r := c.must(302, "DESCRIBE", l.url, nil, ""); r.header["location"] != "rtsp://other.example/main" || r.version != "2.0" {
		t.Errorf("%+v", r)
	}
}

// The bare address is that of the stream in 2.0 too; several streams have no tag
// in common, and none that could be mistaken for that of one.
func TestBareAddress2(t *testing.T) {
	l := newLabWith(t, "127.0.0.1:0", nil)
	l.publish(true, 100)
	url := "rtsp://" + l.addr
	c := l.dial2()
	c.tcp = true
	if tag := c.must(200, "DESCRIBE", url, nil, "").header["mtag"]; tag != l.stream.mtag() {
		t.Errorf("MTag: %s", tag)
	}
	c.setup2(interleavedOffer)
	c.write(c.request("PLAY", url, nil, ""))
	l.awaitWaiting(1)
	l.publish(true, 100)
	if r := c.response(); r.status != 200 || c.rtpInfo2(r.header["rtp-info"]).Seq != c.receive(1)[0].seq {
		t.Errorf("%+v", r)
	}
}

func TestSeveralStreamsHaveNoTag(t *testing.T) {
	other := NewStream(StreamConfig{Path: "other"})
	l := newLabWith(t, "127.0.0.1:0", []*Stream{other})
	l.publish(true, 100)
	c := l.dial2()
	if r := c.must(200, "DESCRIBE", "rtsp://"+l.addr, headers{"If-None-Match", "*"}, ""); r.header["mtag"] != "" {
		t.Errorf("MTag: %s", r.header["mtag"])
	}
	if r := c.must(200, "DESCRIBE", l.url, nil, ""); r.header["mtag"] != l.stream.mtag() {
		t.Errorf("MTag: %s", r.header["mtag"])
	}
	c.setup2(interleavedOffer) // what is asked of a session is told of its stream, whatever the URL
	c.tcp = true
	c.play2()
	r := c.must(200, "GET_PARAMETER", "rtsp://"+l.addr+"/other", headers{"RTP-Info", ""}, "")
	c.rtpInfo2(r.header["rtp-info"])
}
