package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"lenslet/board/durable"
)

const (
	// rescueFile is in the state directory from the first start that gave up until
	// pictures come: how many in a row did.
	rescueFile = "gave-up"
	// maxRestarts is how many starts in a row may give up before the board is
	// started anew.
	maxRestarts = 3
)

// errReboot ends a daemon whose devices do not come back (exit status 77). The
// image's unit starts the board anew then; others start the daemon.
var errReboot = errors.New("camera or encoder give no pictures, also after restarts: the board should be started anew")

// A rescue counts the starts in a row that gave up, since no picture came, or a
// device could not even be opened. After some of them the board is started anew, but only once: what
// that does not mend it does not mend, and there may just be nothing to see. Where
// the count cannot be kept the board is left alone.
type rescue struct {
	config *config // which has the state directory
	log    *slog.Logger
	active bool          // systemd's watchdog restarts the daemon
	hope   chan struct{} // closed when the board is to be started anew
	first  time.Time     // when the first frame came; used by frame alone
	well   atomic.Bool   // there is no count, or none any more
}

func newRescue(c *config, active bool, log *slog.Logger) *rescue {
	r := &rescue{config: c, active: active, log: log, hope: make(chan struct{})}
	n, err := r.count()
	r.well.Store(n == 0 && err == nil)
	return r
}

// gaveUp notes that nothing is left to try but another start. It is called once, by a
// stream that stands still, or for a device that cannot be opened.
func (r *rescue) gaveUp() {
	if !r.active {
		return
	}
	n, err := r.count()
	if err == nil && n < maxRestarts {
		n++
		err = r.keep(n)
	} else {
		n = 0 // it was tried
	}
	r.well.Store(false)
	switch {
	case err != nil:
		r.log.Warn("how often the service was restarted in vain cannot be kept: nothing asks for the board to be started anew", "error", err)
	case n == maxRestarts:
		close(r.hope)
	}
}

// count is what the file says, 0 without one.
func (r *rescue) count() (int, error) {
	dir, err := r.config.statePath()
	if err != nil {
		return 0, err
	}
	b, err := os.ReadFile(filepath.Join(dir, rescueFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b))) // nonsense counts as nothing
	return n, err
}

func (r *rescue) keep(n int) error {
	dir, err := r.config.stateDir()
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(dir, rescueFile), 0o600, []byte(strconv.Itoa(n)+"\n"))
}

// frame notes that a unit was published: after some time of them the count begins
// anew. One goroutine at a time calls it.
func (r *rescue) frame() {
	if !r.active || r.well.Load() {
		return
	}
	now := time.Now()
	if r.first.IsZero() {
		r.first = now
	}
	if now.Sub(r.first) < proof {
		return
	}
	r.first = time.Time{}
	r.well.Store(true)
	if dir, err := r.config.statePath(); err == nil {
		_ = os.Remove(filepath.Join(dir, rescueFile)) // what cannot be removed keeps the board from being started anew
	}
}

// hopeless tells whether the board is to be started anew.
func (r *rescue) hopeless() bool {
	select {
	case <-r.hope:
		return true
	default:
		return false
	}
}

// await ends the daemon when the board is to be started anew.
func (r *rescue) await(ctx context.Context) error {
	select {
	case <-r.hope:
		return errReboot
	case <-ctx.Done():
		return nil
	}
}
