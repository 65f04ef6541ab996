package main

import (
	"sync"
	"testing"
	"time"
)

// A witness notes when this process, which is as important as lensletd, got no time:
// then nobody did, as when a virtual machine is moved, and pictures are lost as when
// lensletd is frozen. Where that is more than a hundredth of all the time it is too
// much to say anything about lensletd.
type witness struct {
	ended chan struct{} // closed by end
	done  sync.WaitGroup

	mu    sync.Mutex // guards all below
	begun time.Time
	stood time.Duration
	times int
}

// newWitness watches until the end of the test; noted, unless nil, is told each time
// that nobody had.
func newWitness(t *testing.T, noted func(from, to time.Time)) *witness {
	w := &witness{ended: make(chan struct{}), begun: time.Now()}
	w.done.Go(func() { w.watch(noted) })
	t.Cleanup(func() {
		close(w.ended)
		w.done.Wait()
		t.Logf("the computer stood still %d times, %v in all", w.times, w.stood)
	})
	return w
}

func (w *witness) watch(noted func(from, to time.Time)) {
	const tick, least = 10 * time.Millisecond, 100 * time.Millisecond
	for last := w.begun; ; {
		select {
		case <-w.ended:
			return
		case <-time.After(tick):
		}
		now := time.Now()
		if d := now.Sub(last); d > least {
			w.mu.Lock()
			w.stood += d
			w.times++
			w.mu.Unlock()
			if noted != nil {
				noted(last, now)
			}
		}
		last = now
	}
}

// still is for how long the computer stood still.
func (w *witness) still() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stood
}
