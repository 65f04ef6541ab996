package main

import (
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"lenslet/systemd"
)

// mealsInTime is how many meals of the watchdog fit into its interval, so that the
// longest step against a stream that stands still does not starve it.
const mealsInTime = 5

// A heartbeat tells systemd that frames flow: READY with the first, and the
// watchdog's food as long as they come, or there is something left to try against
// their absence. Only a camera that is not there counts as much as frames: no
// restart brings it back.
type heartbeat struct {
	notifier systemd.Notifier
	first    func()
	begun    bool          // there was a frame
	interval time.Duration // the watchdog's; 0: none
	made     time.Time
	ready    atomic.Bool  // systemd knows
	fed      atomic.Int64 // when, after made
}

func newHeartbeat(n systemd.Notifier, first func(), log *slog.Logger) *heartbeat {
	h := &heartbeat{notifier: n, first: first, made: time.Now()}
	var err error
	if h.interval, err = systemd.WatchdogInterval(os.Getenv); err != nil {
		log.Warn("systemd's watchdog is not fed", "error", err)
	}
	h.fed.Store(-int64(h.interval))
	return h
}

// frame notes that a unit was published. One goroutine at a time calls it.
func (h *heartbeat) frame() {
	h.wait()
	if !h.begun {
		h.begun = true
		h.first()
	}
}

// wait notes that there is no camera, and all else is well. It is never called
// together with frame.
func (h *heartbeat) wait() {
	if !h.ready.Swap(true) {
		_ = h.notifier.Ready() // nobody listens outside systemd
	}
	h.tend()
}

// tend notes that frames flow, or may yet be made to. A start without any gets the
// time for that. It may be called at any time.
func (h *heartbeat) tend() {
	last, now := h.fed.Load(), int64(time.Since(h.made))
	switch {
	case h.interval == 0 || now-last < int64(h.interval/mealsInTime) || !h.fed.CompareAndSwap(last, now):
	case h.ready.Load():
		_ = h.notifier.Watchdog()
	default:
		_ = h.notifier.Extend(h.interval)
	}
}
