//go:build virt

package v4l2

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cameras has one device of each API.
var cameras = []struct {
	path string
	typ  BufType
}{{webcam, VideoCapture}, {multi, VideoCaptureMPlane}}

func TestVirtStream(t *testing.T) {
	for _, c := range cameras {
		t.Run(c.path, func(t *testing.T) {
			d := open(t, c.path)
			f := small(t, d, c.typ)
			q := d.Queue(c.typ)
			buffers(t, q, 4, MMAP)
			var began unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &began); err != nil {
				t.Fatal(err)
			}
			start(t, q)
			last := Buffer{Timestamp: time.Duration(began.Nano()) - time.Microsecond}
			for n := range 10 {
				b := next(t, q)
				if b.BytesUsed != f.Planes[0].SizeImage || b.BytesUsed > len(q.Bytes(b.Index)) {
					t.Fatalf("%d bytes of %d in a buffer of %d", b.BytesUsed, f.Planes[0].SizeImage, len(q.Bytes(b.Index)))
				}
				if b.Flags&FlagTimestampMask != FlagMonotonic || b.Flags&FlagError != 0 || b.FD != -1 || b.Field != FieldNone {
					t.Fatalf("flags %#x, field %d, descriptor %d", b.Flags, b.Field, b.FD)
				}
				// vivid gives a number twice when it is late
				if b.Timestamp <= last.Timestamp || n > 0 && b.Sequence < last.Sequence {
					t.Fatalf("frame %d at %v after %d at %v", b.Sequence, b.Timestamp, last.Sequence, last.Timestamp)
				}
				if luma := q.Bytes(b.Index)[0]; luma < 150 {
					t.Fatalf("the first pixel of the colour bars is %d", luma)
				}
				last = b
				if err := q.Enqueue(b); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Frames that are not there yet, and errors of use.
func TestVirtQueueErrors(t *testing.T) {
	for _, c := range cameras {
		t.Run(c.path, func(t *testing.T) {
			d := open(t, c.path)
			small(t, d, c.typ)
			q := d.Queue(c.typ)
			if err := q.StreamOn(); !errors.Is(err, unix.EINVAL) {
				t.Errorf("StreamOn without buffers: %v", err)
			}
			buffers(t, q, 2, MMAP)
			if err := q.Enqueue(Buffer{Index: q.Len()}); !errors.Is(err, unix.EINVAL) {
				t.Errorf("a buffer too many: %v", err)
			}
			if re, err := d.Poll(unix.POLLIN, time.Now().Add(patience)); err != nil || re&unix.POLLERR == 0 {
				t.Errorf("Poll of what does not stream: %#x, %v", re, err)
			}
			start(t, q)
			if _, err := q.Request(2, MMAP); !errors.Is(err, unix.EBUSY) {
				t.Errorf("Request while streaming: %v", err)
			}
		})
	}
}

func TestVirtDeadlineAndWake(t *testing.T) {
	d := open(t, webcam)
	small(t, d, VideoCapture)
	if _, err := d.SetFrameInterval(VideoCapture, Fraction{1, 1}); err != nil {
		t.Fatal(err)
	}
	q := d.Queue(VideoCapture)
	buffers(t, q, 2, MMAP)
	start(t, q)
	next(t, q)
	next(t, q) // the driver has none left: nothing will come
	if _, err := q.Dequeue(); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("Dequeue: %v", err)
	}
	deadline := time.Now().Add(50 * time.Millisecond)
	if _, err := d.Poll(unix.POLLIN, deadline); !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().Before(deadline) {
		t.Errorf("Poll: %v", err)
	}
	woken := make(chan error, 1) // one value
	go func() {
		_, err := d.Poll(unix.POLLIN, time.Now().Add(patience))
		woken <- err
	}()
	d.Wake()
	if err := <-woken; err != ErrWoken {
		t.Errorf("Poll after Wake: %v", err)
	}
}

func TestVirtRequestAgain(t *testing.T) {
	for _, c := range cameras {
		d := open(t, c.path)
		f := small(t, d, c.typ)
		q := d.Queue(c.typ)
		buffers(t, q, 3, MMAP)
		fd, err := q.Export(2)
		if err != nil {
			t.Fatal(err)
		}
		buffers(t, q, 5, MMAP) // without a Request(0) in between
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
			t.Errorf("the old export is still open: %v", err)
		}
		if n := len(q.Bytes(4)); n < f.Planes[0].SizeImage {
			t.Errorf("%d bytes are mapped", n)
		}
		if n, err := q.Request(0, MMAP); n != 0 || err != nil || q.Len() != 0 {
			t.Errorf("Request(0) leaves %d, Len %d, %v", n, q.Len(), err)
		}
		if _, err := d.SetFormat(c.typ, Format{FourCC: YUYV, Width: 640, Height: 360}); err != nil {
			t.Errorf("S_FMT after Request(0): %v", err)
		}
	}
}

func TestVirtMorePlanesRefused(t *testing.T) {
	d := open(t, multi)
	f, err := d.SetFormat(VideoCaptureMPlane, Format{FourCC: ParseFourCC("NM12"), Width: 320, Height: 180})
	if err != nil || f.NumPlanes != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	q := d.Queue(VideoCaptureMPlane)
	if n, err := q.Request(2, MMAP); err == nil || n != 0 || q.Len() != 0 {
		t.Errorf("%d buffers, Len %d, %v", n, q.Len(), err)
	}
	if _, err := d.SetFormat(VideoCaptureMPlane, Format{FourCC: YUYV, Width: 320, Height: 180}); err != nil {
		t.Errorf("the refused buffers were kept: %v", err)
	}
}

func TestVirtExport(t *testing.T) {
	for _, c := range cameras {
		t.Run(c.path, func(t *testing.T) {
			d := open(t, c.path)
			small(t, d, c.typ)
			q := d.Queue(c.typ)
			buffers(t, q, 2, MMAP)
			fd, err := q.Export(1)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := q.Export(1); again != fd || err != nil {
				t.Errorf("the second time it is %d, %v instead of %d", again, err, fd)
			}
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("flags %#x, %v", flags, err)
			}
			mem, err := unix.Mmap(fd, 0, len(q.Bytes(1)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			copy(q.Bytes(1), "the same memory")
			if !bytes.HasPrefix(mem, []byte("the same memory")) {
				t.Error("the dmabuf is other memory")
			}
			if err := unix.Munmap(mem); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVirtAllocatesNothing(t *testing.T) {
	for _, c := range cameras {
		t.Run(c.path, func(t *testing.T) {
			d := open(t, c.path)
			small(t, d, c.typ)
			q := d.Queue(c.typ)
			buffers(t, q, 4, MMAP)
			start(t, q)
			deadline := time.Now().Add(10 * patience)
			n := testing.AllocsPerRun(20, func() {
				for {
					b, err := q.Dequeue()
					if err == nil {
						err = q.Enqueue(b)
					}
					if err == nil {
						return
					}
					if !errors.Is(err, unix.EAGAIN) {
						t.Error(err)
						return
					}
					if _, err := d.Poll(unix.POLLIN, deadline); err != nil {
						t.Error(err)
						return
					}
				}
			})
			if n != 0 {
				t.Errorf("%v allocations per frame", n)
			}
		})
	}
}
