package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"lenslet/board/durable"
)

const (
	// trialFile is in the state directory while kept settings have not yet proven
	// to be good.
	trialFile = "settings.trial"
	// maxTries is how many starts in a row may come to nothing.
	maxTries = 2
	// proof is how long frames must have come.
	proof = 10 * time.Second
)

// A trial counts the starts with the same kept settings that came to nothing:
// that ended in a crash, a kill, or an error, or brought no frames for long.
type trial struct {
	file  string
	sum   uint32 // of the settings that are tried
	tries int    // of starts before this one

	serving bool // else nothing is tried
	begun   time.Time
	first   time.Time   // of a frame; used by frame alone
	open    atomic.Bool // it is not yet decided
}

// read learns what the starts before came to.
func (t *trial) read(file string, sum uint32) {
	t.file, t.sum = file, sum
	var tries int
	var of uint32
	text, _ := os.ReadFile(file) // none: no start failed
	if n, _ := fmt.Sscanf(string(text), "%d %x\n", &tries, &of); n == 2 && of == sum {
		t.tries = tries
	}
}

func (t *trial) write(tries int) error {
	return durable.Write(t.file, 0o600, fmt.Appendf(nil, "%d %08x\n", tries, t.sum))
}

func (t *trial) remove() error {
	err := os.Remove(t.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, durable.SyncDir(filepath.Dir(t.file)))
}

// judge takes what was kept out of the way, if it failed too often.
func (k *keeper) judge() {
	if k.trial.tries < maxTries || len(k.usable()) == 0 {
		return
	}
	file := filepath.Join(filepath.Dir(k.trial.file), keptFile)
	k.log.Error("settings of an earlier run are set aside, since starts with them came to nothing",
		"settings", k.String(), "starts", k.trial.tries, "file", file+".bad")
	clear(k.values)
	if err := errors.Join(os.Rename(file, file+".bad"), k.trial.remove()); err != nil {
		k.complain(err)
	}
}

// begin notes, before what was kept is applied, that it is tried.
func (k *keeper) begin() {
	if k == nil || !k.trial.serving || len(k.usable()) == 0 {
		return
	}
	k.trial.begun = time.Now()
	k.trial.open.Store(true)
	if err := k.trial.write(k.trial.tries + 1); err != nil {
		k.complain(err)
	}
}

// frame notes that a unit was published. One goroutine at a time calls it.
func (k *keeper) frame() {
	if k == nil || !k.trial.open.Load() {
		return
	}
	now := time.Now()
	if k.trial.first.IsZero() {
		k.trial.first = now
	}
	if now.Sub(k.trial.first) >= proof {
		k.acquit()
	}
}

// acquit ends the trial: the settings are good, or it is not they that keep the
// pictures away. keep forgets it.
func (k *keeper) acquit() {
	if k != nil && k.trial.open.Swap(false) {
		k.rouse()
	}
}

// forgetTrial removes the note of a trial that is over.
func (k *keeper) forgetTrial() {
	if k.trial.begun.IsZero() || k.trial.open.Load() {
		return
	}
	k.trial.begun = time.Time{}
	if err := k.trial.remove(); err != nil {
		k.complain(err)
	}
}

// stopped ends the trial of a daemon that was stopped, and had no fault: it does
// not count, unless the pictures were long overdue.
func (k *keeper) stopped() {
	if k == nil || !k.trial.open.Load() || time.Since(k.trial.begun) > 2*proof {
		return
	}
	err := k.trial.remove()
	if k.trial.tries > 0 {
		err = k.trial.write(k.trial.tries)
	}
	if err != nil {
		k.complain(err)
	}
}
