package rtspd

import (
	"bytes"
	"io"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// PAUSE keeps the connections, and PLAY goes on in them.
func TestPauseKeepsTheLanes(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupLanes()
	c.play2()
	c.receive(1)
	c.must(200, "PAUSE", l.url, nil, "")
	l.publish(true, 3000)
	c.play2()
	l.publish(false, 700)
	c.receive(3)
	c.media.gaps = true
	if n, last := len(c.media.units), c.media.units[2]; n != 3 || !equalNALUs(last.nalus, l.published[len(l.published)-1].nalus) {
		t.Errorf("%d units, the last one %v", n, last)
	}
}

// However a session ends, its connections do, after a BYE.
func TestLanesEndWithTheSession(t *testing.T) {
	for name, end := range map[string]func(*lab, *client){
		"teardown": func(l *lab, c *client) { c.must(200, "TEARDOWN", l.url, nil, "") },
		"timeout":  func(l *lab, _ *client) { l.sweepLater(time.Hour) },
		"stop":     func(l *lab, _ *client) { l.stop() },
		"broken": func(_ *lab, c *client) {
			_ = c.lanes[0].Close()
			c.lanes[0] = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.dial().setupLanes()
			c.play2()
			end(l, c)
			await(t, "the session ends", func() bool { return len(l.sessions()) == 0 })
			packets, err := rtcp.Unmarshal(c.laneEnds(1))
			if err != nil || !strings.Contains(reflect.TypeOf(packets[len(packets)-1]).String(), "Goodbye") {
				t.Errorf("the last word is %v, %v", packets, err)
			}
			if c.lanes[0] != nil {
				c.laneEnds(0)
			}
			if n, _ := l.viewers(); n != 0 {
				t.Error("it plays on")
			}
		})
	}
}

// Ports that nobody connects to end with the session, too.
func TestLanesThatNeverCame(t *testing.T) {
	l := newLab(t)
	c := l.dial2().setup2(ownTCP)
	src := c.transport().SrcAddr
	l.sweepLater(time.Hour)
	for _, a := range src {
		if nc, err := net.Dial("tcp", a.String()); err == nil {
			_ = nc.Close()
			t.Error("the port is still open")
		}
	}
}

// Another SETUP goes on with the connections that there are, or has new ones
// (RFC 7826 18.54); the old ones end.
func TestSetupOfLanesAgain(t *testing.T) {
	l := newLab(t)
	for _, test := range []struct {
		offer, connection string
		src               int // 0: as before
	}{
		{`RTP/AVP/TCP;unicast;dest_addr=":9"/":9";connection=existing`, "existing", 0},
		{`RTP/AVP/TCP;unicast;dest_addr=":9"/":9"`, "existing", 0}, // the default
		{`RTP/AVP/TCP;unicast;dest_addr=":9"/":9";connection=new`, "new", 2},
		{`RTP/AVP/TCP;unicast;dest_addr=":9";RTCP-mux;connection=existing`, "new", 1},
		{`RTP/AVP/TCP;unicast;interleaved=0-1`, "", -1},
	} {
		c := l.dial().setupLanes()
		c.play2()
		c.receive(1)
		c.must(200, "PAUSE", l.url, nil, "")
		before, session := c.transport().SrcAddr, c.session
		c.setup2(test.offer)
		got := c.transport()
		if got.Connection != test.connection || c.session != session {
			t.Errorf("%s: %s", test.offer, got)
		}
		if (test.src == 0) != reflect.DeepEqual(got.SrcAddr, before) {
			t.Errorf("%s: %v after %v", test.offer, got.SrcAddr, before)
		}
		if test.src != 0 {
			c.laneEnds(0)
			c.laneEnds(1)
			c.closeLanes()
			c.connect()
			c.tcp = test.src < 0
		}
		c.media = receiver{gaps: true}
		c.play2()
		c.receive(1)
		if n := len(l.sessions()); n != 1 {
			t.Errorf("%s: %d sessions", test.offer, n)
		}
		c.must(200, "TEARDOWN", l.url, nil, "")
	}
}

// The session lives on when the connection of the requests ends, as by UDP.
func TestLanesOutliveTheRequests(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupLanes()
	c.play2()
	_ = c.nc.Close()
	await(t, "the connection is gone", func() bool {
		l.srv.mu.Lock()
		defer l.srv.mu.Unlock()
		return len(l.srv.conns) == 0
	})
	l.publish(false, 5000)
	c.receive(2)
	c.media.equal(t, l.published)
}

// One that does not read is moved on to a key frame, and harms nobody.
func TestSlowLane(t *testing.T) {
	l := newLab(t, patient)
	fast := l.dial().setupLanes()
	fast.play2()
	var all bytes.Buffer
	read := make(chan struct{})
	br := fast.lanes[0].br
	go func() {
		defer close(read)
		_, _ = io.Copy(&all, br)
	}()
	c := l.dial().setupLanes()
	_ = c.lanes[0].Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	c.play2()
	for i := 0; l.stream.Stats().Skips == 0; i++ {
		if i > 2000 {
			t.Fatal("the kernel takes everything")
		}
		l.publish(false, 60_000)
		fast.keepUp()
	}
	c.media.gaps = true
	out := l.srv.session(c.session).viewer.Load().out
	for !out.drained() {
		c.media.push(t, c.lanePacket(0))
	}
	l.forgetAsking()
	asked := l.asked.Load()
	l.publish(false, 1000)
	if n := l.asked.Load(); n != asked+1 {
		t.Errorf("asked %d times for a key frame when the viewer could go on", n-asked)
	}
	resumed := len(l.published)
	l.publish(true, 5000)
	l.publish(false, 5000)
	for len(c.media.units) == 0 || c.media.units[len(c.media.units)-1].rtptime != l.stream.clock.RTP(l.published[resumed+1].at) {
		c.media.push(t, c.lanePacket(0))
	}
	tail := receiver{units: c.media.units[len(c.media.units)-2:]}
	tail.equal(t, l.published[resumed:])
	l.stop()
	<-read
	for b := all.Bytes(); len(b) > 0; {
		n := int(b[0])<<8 | int(b[1])
		fast.media.push(t, b[2:2+n])
		b = b[2+n:]
	}
	fast.media.equal(t, l.published)
}

// One that takes nothing at all is cut off.
func TestStalledLane(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.StallTimeout = 100 * time.Millisecond })
	c := l.dial().setupLanes()
	c.play2()
	await(t, "the session ends", func() bool {
		l.publish(true, 60_000)
		return len(l.sessions()) == 0
	})
}

// All that have connections of their own share one copy of each packet.
func TestLanesShareOneCopy(t *testing.T) {
	l := newLab(t)
	for range 3 {
		c := l.dial().setupLanes()
		c.play2()
		br := c.lanes[0].br
		go func() { _, _ = io.Copy(io.Discard, br) }()
	}
	before := l.stream.Stats()
	l.publish(false, 40_000)
	framed := uint64(40_000-1) + 29*(2+12+2)
	if got := l.stream.Stats().Copied - before.Copied; got != framed {
		t.Errorf("%d bytes copied, not %d", got, framed)
	}
}

// Their number is bounded, whoever asks.
func TestTooManyLanes(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.Limits.Connections = 5 })
	a, b, c := l.dial().setupLanes(), l.dial().setupLanes(), l.dial2()
	r := c.must(503, "SETUP", c.track(), headers{"Transport", ownTCP}, "")
	if _, err := strconv.Atoi(r.header["retry-after"]); err != nil {
		t.Errorf("Retry-After: %s", r.header["retry-after"])
	}
	a.must(200, "TEARDOWN", l.url, nil, "")
	c.setupLanes()
	b.must(200, "TEARDOWN", l.url, nil, "")
	if n := l.srv.lanes.open.Load(); n != 2 {
		t.Errorf("%d connections are counted", n)
	}
}

// Nothing is left of sessions that come and go, in any state.
func TestLanesLeaveNothing(t *testing.T) {
	l := newLab(t)
	c := l.dial2()
	c.must(200, "OPTIONS", l.url, nil, "") // the server has taken the connection: one of the files before
	before := openFiles(t)
	for i := range 60 {
		c.setup2(ownTCP)
		if i%3 > 0 {
			c.connect()
		}
		if i%3 > 1 {
			c.play2()
			c.must(200, "PAUSE", l.url, nil, "")
		}
		c.setup2(ownTCP)
		c.closeLanes()
		if i%2 == 0 {
			l.sweepLater(time.Hour)
		} else {
			c.do("TEARDOWN", l.url, nil, "")
		}
		c.session = ""
	}
	await(t, "all files are closed", func() bool { return openFiles(t) <= before })
}

// openFiles counts what this process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
