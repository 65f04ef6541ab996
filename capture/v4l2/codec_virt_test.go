//go:build virt

package v4l2

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An encoder is the codec, set up for 320x180 YUYV.
type encoder struct {
	d       *Device
	out, in *Queue // raw frames go out to the device, access units come in
}

func newEncoder(t *testing.T, m Memory) encoder {
	t.Helper()
	d := open(t, codec)
	if _, err := d.SetFormat(VideoCaptureMPlane, Format{FourCC: H264, Width: 320, Height: 180}); err != nil {
		t.Fatal(err)
	}
	f := Format{FourCC: YUYV, Width: 320, Height: 180, Field: FieldNone}
	f.Planes[0].BytesPerLine = 640 // as the camera's
	f, err := d.SetFormat(VideoOutputMPlane, f)
	if err != nil || f.Planes[0].BytesPerLine != 640 {
		t.Fatalf("the codec wants %+v, %v", f, err)
	}
	e := encoder{d, d.Queue(VideoOutputMPlane), d.Queue(VideoCaptureMPlane)}
	buffers(t, e.out, 4, m)
	buffers(t, e.in, 4, MMAP)
	on(t, e.out)
	start(t, e.in)
	return e
}

// isUnit tells whether the data look like an access unit, and whether it has an
// IDR picture in it (ITU-T H.264, 7.4.1).
func isUnit(data []byte) (unit, idr bool) {
	code := []byte{0, 0, 0, 1}
	return bytes.HasPrefix(data, code) || bytes.HasPrefix(data, code[1:]), bytes.Contains(data, []byte{0, 0, 1, 0x65})
}

// Frames of the camera go to the codec by descriptor, without a copy.
func TestVirtImport(t *testing.T) {
	for _, c := range cameras {
		t.Run(c.path, func(t *testing.T) {
			cam := open(t, c.path)
			f := small(t, cam, c.typ)
			q := cam.Queue(c.typ)
			buffers(t, q, 4, MMAP)
			start(t, q)
			e := newEncoder(t, DMABUF)
			for n := range 5 {
				b := next(t, q)
				fd, err := q.Export(b.Index)
				if err != nil {
					t.Fatal(err)
				}
				raw := Buffer{Index: b.Index, BytesUsed: f.Planes[0].SizeImage, FD: fd, Timestamp: b.Timestamp}
				if err := e.out.Enqueue(raw); err != nil {
					t.Fatal(err)
				}
				unit := next(t, e.in)
				ok, idr := isUnit(e.in.Bytes(unit.Index)[:unit.BytesUsed])
				if !ok || idr != (n == 0) || idr != (unit.Flags&FlagKeyFrame != 0) {
					t.Errorf("unit %d: flags %#x, Annex B %v, IDR %v", n, unit.Flags, ok, idr)
				}
				if unit.Timestamp != b.Timestamp || unit.Flags&FlagTimestampMask != FlagTimestampCopy {
					t.Errorf("timestamp %v with flags %#x, want %v", unit.Timestamp, unit.Flags, b.Timestamp)
				}
				done := next(t, e.out)
				if done.Index != b.Index || done.FD != fd {
					t.Errorf("the codec gave back buffer %d with descriptor %d, want %d with %d", done.Index, done.FD, b.Index, fd)
				}
				if err := errors.Join(e.in.Enqueue(unit), q.Enqueue(b)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// encode copies a grey picture into buffer i and hands it over.
func (e encoder) encode(t *testing.T, i int, at time.Duration) {
	t.Helper()
	mem := e.out.Bytes(i)
	for j := range mem {
		mem[j] = 128
	}
	if err := e.out.Enqueue(Buffer{Index: i, BytesUsed: 640 * 180, FD: -1, Timestamp: at}); err != nil {
		t.Fatal(err)
	}
}

func TestVirtDrain(t *testing.T) {
	e := newEncoder(t, MMAP)
	if err := e.d.SubscribeEvent(EventEOS); err != nil {
		t.Fatal(err)
	}
	const frames = 3
	for i := range frames {
		e.encode(t, i, time.Duration(i+1)*time.Second)
	}
	if err := e.d.EncoderStop(); err != nil {
		t.Fatal(err)
	}
	got := 0
	for {
		b := next(t, e.in)
		if b.BytesUsed > 0 {
			if got++; b.Timestamp != time.Duration(got)*time.Second {
				t.Errorf("unit %d has timestamp %v", got, b.Timestamp)
			}
		}
		if b.Flags&FlagLast != 0 {
			break
		}
		if err := e.in.Enqueue(b); err != nil {
			t.Fatal(err)
		}
	}
	if got != frames {
		t.Errorf("%d units of %d frames", got, frames)
	}
	if _, err := e.in.Dequeue(); !errors.Is(err, unix.EPIPE) {
		t.Errorf("after the last: %v", err)
	}
	if re, err := e.d.Poll(unix.POLLPRI, time.Now().Add(patience)); err != nil || re&unix.POLLPRI == 0 {
		t.Errorf("Poll for the event: %#x, %v", re, err)
	}
	if ev, err := e.d.DequeueEvent(); err != nil || ev.Type != EventEOS || ev.Pending != 0 || ev.Timestamp <= 0 {
		t.Errorf("event %+v, %v", ev, err)
	}
	if err := e.d.EncoderStart(); err != nil {
		t.Error(err)
	}
}

func TestVirtForceKeyFrame(t *testing.T) {
	e := newEncoder(t, MMAP)
	for n := range 4 {
		if n == 2 {
			if err := e.d.SetControl(CIDForceKeyFrame, 1); err != nil {
				t.Fatal(err)
			}
		}
		e.encode(t, 0, time.Duration(n)*time.Second)
		b := next(t, e.in)
		if key := b.Flags&FlagKeyFrame != 0; key != (n == 0 || n == 2) {
			t.Errorf("unit %d: key %v", n, key)
		}
		next(t, e.out)
		if err := e.in.Enqueue(b); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVirtCodecAllocatesNothing(t *testing.T) {
	e := newEncoder(t, MMAP)
	n := testing.AllocsPerRun(20, func() {
		if err := e.out.Enqueue(Buffer{BytesUsed: 640 * 180, FD: -1}); err != nil {
			t.Error(err)
		}
		b := next(t, e.in)
		next(t, e.out)
		if err := e.in.Enqueue(b); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
