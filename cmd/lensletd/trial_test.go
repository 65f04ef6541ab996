package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func exists(t *testing.T, file string) bool {
	t.Helper()
	_, err := os.Stat(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// Starts that come to nothing are counted; the third is one without what was
// kept.
func TestTrials(t *testing.T) {
	const fail, stop, late, good, away, check = "fail", "stop", "late", "good", "away", "check"
	const changed, proven = "changed", "changed, and proven"
	const cut, gaveUp = "cut", "gave up" // the board ends too: power goes, or lensletd has it restarted
	for _, c := range []struct {
		starts []string
		aside  bool // after them
	}{
		{[]string{}, false},
		{[]string{fail}, false},
		{[]string{fail, fail}, true},
		{[]string{fail, good, fail}, false},
		{[]string{fail, stop, stop, stop}, false},
		{[]string{fail, stop, fail}, true},
		{[]string{late, late}, true}, // systemd gave up waiting for frames
		{[]string{away, away, away}, false},
		{[]string{fail, away, fail}, false},
		{[]string{fail, check, check}, false},
		{[]string{cut, cut, cut}, false},
		{[]string{cut, cut, cut, cut}, true}, // the board hangs
		{[]string{cut, cut, cut, good, cut}, false},
		{[]string{cut, cut, cut, stop, stop}, false},
		{[]string{cut, stop, fail, cut}, false},
		{[]string{fail, cut, stop, fail}, true},
		{[]string{gaveUp, cut}, false},
		{[]string{gaveUp, stop, gaveUp}, true},
		{[]string{fail, changed}, false},
		{[]string{fail, changed, stop, stop}, false},
		{[]string{fail, changed, fail}, true}, // the second that fails with what was changed
		{[]string{fail, changed, good, fail}, false},
		{[]string{fail, proven, fail}, false},
		{[]string{fail, proven, fail, fail}, true},
		{[]string{changed, changed, changed}, false}, // others each time
	} {
		dir := keptIn(t, "[set]\ngop = \"5\"\n")
		root, boots := t.TempDir(), 0
		reboot := func() {
			boots++
			file := filepath.Join(root, "proc/sys/kernel/random/boot_id")
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, fmt.Appendf(nil, "boot-%d\n", boots), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		reboot()
		start := func(how string) *keeper {
			d := daemonOf(t, io.Discard, io.Discard, "")
			d.root = root
			d.recall(how != check)
			d.kept.begin()
			return d.kept
		}
		for i, how := range c.starts {
			k := start(how)
			if len(k.usable()) != 1 {
				t.Errorf("%v: start %d is one without what was kept", c.starts, i)
			}
			ended := k.run(t)
			switch how {
			case stop:
				k.frame()
				ended()
				k.stopped()
			case late:
				k.trial.begun = k.trial.begun.Add(-time.Minute)
				ended()
				k.stopped()
			case good:
				k.frame()
				k.trial.first = k.trial.first.Add(-proof)
				k.frame()
				ended()
				k.stopped()
			case away:
				k.acquit()
				ended()
			case cut:
				ended()
				reboot()
			case gaveUp:
				k.gaveUp()
				k.gaveUp()
				ended()
				reboot()
			case changed: // and killed
				k.note("gop", fmt.Sprint(i+10))
				ended()
			case proven: // and killed later
				k.note("gop", fmt.Sprint(i+10))
				k.writeSettings()
				k.frame()
				k.trial.first = k.trial.first.Add(-proof)
				k.frame()
				ended()
			default: // it is killed
				ended()
			}
		}
		trialled := exists(t, filepath.Join(dir, trialFile))
		k := start(fail)
		if aside := len(k.usable()) == 0; aside != c.aside || exists(t, filepath.Join(dir, keptFile+".bad")) != c.aside || exists(t, filepath.Join(dir, keptFile)) == c.aside {
			t.Errorf("%v: set aside is %v", c.starts, aside)
		}
		if n := len(c.starts); n > 0 && trialled != !slices.Contains([]string{good, away, proven}, c.starts[n-1]) {
			t.Errorf("%v: a note of the trial is left behind: %v", c.starts, trialled)
		}
	}
}

func TestTrialFileOfNoUse(t *testing.T) {
	for _, text := range []string{"", "x", "2", "2 zz\n", "-1 0\n", "99999999999999999999 00000000\n", "5 5 00000000 -\n", "5 5 00000000\n"} {
		dir := keptIn(t, "[set]\ngop = \"5\"\n")
		if err := os.WriteFile(filepath.Join(dir, trialFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d := daemonOf(t, io.Discard, io.Discard, "")
		d.recall(true)
		if len(d.kept.usable()) != 1 {
			t.Errorf("%q: set aside", text)
		}
	}
}

// Settings with which lensletd is killed twice before frames came for 10 s are
// not used a third time; the configuration is.
func TestBadSettingsAreSetAside(t *testing.T) {
	dir := keptIn(t, "[set]\nresolution = \"480x270\"\nbrightness = \"3\"\n[was]\nresolution = \"320x240\"\n")
	bin := program(t)
	for i, want := range []string{"480x270", "480x270", "320x240"} {
		r := launch(t, bin, "-source", "pattern")
		v := dialViewer(t, r.url)
		v.play("tcp")
		if got := v.get("resolution"); got != want {
			t.Errorf("start %d: %s, not %s", i, got, want)
		}
		r.kill()
		if said := strings.Count(r.logs.String(), "brightness=3 resolution=480x270"); said != i/2 {
			t.Errorf("start %d: the log says:\n%s", i, r.logs)
		}
	}
	if !exists(t, filepath.Join(dir, keptFile+".bad")) || exists(t, filepath.Join(dir, keptFile)) || exists(t, filepath.Join(dir, trialFile)) {
		t.Error("the settings are not set aside")
	}
}

// A camera that refuses to start with what was kept starts without, soon.
func TestRefusedSettingsAreSetAside(t *testing.T) {
	keptIn(t, "[set]\nresolution = \"8000x8000\"\n[was]\nresolution = \"320x240\"\n") // no picture of the pattern is as large
	bin := program(t)
	var said bytes.Buffer
	for range maxTries {
		r := spawn(t, bin, "-source", "pattern")
		<-r.ended
		if r.err == nil {
			t.Fatalf("no failure:\n%s", r.logs)
		}
		said.WriteString(r.logs.String())
	}
	r := launch(t, bin, "-source", "pattern")
	if strings.Contains(said.String(), "set aside") || strings.Count(r.logs.String(), "set aside") != 1 {
		t.Errorf("the log says:\n%s%s", &said, r.logs)
	}
}
