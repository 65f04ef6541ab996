package v4l2

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDevices(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"video10", "video2", "video0", "video02", "video", "videox", "video-1", "video99999", "media0"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := devices(dir)
	want := []string{filepath.Join(dir, "video0"), filepath.Join(dir, "video2"), filepath.Join(dir, "video10")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := devices(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := Devices(); err != nil {
		t.Error(err)
	}
}

func TestOpenFails(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "video0")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// null is a device that is no V4L2 device.
func null(t *testing.T) *Device {
	t.Helper()
	d, err := Open("/dev/null")
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

func TestNotAVideoDevice(t *testing.T) {
	d := null(t)
	q := d.Queue(VideoCapture)
	m := d.Queue(VideoOutputMPlane)
	for _, c := range []struct {
		op   string
		call func() error
	}{
		{"VIDIOC_QUERYCAP", func() error { _, err := d.Capability(); return err }},
		{"VIDIOC_G_FMT", func() error { _, err := d.Format(VideoCapture); return err }},
		{"VIDIOC_G_FMT", func() error { _, err := d.Format(VideoCaptureMPlane); return err }},
		{"VIDIOC_S_FMT", func() error { _, err := d.SetFormat(VideoOutput, Format{}); return err }},
		{"VIDIOC_TRY_FMT", func() error { _, err := d.TryFormat(VideoOutputMPlane, Format{}); return err }},
		{"VIDIOC_G_PARM", func() error { _, err := d.FrameInterval(VideoCapture); return err }},
		{"VIDIOC_S_PARM", func() error { _, err := d.SetFrameInterval(VideoCapture, Fraction{1, 25}); return err }},
		{"VIDIOC_S_SELECTION", func() error { _, _, err := d.SetCrop(VideoOutputMPlane, 2, 2); return err }},
		{"VIDIOC_QUERY_EXT_CTRL", func() error { _, err := d.QueryControl(CIDBitrate); return err }},
		{"VIDIOC_QUERY_EXT_CTRL", func() error { _, err := d.Control(CIDBitrate); return err }},
		{"VIDIOC_QUERY_EXT_CTRL", func() error { return d.SetControl(CIDBitrate, 1) }},
		{"VIDIOC_ENCODER_CMD", d.EncoderStart},
		{"VIDIOC_ENCODER_CMD", d.EncoderStop},
		{"VIDIOC_SUBSCRIBE_EVENT", func() error { return d.SubscribeEvent(EventEOS) }},
		{"VIDIOC_DQEVENT", func() error { _, err := d.DequeueEvent(); return err }},
		{"VIDIOC_REQBUFS", func() error { _, err := q.Request(4, MMAP); return err }},
		{"VIDIOC_REQBUFS", func() error { _, err := q.Request(0, MMAP); return err }},
		{"VIDIOC_QBUF", func() error { return q.Enqueue(Buffer{}) }},
		{"VIDIOC_QBUF", func() error { return m.Enqueue(Buffer{}) }},
		{"VIDIOC_DQBUF", func() error { _, err := q.Dequeue(); return err }},
		{"VIDIOC_DQBUF", func() error { _, err := m.Dequeue(); return err }},
		{"VIDIOC_STREAMON", q.StreamOn},
		{"VIDIOC_STREAMOFF", m.StreamOff},
	} {
		err := c.call()
		var op *OpError
		if !errors.As(err, &op) || !errors.Is(err, unix.ENOTTY) || op.Op != c.op || op.Device != "/dev/null" {
			t.Errorf("%s gives %v", c.op, err)
		}
	}
	if err := q.StreamOn(); err.Error() != "VIDIOC_STREAMON of /dev/null: inappropriate ioctl for device" {
		t.Errorf("the error reads %q", err)
	}
}

func TestListsOfNothing(t *testing.T) {
	d := null(t)
	if c, err := d.Controls(); len(c) != 0 || err != nil {
		t.Errorf("controls %v, %v", c, err)
	}
	if f, err := d.Formats(VideoCapture); len(f) != 0 || err != nil {
		t.Errorf("formats %v, %v", f, err)
	}
	if s, err := d.FrameSizes(YUYV); len(s) != 0 || err != nil {
		t.Errorf("sizes %v, %v", s, err)
	}
	if i, err := d.FrameIntervals(YUYV, 640, 480); len(i) != 0 || err != nil {
		t.Errorf("intervals %v, %v", i, err)
	}
}

func TestCloseTwice(t *testing.T) {
	d := null(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the second time: %v", err)
	}
	d.Wake() // must not write to another's descriptor
	if _, err := d.Capability(); !errors.Is(err, unix.EBADF) {
		t.Errorf("a closed device says %v", err)
	}
	if d.Path() != "/dev/null" {
		t.Errorf("path %q", d.Path())
	}
}

func TestCapability(t *testing.T) {
	for _, c := range []struct {
		caps         uint32
		capture, m2m bool
		in, out      BufType
	}{
		{capVideoCapture | capStreaming, true, false, VideoCapture, VideoOutput},
		{capVideoCaptureMPlane | capStreaming, true, false, VideoCaptureMPlane, VideoOutput},
		{capVideoM2MMPlane | capStreaming, false, true, VideoCaptureMPlane, VideoOutputMPlane},
		{capVideoM2M | capStreaming, false, true, VideoCapture, VideoOutput},
		// an old driver tells of an M2M device by both directions
		{capVideoCapture | capVideoOutput | capStreaming, false, false, VideoCapture, VideoOutput},
		{capVideoOutputMPlane | capStreaming, false, false, VideoCapture, VideoOutputMPlane},
		{0x00200000 | capStreaming, false, false, VideoCapture, VideoOutput}, // metadata of a UVC camera
	} {
		k := Capability{Caps: c.caps}
		if k.Capture() != c.capture || k.M2M() != c.m2m || k.CaptureType() != c.in || k.OutputType() != c.out || !k.Streaming() {
			t.Errorf("%#x: capture %v, m2m %v, %d, %d", c.caps, k.Capture(), k.M2M(), k.CaptureType(), k.OutputType())
		}
	}
	if (Capability{Caps: capVideoCapture}).Streaming() {
		t.Error("a device with read() only has no queues")
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{"": "", "abc": "abc", "ab\x00cd": "ab", "\x00": "", "a\xffb": "a?b"} {
		if got := text([]byte(in)); got != want {
			t.Errorf("%q reads %q, want %q", in, got, want)
		}
	}
}

func TestBounded(t *testing.T) {
	for u, want := range map[uint32]int{0: 0, 1920: 1920, math.MaxInt32: math.MaxInt32, math.MaxUint32: math.MaxInt32} {
		if got := bounded(u); got != want {
			t.Errorf("%d becomes %d", u, got)
		}
	}
}

func TestBufType(t *testing.T) {
	for _, c := range []struct {
		t, single    BufType
		mplane, outp bool
	}{
		{VideoCapture, VideoCapture, false, false},
		{VideoOutput, VideoOutput, false, true},
		{VideoCaptureMPlane, VideoCapture, true, false},
		{VideoOutputMPlane, VideoOutput, true, true},
	} {
		if c.t.single() != c.single || c.t.MPlane() != c.mplane || c.t.Output() != c.outp {
			t.Errorf("type %d: %d, %v, %v", c.t, c.t.single(), c.t.MPlane(), c.t.Output())
		}
	}
}
