package rtspd

import (
	"time"

	"lenslet/rtspd/rtp"
)

// Of congestion control feedback.
const (
	arrivalsMost  = 1024                   // packets of one report that are looked at: the latest
	arrivalsEvery = 500 * time.Millisecond // the estimator is told, however often feedback comes
	arrivalsAge   = 5 * time.Second        // without any, receiver reports count again
)

// A tally sums up what a viewer tells about single packets (RFC 8888, or transport-wide):
// the counters of a receiver report, and the round trip of those packets that waited
// least. The zero value: it told nothing. It belongs to the stream.
type tally struct {
	on      bool
	at      time.Duration // when it told something last
	highest uint32        // sequence number that arrived; the upper half counts wraps
	lost    int32         // packets in all
	trip    time.Duration // the shortest since told; 0: none is known
	told    time.Duration // when the estimator was
	clock   farClock
}

// take adds a report, which was made at an instant. Packets after the last one that arrived may still do, and what
// was told before is not counted again. False: it tells nothing.
func (t *tally) take(a *rtp.Arrivals, sent sentWalk, now, made time.Duration) bool {
	last, first := a.Len()-1, max(0, a.Len()-arrivalsMost)
	for last >= first {
		if _, ok := a.At(last); ok && int16(sent.next-a.First-uint16(last)) > 0 {
			break
		}
		last--
	}
	if last < first {
		return false
	}
	if !t.on {
		*t = tally{on: true, highest: uint32(a.First + uint16(first) - 1), told: now, clock: t.clock}
	}
	t.at = now
	before := uint16(t.highest)
	for i := last; i >= first; i-- {
		seq := a.First + uint16(i)
		ago, ok := a.At(i)
		if !ok && int16(seq-before) > 0 {
			t.lost++
		}
		if at, known := sent.when(seq); ok && known && ago >= 0 && made-at > ago {
			if trip := made - at - ago; t.trip == 0 || trip < t.trip {
				t.trip = trip
			}
		}
	}
	if step := int16(a.First + uint16(last) - before); step > 0 {
		t.highest += uint32(step)
	}
	return true
}

// A farClock follows the clock of a viewer. What tells the time by it is late by the way
// that it came and by the time that it waited there; it was that of it least lately
// which is the measure for others. So neither counts as a queue on the way to the viewer.
type farClock struct {
	behind time.Duration // ours less theirs, modulo rtp.WidePeriod, by what came quickest
	at     time.Duration // when that was looked at; 0: never
}

const (
	farDrift = 5000             // of a second, a second: clocks differ by less
	farJump  = 10 * time.Second // more than anything waits: the clock was set
)

// made is when a report was made that tells of that instant: now, or so much earlier as
// it came more slowly than another one.
func (c *farClock) made(theirs, now time.Duration) time.Duration {
	const period = rtp.WidePeriod
	late := ((now-theirs-c.behind-(now-c.at)/farDrift)%period + period) % period
	if c.at == 0 || late > farJump {
		c.behind, late = now-theirs, 0
	} else {
		c.behind += (now - c.at) / farDrift
	}
	c.at = now
	return now - late
}

// arrivedWide takes transport-wide feedback for the rate of who sent it.
func (s *Stream) arrivedWide(v *viewer, w *rtp.TransportWide, now time.Duration) {
	if !s.cfg.Transport || v.out != nil || !s.adapts() {
		return
	}
	if a, latest, ok := w.Arrivals(s.adapt.wide[:]); ok {
		s.arrived(v, &a, now, v.tally.clock.made(latest, now))
	}
}

// arrived takes feedback about single packets, made at an instant, for the rate of who
// sent it.
func (s *Stream) arrived(v *viewer, a *rtp.Arrivals, now, made time.Duration) {
	if a.Len() == 0 || v.out != nil || !s.adapts() {
		return
	}
	t, anew := &v.tally, !v.tally.on
	if !t.take(a, s.adapt.log.backward(s.packetizer.Next(), s.nextOf(v)), now, made) {
		return
	}
	s.sent.PacketReports++
	if anew {
		v.rate.Renew()
	}
	if anew || now-t.told >= arrivalsEvery {
		s.judge(v, v, rtp.Reception{Highest: t.highest, Lost: t.lost}, t.trip, made, now)
		t.told, t.trip = now, 0
	}
}

// talliesStill tells whether a viewer's receiver reports say less than what it tells
// about single packets.
func (v *viewer) talliesStill(now time.Duration) bool {
	if !v.tally.on {
		return false
	}
	if now-v.tally.at > arrivalsAge {
		v.tally = tally{}
		v.rate.Renew()
		return false
	}
	return true
}
