package main

import (
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"lenslet/systemd"
)

// A heartbeat tells systemd that frames flow: READY with the first, and the
// watchdog's food as long as they come. Nothing else feeds it.
type heartbeat struct {
	notifier systemd.Notifier
	first    func()
	begun    atomic.Bool
	every    time.Duration // between two meals; 0: no watchdog
	fed      time.Time     // used by frame alone
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
	if !h.begun.Swap(true) {
		_ = h.notifier.Ready() // nobody listens outside systemd
		h.first()
	}
	if h.every > 0 && time.Since(h.fed) >= h.every {
		h.fed = time.Now()
		_ = h.notifier.Watchdog()
	}
}
