package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lenslet/board"
	"lenslet/encoder"
)

// scratch is a directory for all tests.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "lensletd-test"); err == nil { // and not the state of whoever runs the tests
		err = errors.Join(os.Setenv("XDG_STATE_HOME", filepath.Join(scratch, "state")), os.Unsetenv("STATE_DIRECTORY"))
	}
	if err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(scratch)
		os.Exit(code)
	}))
}

// A buffer that one goroutine writes and another reads.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

var urlPattern = regexp.MustCompile(`rtsp://[^\s"]+`)

// start runs lensletd in this process until the test ends, and gives the URL
// that it prints. The arguments come on top of a free port on loopback, no
// passwords and no discovery.
func start(t *testing.T, args ...string) (address string, stop func()) {
	t.Helper()
	return startWith(t, openSource, args...)
}

// startSaying does so, and gives all that lensletd prints.
func startSaying(t *testing.T, args ...string) string {
	t.Helper()
	_, out, _ := startDaemon(t, openSource, args...)
	waitFor(t, 20*time.Second, "lensletd has said everything", func() bool { return strings.HasSuffix(out.String(), "\n\n") })
	return out.String()
}

// startWith does so with a source of the test's choice.
func startWith(t *testing.T, open func(string, *slog.Logger) (encoder.Source, error), args ...string) (address string, stop func()) {
	t.Helper()
	address, _, stop = startDaemon(t, open, args...)
	return address, stop
}

func startDaemon(t *testing.T, open func(string, *slog.Logger) (encoder.Source, error), args ...string) (address string, out *buffer, stop func()) {
	t.Helper()
	return startTuned(t, func(d *daemon) { d.openSource = open }, args...)
}

// startTuned lets a test change what no setting does.
func startTuned(t *testing.T, tune func(*daemon), args ...string) (address string, out *buffer, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out = &buffer{}
	logs := &buffer{}
	o, err := parseFlags(append([]string{"-listen", "127.0.0.1:0", "-auth", "none"}, args...), logs)
	if err != nil {
		t.Fatal(err)
	}
	o.MDNS, o.Persist = false, false
	d := &daemon{config: o.config, stdout: out, id: board.Identify(), log: slog.New(slog.NewTextHandler(logs, nil)), openSource: openSource}
	tune(d)
	ended := make(chan error, 1)
	go func() { ended <- d.serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("lensletd: %v\n%s", err, logs)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("lensletd did not stop\n%s", logs)
		}
	})
	t.Cleanup(stop)
	waitFor(t, 20*time.Second, "lensletd streams", func() bool {
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("lensletd: %v\n%s", err, logs)
		default:
		}
		address = urlPattern.FindString(out.String())
		return address != ""
	})
	return address, out, stop
}

// client runs a program and gives its output. The test fails unless it exits
// with 0 within the limit.
func client(t *testing.T, limit time.Duration, name string, args ...string) (stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return out.String(), errs.String()
}

// pipe runs a program whose output is read while it runs.
func pipe(t *testing.T, name string, args ...string) (io.Reader, func() (stderr string)) {
	t.Helper()
	out, wait, _ := endless(t, name, args...)
	return out, wait
}

// endless does so with a program that runs until it is told to end.
func endless(t *testing.T, name string, args ...string) (out io.Reader, wait func() (stderr string), end func()) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait = sync.OnceValue(func() string {
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		return errs.String()
	})
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Process.Kill()
		wait()
	}
	t.Cleanup(end)
	return out, wait, end
}
