//go:build virt

package v4l2

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The devices of the virtual board (board/virt/README.md).
const (
	webcam = "/dev/video0"  // vivid, single-planar
	multi  = "/dev/video1"  // vivid, multi-planar
	hdmi   = "/dev/video2"  // vivid, single-planar, sizes in a range
	codec  = "/dev/video11" // vh264enc
)

// patience is how long a driver may take on a slow machine.
const patience = 30 * time.Second

func open(t testing.TB, path string) *Device {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return d
}

// small sets 320x180 YUYV at 60 frames per second, the fastest of vivid's.
func small(t testing.TB, d *Device, typ BufType) Format {
	t.Helper()
	f, err := d.SetFormat(typ, Format{FourCC: YUYV, Width: 320, Height: 180, Field: FieldNone})
	if err != nil {
		t.Fatal(err)
	}
	if f.FourCC != YUYV || f.Width != 320 || f.Height != 180 {
		t.Fatalf("the driver made %+v of 320x180 YUYV", f)
	}
	if _, err := d.SetFrameInterval(typ, Fraction{1, 60}); err != nil {
		t.Fatal(err)
	}
	return f
}

// buffers requests n buffers, and gives them back in the end.
func buffers(t testing.TB, q *Queue, n int, m Memory) {
	t.Helper()
	got, err := q.Request(n, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := q.Request(0, m); err != nil && !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ENODEV) {
			t.Error(err)
		}
	})
	if got < n || q.Len() != got {
		t.Fatalf("%d buffers of %d, Len %d", got, n, q.Len())
	}
}

// start hands all buffers to the driver and starts the flow until the end.
func start(t testing.TB, q *Queue) {
	t.Helper()
	for i := range q.Len() {
		if err := q.Enqueue(Buffer{Index: i, FD: -1}); err != nil {
			t.Fatal(err)
		}
	}
	on(t, q)
}

// on starts the flow until the end.
func on(t testing.TB, q *Queue) {
	t.Helper()
	if err := q.StreamOn(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.StreamOff(); err != nil && !errors.Is(err, unix.ENODEV) {
			t.Error(err)
		}
	})
}

// next waits for a buffer.
func next(t testing.TB, q *Queue) Buffer {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		b, err := q.Dequeue()
		if err == nil {
			return b
		}
		if !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		events := int16(unix.POLLIN)
		if q.typ.Output() {
			events = unix.POLLOUT
		}
		if _, err := q.d.Poll(events, deadline); err != nil {
			t.Fatal(err)
		}
	}
}

// write puts text into a file of the kernel's.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}
