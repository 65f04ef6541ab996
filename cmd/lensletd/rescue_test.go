package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lenslet/board"
	"lenslet/capture"
	"lenslet/encoder"
)

// TestRescue: of starts that give up in a row the third starts the board anew,
// and none after it, until pictures came for a while.
func TestRescue(t *testing.T) {
	dir := t.TempDir()
	place := &config{State: dir}
	logs := &buffer{}
	log := slog.New(slog.NewTextHandler(logs, nil))
	start := func() *rescue { return newRescue(place, true, log) }
	give := func(want bool) {
		t.Helper()
		r := start()
		r.gaveUp()
		if got := r.hopeless(); got != want {
			t.Errorf("the board is to be started anew: %v, want %v", got, want)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if !want {
			cancel()
		}
		if err := r.await(ctx); errors.Is(err, errReboot) != want || (err != nil) != want {
			t.Errorf("it ends with %v", err)
		}
		cancel()
	}
	for range 2 {
		for _, want := range []bool{false, false, true, false, false} {
			give(want)
		}
		r := start()
		r.frame()
		if !exists(t, filepath.Join(dir, rescueFile)) {
			t.Error("one picture is proof enough")
		}
		r.first = time.Now().Add(-proof)
		r.frame()
		r.frame()
		if exists(t, filepath.Join(dir, rescueFile)) {
			t.Error("pictures do not end the count")
		}
	}
	r := start() // which gives pictures, and then none for good
	r.first = time.Now().Add(-proof)
	r.frame()
	r.gaveUp()
	r.frame()
	r.first = time.Now().Add(-proof)
	r.frame()
	if exists(t, filepath.Join(dir, rescueFile)) {
		t.Error("pictures that come back do not end the count")
	}
	if logs.String() != "" {
		t.Error(logs.String())
	}
}

// TestRescueInVain: without a supervisor, or where nothing can be kept, the board
// is left alone.
func TestRescueInVain(t *testing.T) {
	dir := t.TempDir()
	logs := &buffer{}
	log := slog.New(slog.NewTextHandler(logs, nil))
	alone := newRescue(&config{State: dir}, false, log)
	alone.gaveUp()
	alone.frame()
	if alone.hopeless() || exists(t, filepath.Join(dir, rescueFile)) {
		t.Error("it counts where nobody restarts it")
	}
	if err := os.WriteFile(filepath.Join(dir, rescueFile), []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := newRescue(&config{State: "/dev/null/none"}, true, log)
	nowhere.gaveUp()
	if nowhere.hopeless() || strings.Count(logs.String(), "/dev/null/none") != 1 {
		t.Errorf("without a place for the count: %s", logs)
	}
}

// TestGivesUp: a source that falls silent for good ends the third start in a row
// with the error that starts the board anew; `faults` counts the last rung before.
func TestGivesUp(t *testing.T) {
	dir := filepath.Dir(newState(t))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, rescueFile)
	if err := os.WriteFile(file, []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = supervisor(t, "60000000")
	silent := make(chan struct{})
	o, err := parseFlags([]string{"-listen", "127.0.0.1:0", "-auth", "none", "-source", "pattern", "-set", "resolution=320x240"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.MDNS = false
	out, logs := &buffer{}, &buffer{}
	d := &daemon{config: o.config, stdout: out, id: board.Identify(), log: slog.New(slog.NewTextHandler(logs, nil)),
		openSource: func(string, *slog.Logger) (encoder.Source, error) {
			return &stopping{capture.NewPattern(), silent}, nil
		}}
	ctx, cancel := timeout(t)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- d.serve(ctx) }()
	waitFor(t, time.Minute, "the stream begins", func() bool { return strings.Contains(out.String(), "rtsp://") })
	close(silent)
	if err := <-ended; !errors.Is(err, errReboot) {
		t.Errorf("ended with %v\n%s", err, logs)
	}
	if _, faults, _ := d.pipeline.Health(); !strings.Contains(faults, "watchdog=1") {
		t.Errorf("the faults are %q", faults)
	}
	if b, _ := os.ReadFile(file); string(b) != "3\n" {
		t.Errorf("the count is %q", b)
	}
}
