package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/BurntSushi/toml"

	"lenslet/board/durable"
	"lenslet/encoder"
)

// keptFile is in the state directory.
const keptFile = "settings.toml"

// settle is how long a change waits for the next one before both are written:
// SD cards wear.
const settle = time.Second

// writeAgain is how long what could not be written waits, if nothing changes.
const writeAgain = time.Minute

// A keeper keeps what somebody set while the camera ran, from one start to the
// next. One value counts as long as the configuration says of that parameter
// what it said when the value was set, and the command line says nothing.
//
// The nil keeper keeps nothing.
type keeper struct {
	dir   func() (string, error) // where to; made when something is to be written
	log   *slog.Logger
	fixed map[string]bool   // names that the command line sets
	base  map[string]string // what the configuration says
	wake  chan struct{}     // capacity 1: keep has something to do; never closed
	again time.Duration     // writeAgain, but in tests
	trial trial
	sets  *keptSets // nil: none

	mu     sync.Mutex
	values map[string]string
	was    map[string]string // what the configuration said when they were set
	dirty  bool              // not written yet
	warned bool              // that nothing can be written
}

// recall reads what was kept. What cannot be read is passed over with a
// warning; then the configuration counts. Only who is serving tries settings,
// and sets them aside.
func (d *daemon) recall(serving bool) {
	if !d.Persist {
		return
	}
	k := &keeper{
		dir: d.stateDir, log: d.log, fixed: d.fixed, base: map[string]string{}, wake: make(chan struct{}, 1),
		again: writeAgain, values: map[string]string{}, was: map[string]string{},
	}
	if d.Name != "" {
		k.base["name"] = d.Name
	}
	for _, p := range d.set {
		k.base[p.Name] = p.Value
	}
	k.trial.boot = bootID(d.boardRoot())
	if dir, err := d.statePath(); err == nil { // without one: said when something is set
		k.read(dir)
	}
	if k.trial.serving = serving; serving {
		k.judge()
	}
	d.kept, d.Name = k, cmp.Or(k.name(), d.Name)
}

// read takes the file over.
func (k *keeper) read(dir string) {
	file := filepath.Join(dir, keptFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var kept struct{ Set, Was map[string]any }
	if err == nil {
		err = toml.Unmarshal(text, &kept)
	}
	if err != nil {
		k.log.Warn("what was set in an earlier run is not known any more", "file", file, "error", err)
		return
	}
	for name, v := range kept.Set {
		value, err := parameterText(v)
		if err != nil {
			k.log.Warn("a value that was set in an earlier run cannot be read", "file", file, "name", name, "error", err)
			continue
		}
		k.values[name] = value
		if was, err := parameterText(kept.Was[name]); err == nil {
			k.was[name] = was
		}
	}
	k.trial.read(filepath.Join(dir, trialFile), crc32.ChecksumIEEE(text))
}

// usable are the values that count, in the order of their names. While it keeps, the
// caller holds mu.
func (k *keeper) usable() (list []encoder.Parameter) {
	for name, value := range k.values {
		if !k.fixed[name] && k.was[name] == k.base[name] {
			list = append(list, encoder.Parameter{Name: name, Value: value})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// String lists what counts.
func (k *keeper) String() string {
	if k == nil {
		return "nothing (persist = false)"
	}
	var lines []string
	for _, p := range k.usable() {
		lines = append(lines, p.Name+"="+p.Value)
	}
	return cmp.Or(strings.Join(lines, " "), "nothing")
}

// name is the camera's that was set; "" if none was.
func (k *keeper) name() string {
	for _, p := range k.usable() {
		if p.Name == "name" && len(p.Value) <= 63 && !strings.ContainsFunc(p.Value, isControl) {
			return p.Value
		}
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// preset sets what was kept. What this camera does not take is left out, and
// stays in the file for the one that does.
func (k *keeper) preset(set func([]encoder.Parameter) error) {
	if k == nil {
		return
	}
	list := slices.DeleteFunc(k.usable(), func(p encoder.Parameter) bool { return p.Name == "name" })
	for len(list) > 0 {
		err := set(list)
		if err == nil {
			return
		}
		k.log.Warn("settings of an earlier run are left out", "error", err)
		wrong := namesIn(err)
		if len(wrong) == 0 {
			return
		}
		list = slices.DeleteFunc(list, func(p encoder.Parameter) bool { return wrong[p.Name] })
	}
}

// namesIn are the parameters that an error is about.
func namesIn(err error) map[string]bool {
	names := map[string]bool{}
	for _, e := range flattened(err) {
		var name *encoder.NameError
		var refused *encoder.Refused
		switch {
		case errors.As(e, &name):
			names[name.Name] = true
		case errors.As(e, &refused):
			names[refused.Name] = true
		}
	}
	return names
}

// note keeps a value that was set. An empty one changes nothing.
func (k *keeper) note(name, value string) {
	if k == nil || value == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.values[name], k.was[name] = value, k.base[name]
	k.dirty = true
	k.rouse()
}

func (k *keeper) rouse() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// keep writes what changes, at most once in settle, until ctx ends. What cannot
// be written is said once, and tried again with the next change, or a while later.
func (k *keeper) keep(ctx context.Context) error {
	again := time.NewTimer(k.again)
	defer again.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-again.C:
		case <-k.wake:
			_ = k.forgetTrial() // write says so
			wait := time.NewTimer(settle)
			select {
			case <-ctx.Done():
			case <-wait.C:
			}
			wait.Stop()
		}
		if again.Stop(); !k.write() {
			again.Reset(k.again)
		}
	}
	k.write()
	return nil
}

// write writes what is not yet written. False: that is to be tried again.
func (k *keeper) write() bool {
	err := errors.Join(k.forgetTrial(), k.writeSettings(), k.sets.write(k.dir))
	if err != nil {
		k.complain(err)
	}
	return err == nil
}

func (k *keeper) writeSettings() error {
	k.mu.Lock()
	text, tried := []byte(nil), false
	if k.dirty {
		text, tried = k.text(), len(k.usable()) > 0
	}
	k.dirty = false
	k.mu.Unlock()
	if text == nil {
		return nil
	}
	dir, err := k.dir()
	if err == nil && tried { // before they can be used by another start
		err = k.trial.change(filepath.Join(dir, trialFile), crc32.ChecksumIEEE(text))
	}
	if err == nil {
		err = durable.Write(filepath.Join(dir, keptFile), 0o600, text)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dirty = k.dirty || err != nil; err == nil {
		k.warned = false
	}
	return err
}

// text is the file. The caller holds mu.
func (k *keeper) text() []byte {
	b := []byte("# What was set while the camera ran. lensletd writes this file; without it the configuration counts.\n")
	names := slices.Sorted(maps.Keys(k.values))
	for _, table := range []struct {
		head string
		of   map[string]string
	}{{"[set]", k.values}, {"[was] # in the configuration at that time; where it is another now, that counts", k.was}} {
		b = fmt.Appendln(b, table.head)
		for _, name := range names {
			if value := table.of[name]; value != "" {
				b = fmt.Appendf(b, "%q = %q\n", name, strings.ToValidUTF8(value, "?"))
			}
		}
	}
	return b
}

// complain says that nothing can be kept, unless it was said.
func (k *keeper) complain(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.warned {
		k.log.Warn("what is set and seen cannot be kept for the next start", "error", err)
	}
	k.warned = true
}
