package rtspd

import (
	"io"
	"runtime"
	"testing"
)

// What is published makes no garbage in the whole process, its goroutines for
// slow connections included: nothing collects because of media. Once in five
// seconds each viewer gets a sender report, which is not of the media, and costs
// some objects; here it comes rarely.
func TestMediaMakesNoGarbage(t *testing.T) {
	const units, viewers, reports = 3000, 6, 100 // objects, of a report at most
	l := newLab(t)
	var outboxes []*outbox
	for i := range viewers {
		if i%2 == 0 {
			l.dial().setupUDP().play()
			continue
		}
		c := l.dial().setupTCP()
		c.play()
		outboxes = append(outboxes, l.srv.session(c.session).viewer.Load().out)
		go func() { _, _ = io.Copy(io.Discard, c.nc) }()
	}
	key, other := l.unit(true, 60_000), l.unit(false, 30_000, 900)
	publish := func(n int) {
		for i := range n {
			u := other
			if i%60 == 0 {
				u = key
			}
			u.releases.Store(0)
			u.at = monotonic()
			l.stream.Publish(u)
			for _, o := range outboxes {
				for !o.drained() {
					runtime.Gosched()
				}
			}
		}
	}
	publish(120)
	var before, after runtime.MemStats
	runtime.GC()
	begun := monotonic()
	runtime.ReadMemStats(&before)
	publish(units)
	runtime.ReadMemStats(&after)
	due := uint64(1 + (monotonic()-begun)/reportInterval) // rounds of reports
	if n := after.Mallocs - before.Mallocs; n > (due+1)*viewers*reports {
		t.Errorf("%d objects for %d units to %d viewers", n, units, viewers)
	}
	if after.NumGC != before.NumGC {
		t.Errorf("%d collections", after.NumGC-before.NumGC)
	}
}
