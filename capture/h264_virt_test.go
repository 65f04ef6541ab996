//go:build virt

package capture

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// h264Camera makes a loopback device that takes what write gets, and gives it
// out as a camera does.
func h264Camera(t *testing.T, w, h int) (path string, write func([]byte)) {
	t.Helper()
	if out, err := exec.Command("modprobe", "v4l2loopback", "video_nr=9", "exclusive_caps=1").CombinedOutput(); err != nil {
		t.Fatalf("modprobe v4l2loopback: %v: %s", err, out)
	}
	path = "/dev/video9"
	dev, err := v4l2.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f := v4l2.Format{FourCC: v4l2.H264, Width: w, Height: h, Field: v4l2.FieldNone}
	f.Planes[0].SizeImage = 1 << 16
	if _, err := dev.SetFormat(v4l2.VideoOutput, f); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, unix.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(unix.Close(fd), dev.Close()); err != nil {
			t.Error(err)
		}
		if out, err := exec.Command("rmmod", "v4l2loopback").CombinedOutput(); err != nil {
			t.Errorf("rmmod v4l2loopback: %v: %s", err, out)
		}
	})
	return path, func(unit []byte) {
		if _, err := unix.Write(fd, unit); err != nil {
			t.Error(err)
		}
	}
}

func TestVirtH264Camera(t *testing.T) {
	path, write := h264Camera(t, 640, 360)
	write([]byte(sps + pps + idr)) // makes it a camera
	c := openVirt(t, path)
	choices, err := c.Choices(wish(640, 360, 30))
	if err != nil || choices[0].FourCC != v4l2.H264 || !strings.Contains(choices[0].Reason, "needs no encoder") {
		t.Fatalf("choices %+v, %v", choices, err)
	}
	format := started(t, c, wish(640, 360, 30))
	if format.FourCC != v4l2.H264 || format.Stride != 0 || format.Size < 1<<16 || format.Rate.Num <= 0 {
		t.Errorf("format %+v", format)
	}
	got := map[string]bool{}
	for i := range 6 { // the first buffer may be an old one
		unit := sps + pps + idr + string(rune('a'+i))
		write([]byte(unit))
		f := next(t, c)
		got[string(f.Data)] = true
		if f.Timestamp <= 0 || f.Timestamp > now() {
			t.Errorf("timestamp %v, now is %v", f.Timestamp, now())
		}
		f.Release()
	}
	if len(got) < 5 {
		t.Errorf("%d units of 6 came", len(got))
	}
}
