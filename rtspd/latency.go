package rtspd

import (
	"sort"
	"sync"
	"time"
)

const (
	latencyWindow  = 10 * time.Second
	latencySamples = 2048 // 10 s at 120 frames/s, and more
)

// A latencies remembers for the last ten seconds how long after its capture
// each unit was handed to the kernel.
type latencies struct {
	mu      sync.Mutex
	samples [latencySamples]struct{ at, took time.Duration }
	next    int
}

func (l *latencies) add(now, captured time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples[l.next%latencySamples].at = now
	l.samples[l.next%latencySamples].took = max(0, now-captured) // a driver may stamp when the exposure will end
	l.next++
}

// percentiles are the median and the 99th percentile; false without a sample.
func (l *latencies) percentiles(now time.Duration) (p50, p99 time.Duration, ok bool) {
	l.mu.Lock()
	var took []time.Duration
	for i := range min(l.next, latencySamples) {
		if s := l.samples[i]; now-s.at <= latencyWindow {
			took = append(took, s.took)
		}
	}
	l.mu.Unlock()
	if len(took) == 0 {
		return 0, 0, false
	}
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	return took[(len(took)-1)/2], took[(len(took)-1)*99/100], true
}
