package v4l2

import (
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pipe is a Device whose descriptor is the reading end of a pipe, and the
// writing end.
func pipe(t *testing.T) (*Device, int) {
	t.Helper()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	d := &Device{path: "pipe", fd: p[0], wake: wake}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), unix.Close(p[1])); err != nil {
			t.Error(err)
		}
	})
	return d, p[1]
}

func TestPollReady(t *testing.T) {
	d, w := pipe(t)
	if _, err := unix.Write(w, []byte{1}); err != nil {
		t.Fatal(err)
	}
	// a deadline in the past still tells what is there
	for _, deadline := range []time.Time{{}, time.Now().Add(time.Hour), time.Unix(1, 0)} {
		if got, err := d.Poll(unix.POLLIN, deadline); got != unix.POLLIN || err != nil {
			t.Errorf("deadline %v: %#x, %v", deadline, got, err)
		}
	}
}

func TestPollDeadline(t *testing.T) {
	d, _ := pipe(t)
	for _, deadline := range []time.Time{time.Unix(1, 0), time.Now().Add(20 * time.Millisecond)} {
		_, err := d.Poll(unix.POLLIN, deadline)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("deadline %v: %v", deadline, err)
		}
		if time.Now().Before(deadline) {
			t.Error("too early")
		}
	}
}

func TestWakeUnderWay(t *testing.T) {
	d, _ := pipe(t)
	done := make(chan error) // closed by nobody: one value
	go func() {
		_, err := d.Poll(unix.POLLIN, time.Time{})
		done <- err
	}()
	d.Wake()
	if err := <-done; err != ErrWoken {
		t.Errorf("got %v", err)
	}
}

func TestWakeBefore(t *testing.T) {
	d, w := pipe(t)
	for range 3 { // they count as one
		d.Wake()
	}
	if _, err := unix.Write(w, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Poll(unix.POLLIN, time.Time{}); err != ErrWoken {
		t.Errorf("first %v", err)
	}
	if got, err := d.Poll(unix.POLLIN, time.Time{}); got != unix.POLLIN || err != nil {
		t.Errorf("then %#x, %v", got, err)
	}
}

func TestPollErrors(t *testing.T) {
	d, _ := pipe(t)
	fd := d.fd
	d.fd = 1 << 20 // not open
	if _, err := d.Poll(unix.POLLIN, time.Time{}); !errors.Is(err, unix.EBADF) {
		t.Errorf("got %v", err)
	}
	d.fd = fd
}

func TestPollAllocatesNothing(t *testing.T) {
	d, w := pipe(t)
	if _, err := unix.Write(w, []byte{1}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Hour)
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Poll(unix.POLLIN, deadline) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTimeout(t *testing.T) {
	if got := timeout(time.Time{}); got != -1 {
		t.Errorf("no deadline: %d", got)
	}
	if got := timeout(time.Now().Add(-time.Second)); got != 0 {
		t.Errorf("past: %d", got)
	}
	if got := timeout(time.Now().Add(10 * time.Minute)); got < 590_000 || got > 600_000 {
		t.Errorf("10 minutes: %d ms", got)
	}
	if got := timeout(time.Now().Add(60 * 24 * time.Hour)); got != math.MaxInt32 {
		t.Errorf("60 days: %d ms", got)
	}
}
