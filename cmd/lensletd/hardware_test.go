package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/board"
	"lenslet/rtspd/wire"
)

// onBoard lays out the recorded board of that name, and makes it the daemon's.
func onBoard(t *testing.T, name string) (root string, tune func(*daemon)) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../board/testdata", name+".board"))
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	for line := range strings.Lines(string(text)) {
		path, quoted, _ := strings.Cut(strings.TrimSpace(line), " ")
		content, err := strconv.Unquote(quoted)
		if path == "#" {
			continue
		}
		file := filepath.Join(root, path)
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root, func(d *daemon) { d.root, d.id = root, board.IdentifyIn(root) }
}

// TestHardwareIsTold: everybody who may read parameters can see what the camera runs
// on and how that is, by any client and by lensletctl.
func TestHardwareIsTold(t *testing.T) {
	_, tune := onBoard(t, "zero2w")
	url, _, _ := startTuned(t, tune, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=10")
	want := map[string]string{
		"model": "Raspberry Pi Zero 2 W Rev 1.0", "revision": "902120", "serial": "00000000ABcdef12", "family": "bcm2837",
		"temperature": "51.5", "throttled": "under-voltage, throttled", "memory_free": "215040000",
		"cma_total": "268435456", "cma_free": "9216000", "wifi_signal": "-48",
	}
	v := dialViewer(t, url)
	v.play("tcp")
	for name, value := range want {
		if got := v.get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
		v.set(wire.ParameterIsReadOnly, name+": 1")
	}
	ctl := filepath.Join(t.TempDir(), "lensletctl")
	client(t, 5*time.Minute, "go", "build", "-o", ctl, "../lensletctl")
	out, _ := client(t, time.Minute, ctl, "get", url)
	for name, value := range want {
		if !strings.Contains(out, name) || !strings.Contains(out, value) {
			t.Errorf("lensletctl get does not show %s %s:\n%s", name, value, out)
		}
	}
}

// What a board does not tell is unknown, not an error.
func TestHardwareThatTellsNothing(t *testing.T) {
	_, tune := onBoard(t, "container")
	url, _, _ := startTuned(t, tune, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=10")
	v := dialViewer(t, url)
	v.play("tcp")
	for _, name := range boardNames() {
		if got := v.get(name); got != unknown && name != "model" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// TestHardwareRefusesAtStart: too large a picture for the board's encoder is a
// mistake in the configuration, told with its line and what would be right.
func TestHardwareRefusesAtStart(t *testing.T) {
	const right = "framerate 60 is not possible here; accepted: up to 30 at 1920x1080, or 1280x720 at 60 (Raspberry Pi Zero W Rev 1.1)"
	_, tune := onBoard(t, "zerow")
	file := configFile(t, "listen = \"127.0.0.1:0\"\nauth = \"none\"\nmdns = false\npersist = false\nsource = \"pattern\"\n[set]\nresolution = \"1920x1080\"\nframerate = 60\n")
	for name, args := range map[string][]string{
		file + ":8: ": {"-config", file},
		"":            {"-config", configFile(t, "mdns = false\npersist = false\n"), "-listen", "127.0.0.1:0", "-auth", "none", "-source", "pattern", "-set", "resolution=1920x1080", "-set", "framerate=60"},
	} {
		o, err := parseFlags(args, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		for what, do := range map[string]func(*daemon) error{"start": func(d *daemon) error { return d.serve(context.Background()) }, "-check": (*daemon).check} {
			d := &daemon{config: o.config, stdout: &bytes.Buffer{}, log: slog.New(slog.DiscardHandler), openSource: openSource}
			tune(d)
			err := do(d)
			var usage *usageError
			if !errors.As(err, &usage) || err.Error() != name+right {
				t.Errorf("%s says %v, want %s", what, err, name+right)
			}
		}
	}
}

// TestHardwareRefusesAChange: SET_PARAMETER, too, and all stays as it was.
func TestHardwareRefusesAChange(t *testing.T) {
	_, tune := onBoard(t, "zerow")
	url, _, _ := startTuned(t, tune, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=10")
	v := dialViewer(t, url)
	v.play("tcp")
	for _, c := range []struct{ lines, want string }{
		{"resolution: 1920x1080\r\nframerate: 60", "framerate: up to 30 at 1920x1080, or 1280x720 at 60 (Raspberry Pi Zero W Rev 1.1)"},
		{"resolution: 2560x1440", "resolution: up to 1920 pixels each way, such as 1920x1080 (Raspberry Pi Zero W Rev 1.1)"},
	} {
		if got := strings.TrimSpace(v.set(wire.InvalidRange, c.lines)); got != c.want {
			t.Errorf("%q is answered %q, want %q", c.lines, got, c.want)
		}
	}
	if got := v.get("resolution") + " " + v.get("framerate"); got != "320x240 10" {
		t.Errorf("afterwards it is %s", got)
	}
	v.units(5)
}

// TestHardwareBeginsWithItsOwn: where the configuration is silent the table counts,
// else the configuration.
func TestHardwareBeginsWithItsOwn(t *testing.T) {
	for _, c := range []struct {
		board, settings, want string
		args                  []string
	}{
		{"zerow", "", "1280x720 at 30", nil},
		{"pi3b", "", "1920x1080 at 30", nil},
		{"pi3b", "", "1280x720 at 60", []string{"-set", "framerate=60"}},
		{"pi4b8", "", "1920x1080 at 50", []string{"-set", "framerate=50"}},
		{"pi4b8", "[set]\nresolution = \"640x360\"\n", "640x360 at 30", nil},
		{"pc", "", "1280x720 at 30", nil},
	} {
		var out, logs bytes.Buffer
		d := daemonOf(t, &logs, &out, "auth = \"none\"\n"+c.settings, append([]string{"-source", "pattern"}, c.args...)...)
		_, tune := onBoard(t, c.board)
		d.openSource = openSource
		tune(d)
		if err := d.check(); err != nil || !strings.Contains(out.String(), "\nstream    /main, "+c.want) ||
			!strings.Contains(out.String(), "\nboard     "+d.id.Model+"; it begins with ") {
			t.Errorf("%s with %q %v: %v\n%s", c.board, c.settings, c.args, err, &out)
		}
	}
}

// TestLEDShowsTheStream: starting, streaming, fault, streaming, and in the end
// what it was; with led = false it is let alone.
func TestLEDShowsTheStream(t *testing.T) {
	root, tune := onBoard(t, "zerow")
	trigger := filepath.Join(root, "sys/class/leds/ACT/trigger")
	owners, err := os.ReadFile(trigger)
	if err != nil {
		t.Fatal(err)
	}
	shows := func(want string) {
		t.Helper()
		waitFor(t, 30*time.Second, "the LED shows "+want, func() bool { b, err := os.ReadFile(trigger); return err == nil && string(b) == want })
	}
	cable := &plug{}
	_, _, stop := startTuned(t, func(d *daemon) { tune(d); d.openSource = cable.open }, "-set", "resolution=320x240", "-set", "framerate=10")
	shows("default-on")
	cable.out.Store(true)
	shows("timer")
	cable.out.Store(false)
	shows("default-on")
	stop()
	shows("mmc0")

	if err := os.WriteFile(trigger, owners, 0o644); err != nil {
		t.Fatal(err)
	}
	file := configFile(t, "led = false\nauth = \"none\"\n")
	url, _, stop := startTuned(t, tune, "-config", file, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=10")
	v := dialViewer(t, url)
	v.play("tcp")
	waitFor(t, 30*time.Second, "it streams", func() bool { return v.get("state") == "streaming" })
	stop()
	shows(string(owners))
}
