package main

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lenslet/capture"
	"lenslet/encoder"
)

// supervisor is a systemd that listens.
func supervisor(t *testing.T, watchdog string) *net.UnixConn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", watchdog)
	return c
}

// hear reads messages until one is the given; false if none comes in time.
func hear(t *testing.T, c *net.UnixConn, want string, limit time.Duration) bool {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(limit))
	buf := make([]byte, 256)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return false
		}
		if string(buf[:n]) == want {
			return true
		}
	}
}

// A stopping source gives frames until it is told to fall silent.
type stopping struct {
	encoder.Source
	silent chan struct{} // closed by the test
}

func (s *stopping) Next(deadline time.Time) (*capture.Frame, error) {
	f, err := s.Source.Next(deadline)
	select {
	case <-s.silent:
		if err == nil {
			f.Release()
		}
		return nil, os.ErrDeadlineExceeded
	default:
		return f, err
	}
}

// TestWatchdogIsFedByFrames: systemd hears READY once a frame was published, the
// watchdog's food while frames flow, and STOPPING.
func TestWatchdogIsFedByFrames(t *testing.T) {
	systemd := supervisor(t, "1000000")
	_, stop := start(t, "-source", "pattern", "-set", "resolution=320x240")
	if !hear(t, systemd, "READY=1", 20*time.Second) {
		t.Fatal("systemd did not hear that the camera is ready")
	}
	for range 3 {
		if !hear(t, systemd, "WATCHDOG=1", 20*time.Second) {
			t.Fatal("the watchdog was not fed while frames flow")
		}
	}
	stop()
	if !hear(t, systemd, "STOPPING=1", 20*time.Second) {
		t.Error("systemd did not hear that the camera stops")
	}
}

// TestWatchdogOfASlowStream: the watchdog's time may be short for a camera that is
// slow; it is fed from one picture to the next, and while something is tried against
// their absence. Once nothing is left it is not (TestTendedUntilItGivesUp).
func TestWatchdogOfASlowStream(t *testing.T) {
	systemd := supervisor(t, "1000000")
	silent := make(chan struct{})
	startWith(t, func(string, *slog.Logger) (encoder.Source, error) {
		return &stopping{capture.NewPattern(), silent}, nil
	}, "-set", "resolution=320x240", "-set", "framerate=1")
	close(silent)
	for i := range 12 {
		if !hear(t, systemd, "WATCHDOG=1", 10*time.Second) {
			t.Fatalf("fed %d times: systemd would restart a stream with a picture each second", i)
		}
	}
}

// TestNotReadyWithoutFrames: no READY while the source is silent, but more time for
// the start.
func TestNotReadyWithoutFrames(t *testing.T) {
	systemd := supervisor(t, "1000000")
	silent := make(chan struct{})
	close(silent)
	d := &daemon{
		config: config{Listen: "127.0.0.1:0", Source: "pattern", Encoder: "auto", Auth: "none", Packet: 1400},
		stdout: io.Discard, log: slog.New(slog.DiscardHandler),
		openSource: func(string, *slog.Logger) (encoder.Source, error) {
			return &stopping{capture.NewPattern(), silent}, nil
		},
	}
	ctx, cancel := timeout(t)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- d.serve(ctx) }()
	if !hear(t, systemd, "EXTEND_TIMEOUT_USEC=1000000", 20*time.Second) {
		t.Error("systemd would end a start that is slow")
	}
	if hear(t, systemd, "READY=1", time.Second) {
		t.Error("ready without a frame")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
