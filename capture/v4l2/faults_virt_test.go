//go:build virt

package v4l2

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fault finds one of vivid's controls by its key.
func fault(t *testing.T, d *Device, key string) uint32 {
	t.Helper()
	all, err := d.Controls()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Key() == key {
			return c.ID
		}
	}
	t.Fatalf("%s has no control %s", d.Path(), key)
	return 0
}

// press sets a control, and sets it back in the end.
func press(t *testing.T, d *Device, key string, v, back int64) {
	t.Helper()
	id := fault(t, d, key)
	if err := d.SetControl(id, v); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.SetControl(id, back); err != nil && !errors.Is(err, unix.ENODEV) {
			t.Error(err)
		}
	})
}

// faulty is vivid, streaming; it has controls that inject faults.
func faulty(t *testing.T) (*Device, *Queue) {
	t.Helper()
	d := open(t, webcam)
	small(t, d, VideoCapture)
	q := d.Queue(VideoCapture)
	buffers(t, q, 4, MMAP)
	start(t, q)
	return d, q
}

func TestVirtErrorFlag(t *testing.T) {
	d, q := faulty(t)
	if b := next(t, q); b.Flags&FlagError != 0 {
		t.Errorf("a good frame has flags %#x", b.Flags)
	} else if err := q.Enqueue(b); err != nil {
		t.Fatal(err)
	}
	if err := d.SetControl(fault(t, d, "inject_v4l2_buf_flag_error"), 1); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		b := next(t, q)
		if b.Flags&FlagError != 0 {
			return
		}
		if err := q.Enqueue(b); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the damaged frame did not show")
}

func TestVirtSequenceGaps(t *testing.T) {
	d, q := faulty(t)
	press(t, d, "percentage_of_dropped_buffers", 60, 0)
	last := next(t, q)
	for range 40 {
		if err := q.Enqueue(last); err != nil {
			t.Fatal(err)
		}
		b := next(t, q)
		if b.Sequence > last.Sequence+1 {
			return
		}
		last = b
	}
	t.Error("of 40 frames none was dropped")
}

func TestVirtFatalError(t *testing.T) {
	d, q := faulty(t)
	if err := d.SetControl(fault(t, d, "inject_fatal_streaming_error"), 1); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		_, err := q.Dequeue()
		if errors.Is(err, unix.EIO) {
			if re, err := d.Poll(unix.POLLIN, deadline); err != nil || re&unix.POLLERR == 0 {
				t.Errorf("Poll: %#x, %v", re, err)
			}
			return
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		if _, err := d.Poll(unix.POLLIN, deadline); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the error did not show")
}

func TestVirtImportErrors(t *testing.T) {
	e := newEncoder(t, DMABUF)
	file, err := os.Create(t.TempDir() + "/no-dmabuf")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := e.out.Enqueue(Buffer{BytesUsed: 1, FD: -1}); !errors.Is(err, unix.EBADF) {
		t.Errorf("no descriptor: %v", err)
	}
	if err := e.out.Enqueue(Buffer{BytesUsed: 1, FD: int(file.Fd())}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a file: %v", err)
	}
}

// A codec that is silent does not hold Poll beyond its deadline.
func TestVirtHang(t *testing.T) {
	const after = "/sys/module/vh264enc/parameters/hang_after"
	write(t, after, "2")
	t.Cleanup(func() { write(t, after, "0") })
	e := newEncoder(t, MMAP)
	for n := range 2 {
		e.encode(t, n, 0)
		next(t, e.in)
	}
	e.encode(t, 2, 0)
	deadline := time.Now().Add(200 * time.Millisecond)
	for {
		if _, err := e.in.Dequeue(); !errors.Is(err, unix.EAGAIN) {
			t.Fatalf("Dequeue: %v", err)
		}
		if _, err := e.d.Poll(unix.POLLIN, deadline); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
}

// What the pipeline changes while it runs.
func TestVirtChangeWhileStreaming(t *testing.T) {
	e := newEncoder(t, MMAP)
	for n, change := range []func() error{
		func() error { return nil },
		func() error { return e.d.SetControl(CIDBitrate, 500_000) },
		func() error { return e.d.SetControl(CIDIPeriod, 10) },
		func() error { _, err := e.d.SetFrameInterval(VideoOutputMPlane, Fraction{1, 15}); return err },
	} {
		if err := change(); err != nil {
			t.Errorf("change %d: %v", n, err)
		}
		e.encode(t, 0, time.Duration(n)*time.Second)
		b := next(t, e.in)
		if ok, _ := isUnit(e.in.Bytes(b.Index)[:b.BytesUsed]); !ok {
			t.Errorf("after change %d there is no unit", n)
		}
		next(t, e.out)
		if err := e.in.Enqueue(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := e.d.SetFormat(VideoOutputMPlane, Format{FourCC: NV12, Width: 64, Height: 64}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("another format: %v", err)
	}
}

// Buffers come back from another goroutine than the one that waits for them.
func TestVirtTwoGoroutines(t *testing.T) {
	_, q := faulty(t)
	back := make(chan Buffer, q.Len()) // closed below, after the last
	var wg sync.WaitGroup
	wg.Go(func() {
		for b := range back {
			if err := q.Enqueue(b); err != nil {
				t.Error(err)
			}
		}
	})
	for range 30 {
		back <- next(t, q)
	}
	close(back)
	wg.Wait()
}

// Any even size that an HDMI source may have.
func TestVirtAnySize(t *testing.T) {
	d := open(t, hdmi)
	for _, s := range [][2]int{{16, 16}, {318, 178}, {642, 482}, {1280, 720}, {1918, 1078}} {
		f, err := d.SetFormat(VideoCapture, Format{FourCC: YU12, Width: s[0], Height: s[1], Field: FieldNone})
		if err != nil || f.Width != s[0] || f.Height != s[1] {
			t.Errorf("%v becomes %+v, %v", s, f, err)
		}
		if p := f.Planes[0]; p.BytesPerLine < s[0] || p.SizeImage < p.BytesPerLine*s[1]*3/2 {
			t.Errorf("%v: %d bytes a line, %d in all", s, p.BytesPerLine, p.SizeImage)
		}
	}
}
