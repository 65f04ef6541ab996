package main

import (
	"log/slog"
	"os"
	"time"

	"lenslet/systemd"
)

// A heartbeat tells systemd that frames flow: READY with the first, and the
// watchdog's food as long as they come. Only a camera that is not there counts
// as much: no restart brings it back.
type heartbeat struct {
	notifier systemd.Notifier
	first    func()
	begun    bool          // there was a frame
	ready    bool          // systemd knows
	every    time.Duration // between two meals; 0: no watchdog
	fed      time.Time
}

func newHeartbeat(n systemd.Notifier, first func(), log *slog.Logger) *heartbeat {
	h := &heartbeat{notifier: n, first: first}
	interval, err := systemd.WatchdogInterval(os.Getenv)
	if err != nil {
		log.Warn("systemd's watchdog is not fed", "error", err)
	}
	h.every = interval / 2
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
	if !h.ready {
		h.ready = true
		_ = h.notifier.Ready() // nobody listens outside systemd
	}
	if h.every > 0 && time.Since(h.fed) >= h.every {
		h.fed = time.Now()
		_ = h.notifier.Watchdog()
	}
}
