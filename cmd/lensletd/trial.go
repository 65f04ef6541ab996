package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	// maxCuts is how many may do so where the board itself ended some of them: most
	// likely power was lost, for which no settings can be blamed, but those that stop
	// the whole board until its watchdog resets it look like that.
	maxCuts = 4
	// proof is how long frames must have come.
	proof = 10 * time.Second
	// ended stands in the file for the boot of a start that is over, and counted.
	ended = "-"
)

// A trial counts the starts with the same kept settings that came to nothing: that
// ended in a crash, a kill, or an error, or brought no frames for long. The run in
// which they were set is the first.
type trial struct {
	boot    string // identifies that of the board
	serving bool   // else nothing is tried

	mu     sync.Mutex // guards all of the file, and what follows
	file   string
	sum    uint32 // of the settings that are tried
	tries  int    // of starts before this one
	cuts   int    // of them more, which ended as the board did
	begun  time.Time
	gaveUp bool // this start is counted already

	first time.Time   // of a frame; used by frame alone
	anew  atomic.Bool // it is to be the next one
	open  atomic.Bool // it is not yet decided
}

// bootID is another one each time the board starts.
func bootID(root string) string {
	b, err := os.ReadFile(filepath.Join(root, "proc/sys/kernel/random/boot_id"))
	if id := strings.TrimSpace(string(b)); err == nil && id != "" && !strings.ContainsAny(id, " \n") {
		return id
	}
	return "unknown"
}

// read learns what the starts before came to.
func (t *trial) read(file string, sum uint32) {
	t.file, t.sum = file, sum
	var tries, cuts int
	var of uint32
	var boot string
	text, _ := os.ReadFile(file) // none: no start failed
	if n, _ := fmt.Sscanf(string(text), "%d %d %x %s\n", &tries, &cuts, &of, &boot); n != 4 || of != sum {
		return
	}
	t.tries, t.cuts = tries, cuts
	switch boot {
	case ended:
	case t.boot:
		t.tries++
	default:
		t.cuts++
	}
}

// failed tells whether the settings are not to be tried again.
func (t *trial) failed() bool { return t.tries >= maxTries || t.tries+t.cuts >= maxCuts }

// write notes the starts before, and the boot of the one that is under way. The
// caller holds mu.
func (t *trial) write(boot string) error {
	return durable.Write(t.file, 0o600, fmt.Appendf(nil, "%d %d %08x %s\n", t.tries, t.cuts, t.sum, boot))
}

// remove forgets it. The caller holds mu.
func (t *trial) remove() error {
	err := os.Remove(t.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, durable.SyncDir(filepath.Dir(t.file)))
}

// begin notes that the settings are tried from now on.
func (t *trial) begin() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun, t.gaveUp = time.Now(), false
	t.anew.Store(true)
	t.open.Store(true)
	return t.write(t.boot)
}

// change begins with other settings, in the middle of a run.
func (t *trial) change(file string, sum uint32) error {
	t.mu.Lock()
	t.file = file
	if t.sum != sum {
		t.sum, t.tries, t.cuts = sum, 0, 0
	}
	t.mu.Unlock()
	return t.begin()
}

// judge takes what was kept out of the way, if it failed too often.
func (k *keeper) judge() {
	if !k.trial.failed() || len(k.usable()) == 0 {
		return
	}
	file := filepath.Join(filepath.Dir(k.trial.file), keptFile)
	k.log.Error("settings of an earlier run are set aside, since starts with them came to nothing",
		"settings", k.String(), "starts", k.trial.tries+k.trial.cuts, "file", file+".bad")
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
	if err := k.trial.begin(); err != nil {
		k.complain(err)
	}
}

// frame notes that a unit was published. One goroutine at a time calls it.
func (k *keeper) frame() {
	if k == nil || !k.trial.open.Load() {
		return
	}
	now := time.Now()
	if k.trial.anew.Swap(false) {
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
func (k *keeper) forgetTrial() error {
	k.trial.mu.Lock()
	defer k.trial.mu.Unlock()
	if k.trial.begun.IsZero() || k.trial.open.Load() {
		return nil
	}
	err := k.trial.remove()
	if err == nil {
		k.trial.begun = time.Time{}
	}
	return err
}

// gaveUp counts a start in which nothing was left to try, whatever ends it.
func (k *keeper) gaveUp() {
	if k == nil || !k.trial.open.Load() {
		return
	}
	k.trial.mu.Lock()
	defer k.trial.mu.Unlock()
	if k.trial.gaveUp {
		return
	}
	k.trial.gaveUp = true
	k.trial.tries++
	if err := k.trial.write(ended); err != nil {
		k.complain(err)
	}
}

// stopped ends the trial of a daemon that was stopped, and had no fault: it does
// not count, unless the pictures were long overdue.
func (k *keeper) stopped() {
	if k == nil || !k.trial.open.Load() {
		return
	}
	k.trial.mu.Lock()
	defer k.trial.mu.Unlock()
	if time.Since(k.trial.begun) > 2*proof {
		return
	}
	err := k.trial.remove()
	if k.trial.tries+k.trial.cuts > 0 {
		err = k.trial.write(ended)
	}
	if err != nil {
		k.complain(err)
	}
}
