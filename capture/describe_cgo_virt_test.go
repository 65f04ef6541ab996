//go:build cgo && virt

package capture

import (
	"errors"
	"math"
	"os/exec"
	"reflect"
	"testing"

	go4vl "github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// loopback is a device whose frame intervals are a range.
func loopback(t *testing.T) string {
	t.Helper()
	if out, err := exec.Command("modprobe", "v4l2loopback", "video_nr=9").CombinedOutput(); err != nil {
		t.Fatalf("modprobe v4l2loopback: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("rmmod", "v4l2loopback").CombinedOutput(); err != nil {
			t.Errorf("rmmod v4l2loopback: %v: %s", err, out)
		}
	})
	return "/dev/video9"
}

// Both descriptions are equal in all that they say.
func TestVirtDescribeAlike(t *testing.T) {
	for _, path := range []string{"/dev/video0", "/dev/video2", "/dev/video11"} {
		own, err := describeOwn(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Describe(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Capability != own.Capability {
			t.Errorf("%s:\ngo4vl %+v\nown   %+v", path, got.Capability, own.Capability)
		}
		if !reflect.DeepEqual(got.Formats, own.Formats) {
			t.Errorf("%s:\ngo4vl %+v\nown   %+v", path, got.Formats, own.Formats)
		}
		if len(own.Formats) == 0 || len(own.Controls) == 0 || len(got.Controls) != len(own.Controls) {
			t.Fatalf("%s: %d formats, %d controls, by go4vl %d", path, len(own.Formats), len(own.Controls), len(got.Controls))
		}
		for i, c := range got.Controls {
			if !reflect.DeepEqual(c, own.Controls[i]) {
				t.Errorf("%s:\ngo4vl %+v\nown   %+v", path, c, own.Controls[i])
			}
		}
	}
}

// raw runs f on a descriptor as describe does.
func raw(t *testing.T, path string, f func(fd uintptr)) {
	t.Helper()
	fd, err := go4vl.OpenDevice(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	onNewStack(func() { steady(func() { f(fd) }) })
	if err := go4vl.CloseDevice(fd); err != nil {
		t.Error(err)
	}
}

// What go4vl tells wrong, and describe takes from capture/v4l2. Where this test
// fails go4vl became better, and describe can trust it with more.
func TestVirtGo4VLIsWrong(t *testing.T) {
	raw(t, "/dev/video0", func(fd uintptr) {
		// Minimum and Maximum are int32, and VIDIOC_QUERYCTRL has none for 64 bits
		if c, err := go4vl.QueryControlInfo(fd, 0x0098f903); err != nil || c.Minimum != 0 || c.Maximum != 0 {
			t.Errorf("Integer 64 Bits: %+v, %v", c, err)
		}
		// the highest bit of a mask becomes a sign
		if c, err := go4vl.QueryControlInfo(fd, 0x0098f906); err != nil || c.Maximum != math.MinInt32+0x402010 {
			t.Errorf("Bitmask: %+v, %v", c, err)
		}
	})
	raw(t, "/dev/video1", func(fd uintptr) {
		// the buffer type is always that of the single-planar API
		if f, err := go4vl.GetAllFormatDescriptions(fd); len(f) != 0 || !errors.Is(err, go4vl.ErrorBadArgument) {
			t.Errorf("formats of a multi-planar camera: %v, %v", f, err)
		}
	})
}

// A range of intervals is read 8 bytes, one fraction, too late.
func TestVirtGo4VLIntervals(t *testing.T) {
	path := loopback(t)
	dev, err := v4l2.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := dev.FrameIntervals(v4l2.YUYV, 640, 480)
	if err := errors.Join(err, dev.Close()); err != nil {
		t.Fatal(err)
	}
	if len(want) != 1 || want[0].Min == want[0].Max {
		t.Fatalf("this is no range: %+v", want)
	}
	size := go4vl.FrameSizeEnum{
		Type: go4vl.FrameSizeTypeDiscrete, PixelFormat: uint32(v4l2.YUYV),
		Size: go4vl.FrameSize{MinWidth: 640, MaxWidth: 640, MinHeight: 480, MaxHeight: 480},
	}
	own := Description{Formats: []FormatDescription{{
		FormatDesc: v4l2.FormatDesc{FourCC: v4l2.YUYV}, Sizes: []SizeDescription{{sizeGo4VL(size), want}},
	}}}
	raw(t, path, func(fd uintptr) {
		e, err := go4vl.GetFormatFrameInterval(fd, 0, uint32(v4l2.YUYV), 640, 480)
		if first := (v4l2.Fraction{Num: e.Interval.Min.Numerator, Den: e.Interval.Min.Denominator}); err != nil || first != want[0].Max {
			t.Errorf("go4vl begins with %v, %v, the driver with %v", first, err, want[0].Min)
		}
		if got, err := intervalsGo4VL(fd, size, own); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}
