package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lenslet/board"
	"lenslet/board/advert"
	"lenslet/encoder"
	"lenslet/rtspd/wire"
)

// keptIn writes the file of an earlier run, and gives its directory.
func keptIn(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = filepath.Dir(newState(t))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, keptFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func listed(list []encoder.Parameter) string {
	var lines []string
	for _, p := range list {
		lines = append(lines, p.Name+"="+p.Value)
	}
	return strings.Join(lines, " ")
}

// A value counts as long as the configuration says what it said then, and the
// command line nothing.
func TestWhatWasSetCounts(t *testing.T) {
	for _, c := range []struct {
		name, settings string
		args           []string
		file           string
		want, warns    string
	}{
		{name: "nothing is kept"},
		{name: "two values", file: "[set]\ngop = \"5\"\nbitrate = \"1\"\n", want: "bitrate=1 gop=5"},
		{name: "over the configuration", settings: "[set]\ngop = 7\n", file: "[set]\ngop = \"5\"\n[was]\ngop = \"7\"\n", want: "gop=5"},
		{name: "edited since", settings: "[set]\ngop = 8\n", file: "[set]\ngop = \"5\"\nbitrate=\"1\"\n[was]\ngop = \"7\"\n", want: "bitrate=1"},
		{name: "written since", settings: "[set]\ngop = 8\n", file: "[set]\ngop = \"5\"\n", want: ""},
		{name: "removed since", file: "[set]\ngop = \"5\"\n[was]\ngop = \"7\"\n", want: ""},
		{name: "flag", args: []string{"-set", "gop=9"}, file: "[set]\ngop = \"5\"\nbitrate = \"1\"\n", want: "bitrate=1"},
		{name: "flag as before", args: []string{"-set", "gop=9"}, file: "[set]\ngop = \"5\"\n[was]\ngop = \"9\"\n", want: ""},
		{name: "name", settings: "name = \"x\"\n", file: "[set]\nname = \"Küche\"\n[was]\nname = \"x\"\n", want: "name=Küche"},
		{name: "name flag", args: []string{"-name", "y"}, file: "[set]\nname = \"Küche\"\n", want: ""},
		{name: "numbers as people write them", file: "[set]\ngop = 5\nframerate = 12.5\n", want: "framerate=12.5 gop=5"},
		{name: "a newer version's", file: "version = 9\n[set]\ngop = \"5\"\n[who]\ngop = \"admin\"\n", want: "gop=5"},
		{name: "a value of no use", file: "[set]\ngop = [1]\nbitrate = \"1\"\n", want: "bitrate=1", warns: "name=gop"},
		{name: "garbage", file: "\x00\x01 gop", warns: "not known any more"},
		{name: "cut off", file: "[set]\ngop = \"5", warns: "not known any more"},
		{name: "not a table", file: "set = 5\n"},
		{name: "off", settings: "persist = false\n", file: "[set]\ngop = \"5\"\n", want: "off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			keptIn(t, c.file)
			var logs bytes.Buffer
			d := daemonOf(t, &logs, io.Discard, c.settings, c.args...)
			d.recall(true)
			got := "off"
			if d.kept != nil {
				got = listed(d.kept.usable())
			}
			if got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
			if n := strings.Count(logs.String(), "\n"); (c.warns == "" && n > 0) || (c.warns != "" && n != 1) || !strings.Contains(logs.String(), c.warns) {
				t.Errorf("the log says:\n%s", &logs)
			}
		})
	}
}

func TestKeptName(t *testing.T) {
	for file, want := range map[string]string{
		"[set]\nname = \"Küche 2\"\n":                                     "Küche 2",
		"[set]\nname = \"\"\n":                                            "door",
		"[set]\nname = \"a\\nb\"\n":                                       "door",
		"[set]\nname = \"" + strings.Repeat("x", 64) + "\"\n":             "door",
		"[set]\nname = \"gate\"\n[was]\nname = \"another one\"\n":         "door",
		"[set]\nname = \"gate\"\ngop = \"5\"\n[was]\nname = \"door\"\n":   "gate",
		"[set]\nname = \"gate\"\n[was]\nname = \"door\"\nother = \"x\"\n": "gate",
	} {
		if !strings.Contains(file, "[was]") {
			file += "[was]\nname = \"door\"\n"
		}
		keptIn(t, file)
		d := daemonOf(t, io.Discard, io.Discard, "name = \"door\"\n")
		d.recall(true)
		if d.name() != want {
			t.Errorf("%q: %q, not %q", file, d.name(), want)
		}
	}
}

// What a camera does not take is left out; the rest counts.
func TestPresetLeavesOut(t *testing.T) {
	refuse := func(names ...string) func([]encoder.Parameter) error {
		return func(list []encoder.Parameter) error {
			var wrong []error
			for i, p := range list {
				switch {
				case len(names) > 0 && p.Name == names[0]:
					wrong = append(wrong, &encoder.NameError{Name: p.Name, Err: encoder.ErrUnknown})
				case len(names) > 1 && p.Name == names[1] && i == 0:
					return &encoder.Refused{Name: p.Name, Value: p.Value, Accepts: "nothing"}
				}
			}
			return errors.Join(wrong...)
		}
	}
	for _, c := range []struct {
		name string
		set  func([]encoder.Parameter) error
		want string
		logs int
	}{
		{"all are taken", refuse(), "a=1 b=2 c=3", 0},
		{"one is not", refuse("b"), "a=1 c=3", 1},
		{"two are not, one after the other", refuse("b", "a"), "c=3", 2},
		{"the device is gone", func([]encoder.Parameter) error { return os.ErrDeadlineExceeded }, "", 1},
	} {
		keptIn(t, "[set]\nname = \"x\"\na = \"1\"\nb = \"2\"\nc = \"3\"\n")
		var logs bytes.Buffer
		d := daemonOf(t, &logs, io.Discard, "")
		d.recall(true)
		got := ""
		d.kept.preset(func(list []encoder.Parameter) error {
			err := c.set(list)
			if err == nil {
				got = listed(list)
			}
			return err
		})
		if got != c.want || strings.Count(logs.String(), "\n") != c.logs {
			t.Errorf("%s: %q, not %q; the log says:\n%s", c.name, got, c.want, &logs)
		}
		if len(d.kept.values) != 4 {
			t.Errorf("%s: not all are kept for another camera: %v", c.name, d.kept.values)
		}
	}
}

// run keeps until the test's stop.
func (k *keeper) run(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = k.keep(ctx) }()
	return func() { cancel(); <-ended }
}

// What is written is read again as it was, whatever it was.
func TestKeptRoundTrip(t *testing.T) {
	dir := filepath.Dir(newState(t))
	values := map[string]string{
		"name": `Front "door" \ Küche 🚪`, "bitrate": "4000000", "power_line_frequency": "50 Hz", "odd.name=": "x",
		"spaces": "  # ]", "zero-width": "a\u200bb", "tag": "\U000e0001",
	}
	d := daemonOf(t, io.Discard, io.Discard, "name = \"x\"\n[set]\nbitrate = 1\n")
	d.recall(true)
	stop := d.kept.run(t)
	for name, value := range values {
		d.kept.note(name, value)
	}
	stop()
	d.kept.stopped()
	info, err := os.Stat(filepath.Join(dir, keptFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	var logs bytes.Buffer
	again := daemonOf(t, &logs, io.Discard, "name = \"x\"\n[set]\nbitrate = 1\n")
	again.recall(true)
	if !maps.Equal(again.kept.values, values) || logs.Len() > 0 {
		t.Errorf("%v, not %v\n%s", again.kept.values, values, &logs)
	}
	if n := len(again.kept.usable()); n != len(values) {
		t.Errorf("%d count, not %d", n, len(values))
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("there are %v", left)
	}
}

// Many changes in a short time are one write.
func TestChangesAreWrittenTogether(t *testing.T) {
	dir := filepath.Dir(newState(t))
	d := daemonOf(t, io.Discard, io.Discard, "")
	d.recall(true)
	writes := 0
	d.kept.dir = func() (string, error) { writes++; return d.stateDir() }
	for i := range 1000 { // before it is time to write, however slow this is
		d.kept.note("gop", fmt.Sprint(i+1))
	}
	stop := d.kept.run(t)
	file := filepath.Join(dir, keptFile)
	waitFor(t, time.Minute, "it is written", func() bool { b, _ := os.ReadFile(file); return bytes.Contains(b, []byte(`"gop" = "1000"`)) })
	stop()
	if writes != 1 {
		t.Errorf("written %d times", writes)
	}
}

// What cannot be kept is said once, until it can again; and it is no reason to
// try all the time.
func TestSettingsThatCannotBeKept(t *testing.T) {
	newState(t)
	var logs bytes.Buffer
	d := daemonOf(t, &logs, io.Discard, "")
	d.recall(true)
	k, tries := d.kept, 0
	full := true
	k.dir = func() (string, error) {
		if tries++; full {
			return "", errors.New("no space left on device")
		}
		return d.stateDir()
	}
	for range 3 {
		k.note("gop", "5")
		k.write()
	}
	if n := strings.Count(logs.String(), "cannot be kept"); n != 1 || tries != 3 {
		t.Errorf("%d tries; the log says:\n%s", tries, &logs)
	}
	full = false
	k.write()
	k.write()
	if dir, _ := d.stateDir(); tries != 4 || len(readKept(t, dir)) == 0 {
		t.Errorf("%d tries, and there is %q", tries, readKept(t, dir))
	}
	full = true
	k.note("gop", "6")
	k.write()
	if n := strings.Count(logs.String(), "cannot be kept"); n != 2 {
		t.Errorf("the log says:\n%s", &logs)
	}
}

// What could not be written is written when there is room, also if nothing changes
// any more.
func TestWrittenWhenThereIsRoom(t *testing.T) {
	file := filepath.Join(filepath.Dir(newState(t)), keptFile)
	var full atomic.Bool
	full.Store(true)
	logs := &buffer{}
	d := daemonOf(t, logs, io.Discard, "")
	d.recall(true)
	tried := make(chan struct{}, 1000)
	d.kept.again = 10 * time.Millisecond
	d.kept.dir = func() (string, error) {
		tried <- struct{}{}
		if full.Load() {
			return "", errors.New("no space left on device")
		}
		return d.stateDir()
	}
	stop := d.kept.run(t)
	defer stop()
	d.kept.note("gop", "5")
	for range 3 {
		<-tried
	}
	full.Store(false)
	waitFor(t, time.Minute, "it is written", func() bool { b, _ := os.ReadFile(file); return bytes.Contains(b, []byte(`"gop" = "5"`)) })
	if n := strings.Count(logs.String(), "cannot be kept"); n != 1 {
		t.Errorf("the log says:\n%s", logs)
	}
}

func readKept(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, keptFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Only what is in force is kept, and nothing that only does something once.
func TestWhatIsKept(t *testing.T) {
	newState(t)
	d := daemonOf(t, io.Discard, io.Discard, "source = \"pattern\"\n")
	d.openSource = openSource
	d.recall(true)
	p, err := d.openPipeline()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.pipeline.Close() }()
	if p.advert, err = advert.New(advert.Service{Name: "x", Host: "h", Port: 1}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		changes []wire.Parameter
		want    string
	}{
		{[]wire.Parameter{{Name: "name", Value: "Front door"}}, "name=Front door"},
		{[]wire.Parameter{{Name: "name", Value: ""}}, "name=Front door"},
		{[]wire.Parameter{{Name: "gop", Value: "none"}}, "name=Front door"},
		{[]wire.Parameter{{Name: "name", Value: "a\nb"}}, "name=Front door"},
	} {
		_ = p.Set(context.Background(), c.changes)
		if got := listed(d.kept.usable()); got != c.want {
			t.Errorf("after %v: %q", c.changes, got)
		}
	}
}

// What was set while the camera ran is in force after a restart, with the keys
// of all kinds of parameters.
func TestSettingsSurviveARestart(t *testing.T) {
	dir := filepath.Dir(newState(t))
	persist := func(d *daemon) { d.Persist = true }
	url, _, stop := startTuned(t, persist, "-source", "pattern", "-set", "gop=50")
	v := dialViewer(t, url)
	v.play("tcp")
	v.set(wire.OK, "resolution: 320x240", "framerate: 15", "bitrate: 700000", "brightness: 7")
	v.set(wire.OK, "keyframe: now")
	v.set(wire.OK, "gop: 20")
	v.set(wire.InvalidRange, "bitrate: 900000", "brightness: 4000")
	stop()
	text := readKept(t, dir)
	if strings.Contains(text, "keyframe") || strings.Contains(text, "4000") {
		t.Errorf("kept:\n%s", text)
	}
	url, _, stop = startTuned(t, persist, "-source", "pattern", "-set", "gop=50")
	v = dialViewer(t, url)
	v.play("tcp")
	for name, want := range map[string]string{"resolution": "320x240", "framerate": "15", "bitrate": "700000", "brightness": "7", "gop": "50"} {
		if got := v.get(name); got != want {
			t.Errorf("%s is %s after the restart, not %s", name, got, want)
		}
	}
	v.units(10)
	stop()
	var checked bytes.Buffer
	d := &daemon{config: parse(t, "source = \"pattern\"\n").config, stdout: &checked, id: board.Identify(), log: slog.New(slog.DiscardHandler), openSource: openSource}
	if err := d.check(); err != nil || !strings.Contains(checked.String(), "bitrate=700000") {
		t.Errorf("-check says, with %v:\n%s", err, &checked)
	}
}
