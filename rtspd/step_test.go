package rtspd

import (
	"testing"
	"time"

	"lenslet/rtspd/rtp"
)

// A board without a battery is told the time when it has long been streaming:
// the next sender report has it, and what is sent goes on by the clock that
// nobody sets.
func TestClockIsSet(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		c := setup(l.dial())
		c.play()
		c.receive(1)
		c.senderReport()
		l.stream.mu.Lock()
		v := l.stream.viewers[0]
		reported := v.reported
		l.stream.mu.Unlock()
		for i, wall := range []time.Time{time.Unix(100, 0), time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), time.Unix(90, 0)} {
			at := reported + time.Duration(i+1)*reportInterval
			l.stream.report(at, wall)
			sr, _ := c.senderReport()
			if sr.NTPTime != rtp.NTP(wall) {
				t.Errorf("set to %v: NTP time %x, not %x", wall, sr.NTPTime, rtp.NTP(wall))
			}
			if want := l.stream.clock.RTP(at); sr.RTPTime != want {
				t.Errorf("set to %v: RTP time %d, not %d", wall, sr.RTPTime, want)
			}
			l.stream.mu.Lock()
			v.measure(rtp.Reception{LSR: uint32(sr.NTPTime >> 16), DLSR: 1 << 16}, at+1500*time.Millisecond)
			trip := v.trip
			l.stream.mu.Unlock()
			if trip != 500*time.Millisecond {
				t.Errorf("set to %v: a round trip of %v", wall, trip)
			}
		}
		l.publish(true, 3000)
		c.receive(1)
	})
}

// A report about the one before the last, with the clock set in between, tells
// nothing about the way.
func TestRoundTripOverAStep(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	c.play()
	c.receive(1)
	first, _ := c.senderReport()
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	v := l.stream.viewers[0]
	v.trip = 0
	l.stream.reportTo(v, v.reported+reportInterval, time.Unix(50, 0))
	v.measure(rtp.Reception{LSR: uint32(first.NTPTime >> 16), DLSR: 1}, v.reported+time.Second)
	if v.trip != 0 {
		t.Errorf("a round trip of %v", v.trip)
	}
}
