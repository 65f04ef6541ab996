package rtspd

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"
)

// otherSPS is one of another picture size.
var otherSPS = []byte{0x67, 0x42, 0xc0, 0x1e, 0x95, 0xa0, 0x50, 0x7c, 0x84, 0x00}

// publishWith publishes a key unit with these parameter sets in front.
func (l *lab) publishWith(sets ...[]byte) {
	u := l.unit(true, 100)
	u.nalus = append(append([][]byte{}, sets...), u.nalus[2:]...)
	l.stream.Publish(u)
}

// checkAnnounce wants an ANNOUNCE of the client's session with these parameter
// sets, and gives the version of the description.
func (c *client) checkAnnounce(r response, sets ...[]byte) (version uint64) {
	c.t.Helper()
	for name, want := range map[string]string{
		"session": c.session, "content-type": "application/sdp", "content-base": c.lab.url + "/",
	} {
		if r.header[name] != want {
			c.t.Errorf("%s: %q, not %q", name, r.header[name], want)
		}
	}
	if r.method != "ANNOUNCE" || r.url != c.lab.url {
		c.t.Fatalf("not the announcement expected: %+v", r)
	}
	var sprop []string
	for _, s := range sets {
		sprop = append(sprop, base64.StdEncoding.EncodeToString(s))
	}
	if want := "sprop-parameter-sets=" + strings.Join(sprop, ","); !strings.Contains(r.body, want) {
		c.t.Errorf("no %s in\n%s", want, r.body)
	}
	return sdpVersion(c.t, r.body)
}

// sdpVersion is the version in the o= line.
func sdpVersion(t testing.TB, body string) uint64 {
	t.Helper()
	_, o, _ := strings.Cut(body, "\r\no=- ")
	words := strings.Fields(o)
	v, err := strconv.ParseUint(words[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// In the connection the description comes before the first packet that needs it,
// also for a client that reads slowly.
func TestAnnouncePrecedesThePackets(t *testing.T) {
	for name, behind := range map[string]int{"prompt": 0, "slow": 20} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.publish(true, 100)
			c := l.dial().setupTCP().optIn()
			before := sdpVersion(t, c.must(200, "DESCRIBE", l.url, nil, "").body)
			c.play()
			for range behind {
				l.publish(false, 60_000)
			}
			l.publishWith(otherSPS, testPPS)
			if v := c.checkAnnounce(c.nextRequest(), otherSPS, testPPS); v <= before {
				t.Errorf("version %d after %d", v, before)
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
		})
	}
}

// nextPacket reads the next interleaved frame as it is.
func (c *client) nextPacket() []byte {
	c.t.Helper()
	_, f, err := c.read()
	if err != nil || f == nil {
		c.t.Fatalf("no frame: %v", err)
	}
	return f.data
}

// By UDP it is on its way before the first packet is sent.
func TestAnnouncePrecedesTheDatagrams(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	c := l.dial().setupUDP().optIn()
	c.play()
	c.receive(1)
	told := 0
	l.stream.tell(func() {
		l.srv.describeChanged(l.stream)
		c.checkAnnounce(c.nextRequest(), otherSPS, testPPS)
		if !c.silent(0) {
			t.Error("a packet came first")
		}
		told++
	})
	l.publishWith(otherSPS, testPPS)
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	for !bytes.Contains(c.datagram(0), otherSPS) {
		continue
	}
}

func TestWhatIsAnnounced(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	l.stream.Describe(30, 1_000_000)
	l.publish(true, 100)
	c := l.dial().setupUDP().optIn()
	second := []byte{0x67, 0x64, 0x00, 0x1e, 0x99}
	for _, s := range []struct {
		name      string
		do        func()
		announced bool
	}{
		{"nothing changes", func() { l.publish(true, 100) }, false},
		{"another picture", func() { l.publishWith(otherSPS, testPPS) }, true},
		{"the same again", func() { l.publishWith(otherSPS, testPPS) }, false},
		{"other picture parameters", func() { l.publishWith(otherSPS, append(testPPS, 1)) }, true},
		{"two sets", func() { l.publishWith(otherSPS, second, testPPS) }, true},
		{"two sets again", func() { l.publishWith(otherSPS, second, testPPS) }, false},
		{"none, and an empty NAL unit", func() { l.publishWith([]byte{}) }, false},
		{"bit rate", func() { l.stream.Describe(30, 2_000_000); l.publish(true, 100); l.publish(true, 100) }, true}, // for the sets
		{"bit rate alone", func() { l.stream.Describe(30, 3_000_000); l.publish(true, 100) }, false},
		{"frame rate", func() { l.stream.Describe(25, 3_000_000); l.publish(false, 100); l.publish(true, 100) }, true},
		{"same frame rate", func() { l.stream.Describe(25, 3_000_000); l.publish(true, 100) }, false},
	} {
		s.do()
		c.must(200, "OPTIONS", "*", nil, "")
		if got := len(c.asked); got > 1 || (got == 1) != s.announced {
			t.Errorf("%s: %d announcements", s.name, got)
		}
		for _, r := range c.asked {
			c.answer(r, 200, nil, "")
		}
		c.asked = nil
	}
}

// Who has not opted in, another stream's viewers, and who has left hear nothing.
func TestWhoHearsOfAChange(t *testing.T) {
	side := NewStream(StreamConfig{Path: "side"})
	l := newLabWith(t, "127.0.0.1:0", []*Stream{side})
	l.publish(true, 100)
	quiet, other, left, ready := l.dial().setupTCP(), l.dial().optIn(), l.dial().setupUDP().optIn(), l.dial().setupTCP().optIn()
	quiet.play()
	other.must(200, "SETUP", "rtsp://"+l.addr+"/side/trackID=0", headers{"Transport", "RTP/AVP/TCP;interleaved=0-1"}, "")
	left.must(200, "TEARDOWN", l.url, nil, "")
	left.session = ""
	l.publishWith(otherSPS, testPPS)
	ready.checkAnnounce(ready.nextRequest(), otherSPS, testPPS)
	for name, c := range map[string]*client{"who has not opted in": quiet, "who watches another stream": other, "who has left": left} {
		c.must(200, "OPTIONS", "*", nil, "")
		if len(c.asked) > 0 {
			t.Errorf("%s is told %+v", name, c.asked)
		}
	}
}

// A client that takes no byte is told without holding the publisher up.
func TestChangeWaitsForNobody(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	c := l.dial().setupTCP().optIn()
	c.play()
	ses := l.srv.session(c.session)
	ses.mu.Lock() // a request of it is under way
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 60 {
			l.publishWith(otherSPS, append(testPPS, byte(i)))
		}
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Error("the publisher is held up")
	}
	ses.mu.Unlock()
	<-done
	c.receive(40)
	if n := len(c.asked); n == 0 || n > askMost {
		t.Errorf("%d requests without an answer", n)
	}
}

// A stream that is described as it was in an earlier run can be set up and
// played before its first picture. The same parameter sets are no news then,
// others are announced before the first packet.
func TestRecalledSetsAreReplaced(t *testing.T) {
	for name, sets := range map[string][][]byte{"the same": {testSPS, testPPS}, "others": {otherSPS, testPPS}} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.dial().optIn()
			c.must(503, "DESCRIBE", l.url, nil, "")
			l.stream.Recall(Description{})
			c.must(503, "DESCRIBE", l.url, nil, "")
			l.stream.Recall(Description{SPS: testSPS, PPS: testPPS, Framerate: 25})
			if !l.stream.isRecalled() {
				t.Error("it is not said that there was no picture")
			}
			body := c.must(200, "DESCRIBE", l.url, nil, "").body
			for _, want := range []string{fmtp(testSPS, testPPS), "a=framerate:25\r\n"} {
				if !strings.Contains(body, want) {
					t.Errorf("%q is missing in\n%s", want, body)
				}
			}
			c.setupTCP()
			c.write(c.request("PLAY", l.url, nil, ""))
			l.awaitWaiting(1)
			l.stream.Describe(25, 0)
			l.publishWith(sets...)
			if name == "others" {
				c.checkAnnounce(c.nextRequest(), sets...)
				if len(c.frames) > 0 {
					t.Error("a packet came before the announcement")
				}
			}
			if r := c.response(); r.status != 200 || !strings.Contains(r.header["rtp-info"], "seq=") {
				t.Errorf("PLAY: %+v", r)
			}
			if l.stream.isRecalled() {
				t.Error("the first picture does not count")
			}
			c.quietNow("afterwards")
		})
	}
}
