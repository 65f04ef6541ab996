package rtspd

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// patient lets nobody be cut off while a test fills a connection.
func patient(c *Config, _ *StreamConfig) { c.StallTimeout = time.Hour }

// stall makes a viewer whose connection takes nothing any more: it played, and
// does not read. The others do.
func (l *lab) stall(others ...*client) *client {
	l.t.Helper()
	c := l.dial()
	_ = c.raw().SetReadBuffer(64 << 10)
	c.setupTCP()
	c.play()
	for i := 0; l.stream.Stats().Skips == 0; i++ {
		if i > 2000 {
			l.t.Fatal("the kernel takes everything")
		}
		l.publish(false, 60_000)
		for _, o := range others {
			o.keepUp()
		}
	}
	return c
}

// keepUp waits until a viewer that reads has taken everything: a unit comes every
// 33 ms, and not as fast as a test can publish.
func (c *client) keepUp() {
	c.t.Helper()
	await(c.t, "the viewer takes everything", c.lab.srv.session(c.session).viewer.Load().out.drained)
}

// One viewer does not read: the others get everything, and when it reads again
// it goes on with a key frame.
func TestSlowViewer(t *testing.T) {
	l := newLab(t, patient)
	fast := l.dial().setupTCP()
	fast.play()
	recorded := fast.record()
	c := l.stall(fast)
	outbox := l.srv.session(c.session).viewer.Load().out
	outbox.mu.Lock()
	if outbox.bytes > 100_000 {
		t.Errorf("%d bytes wait though the units were dropped", outbox.bytes)
	}
	outbox.mu.Unlock()
	asked := l.asked.Load()
	for range 20 { // as long as it takes nothing, key frames are not for it
		l.forgetAsking()
		l.publish(false, 1000)
		l.publish(true, 60_000)
		fast.keepUp()
	}
	if n := l.asked.Load(); n != asked {
		t.Errorf("a key frame was asked for %d times for a viewer that takes nothing", n-asked)
	}
	if n := l.stream.Stats().Skips; n != 1 {
		t.Errorf("%d skips instead of one", n)
	}
	c.media.gaps = true
	before := len(c.media.units)
	for o := outbox; !o.drained(); { // it reads again
		c.nextFrame()
		before = len(c.media.units)
	}
	l.forgetAsking()
	l.publish(false, 1000)
	if n := l.asked.Load(); n != asked+1 {
		t.Errorf("asked %d times for a key frame when the viewer could go on", n-asked)
	}
	resumed := len(l.published)
	l.publish(true, 5000)
	l.publish(false, 5000)
	for len(c.media.units) == 0 || c.media.units[len(c.media.units)-1].rtptime != l.stream.clock.RTP(l.published[resumed+1].at) {
		c.nextFrame()
	}
	units := c.media.units
	tail := receiver{units: units[len(units)-2:]}
	tail.equal(t, l.published[resumed:])
	if before > len(units)-2 {
		t.Error("units came twice")
	}
	l.stop()
	recorded()
	fast.receive(len(l.published))
	fast.media.equal(t, l.published)
}

// record reads everything until the connection ends; what it gives waits for
// that, and lets the client read what was recorded.
func (c *client) record() (ended func()) {
	var data []byte
	done := make(chan struct{})
	_ = c.nc.SetReadDeadline(time.Time{})
	go func() {
		defer close(done)
		data, _ = io.ReadAll(c.br) // what is missing at the end is found later
	}()
	return func() {
		<-done
		c.br = bufio.NewReader(bytes.NewReader(data))
	}
}

// The connection of a viewer that takes nothing at all ends.
func TestStalledViewerIsCutOff(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.StallTimeout = 100 * time.Millisecond })
	udp := l.dial().setupUDP()
	udp.play()
	c := l.dial().setupTCP()
	c.play() // and reads nothing
	await(t, "the viewer is gone", func() bool {
		l.publish(true, 60_000)
		return slices.Equal(l.sessions(), []string{udp.session})
	})
	await(t, "only the other one plays", func() bool { n, _ := l.viewers(); return n == 1 })
}

// What waits for slow viewers is bounded, however many units are published.
func TestMemoryIsBounded(t *testing.T) {
	l := newLab(t, patient)
	var slow []*outbox
	for range 3 {
		c := l.stall()
		slow = append(slow, l.srv.session(c.session).viewer.Load().out)
	}
	for range 100 {
		l.publish(true, 200_000)
		for _, o := range slow {
			o.mu.Lock()
			if o.bytes > outboxBytes {
				t.Errorf("%d bytes wait", o.bytes)
			}
			o.mu.Unlock()
		}
	}
	if n := len(l.stream.pool.free); n > poolKept {
		t.Errorf("%d free buffers", n)
	}
}

// A viewer that takes no answers does not keep the server from others.
func TestViewerThatAsksAndDoesNotRead(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	_ = c.raw().SetReadBuffer(64 << 10)
	request := []byte("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
	for len(request) < 1<<16 {
		request = append(request, request...)
	}
	for { // until the server has had enough
		_ = c.nc.SetWriteDeadline(time.Now().Add(patience))
		if _, err := c.nc.Write(request); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Fatal("the server neither reads nor closes")
			}
			break
		}
	}
	l.dial().must(200, "OPTIONS", "*", nil, "")
}
