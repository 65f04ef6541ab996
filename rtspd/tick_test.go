package rtspd

import (
	"testing"
)

// Settled is told once after each change, and not while the number goes on changing.
func TestCalm(t *testing.T) {
	var c calm
	for i, step := range []struct {
		sessions int
		changes  uint64
		want     bool
	}{{0, 0, false}, {0, 0, false}, {3, 0, false}, {9, 0, false}, {9, 0, true}, {9, 0, false}, {8, 0, false}, {8, 0, true}, {8, 0, false}, {0, 0, false}, {1, 0, false}, {1, 0, true}, {1, 1, false}, {1, 2, false}, {1, 2, true}, {1, 2, false}} {
		if got := c.settled(step.sessions, step.changes); got != step.want {
			t.Errorf("look %d, %d sessions, %d changes: %v", i, step.sessions, step.changes, got)
		}
	}
}

// Who serves is told once viewers have come, once something was set, and once they
// have gone.
func TestSettled(t *testing.T) {
	settled := make(chan struct{}, 9)
	l := newLab(t, func(cfg *Config, _ *StreamConfig) { cfg.Settled = func() { settled <- struct{}{} } })
	c := l.dial()
	c.setupTCP().play()
	<-settled
	c.must(200, "SET_PARAMETER", l.url, headers{"Content-Type", "text/parameters"}, "bitrate: 8000\r\n")
	<-settled
	_ = c.nc.Close()
	<-settled
}
