package rtspd

import (
	"testing"
)

// Settled is told once after each change, and not while the number goes on changing.
func TestCalm(t *testing.T) {
	var c calm
	for i, step := range []struct {
		sessions int
		want     bool
	}{{0, false}, {0, false}, {3, false}, {9, false}, {9, true}, {9, false}, {8, false}, {8, true}, {8, false}, {0, false}, {1, false}, {1, true}} {
		if got := c.settled(step.sessions); got != step.want {
			t.Errorf("look %d, %d sessions: %v", i, step.sessions, got)
		}
	}
}

// Who serves is told once viewers have come, and once they have gone.
func TestSettled(t *testing.T) {
	settled := make(chan struct{}, 9)
	l := newLab(t, func(cfg *Config, _ *StreamConfig) { cfg.Settled = func() { settled <- struct{}{} } })
	c := l.dial()
	c.setupTCP().play()
	<-settled
	_ = c.nc.Close()
	<-settled
}
