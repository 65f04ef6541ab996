//go:build virt

package v4l2

import (
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestVirtDevices(t *testing.T) {
	got, err := Devices()
	want := []string{webcam, multi, hdmi, codec}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestVirtCapability(t *testing.T) {
	for _, c := range []struct {
		path, driver, card, bus string
		capture, m2m            bool
		in                      BufType
	}{
		{webcam, "vivid", "vivid", "platform:vivid-000", true, false, VideoCapture},
		{multi, "vivid", "vivid", "platform:vivid-001", true, false, VideoCaptureMPlane},
		{hdmi, "vivid", "vivid", "platform:vivid-002", true, false, VideoCapture},
		{codec, "vh264enc", "vh264enc", "platform:vh264enc", false, true, VideoCaptureMPlane},
	} {
		k, err := open(t, c.path).Capability()
		if err != nil {
			t.Fatal(err)
		}
		if k.Driver != c.driver || k.Card != c.card || k.Bus != c.bus || k.Version>>8 != 0x0601 {
			t.Errorf("%s is %+v", c.path, k)
		}
		if !k.Streaming() || k.Capture() != c.capture || k.M2M() != c.m2m || k.CaptureType() != c.in {
			t.Errorf("%s: caps %#x, capture %v, m2m %v, type %d", c.path, k.Caps, k.Capture(), k.M2M(), k.CaptureType())
		}
	}
}

func TestVirtBusy(t *testing.T) {
	a, b := open(t, webcam), open(t, webcam)
	small(t, a, VideoCapture)
	buffers(t, a.Queue(VideoCapture), 2, MMAP)
	if _, err := a.SetFormat(VideoCapture, Format{FourCC: YUYV, Width: 640, Height: 360}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("S_FMT with buffers: %v", err)
	}
	if _, err := b.Queue(VideoCapture).Request(2, MMAP); !errors.Is(err, unix.EBUSY) {
		t.Errorf("buffers of another's device: %v", err)
	}
}

// The node stays open while its device goes away, in the midst of the flow.
func TestVirtGone(t *testing.T) {
	const driver = "/sys/bus/platform/drivers/vh264enc/"
	// runs after all others: as long as a file is open the number is taken
	t.Cleanup(func() { write(t, driver+"bind", "vh264enc") })
	d := open(t, codec)
	out := d.Queue(VideoOutputMPlane)
	buffers(t, out, 1, MMAP)
	on(t, out)
	polled := make(chan error, 1) // one value
	go func() {
		_, err := d.Poll(unix.POLLPRI, time.Now().Add(patience))
		polled <- err
	}()
	write(t, driver+"unbind", "vh264enc")
	if err := <-polled; err != nil {
		t.Errorf("Poll: %v", err)
	}
	if _, err := out.Dequeue(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Dequeue: %v", err)
	}
	if err := out.Enqueue(Buffer{BytesUsed: 1}); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Enqueue: %v", err)
	}
	if _, err := d.Capability(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Capability: %v", err)
	}
	if _, err := d.Controls(); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Controls: %v", err)
	}
	if _, err := d.Formats(VideoCaptureMPlane); !errors.Is(err, unix.ENODEV) {
		t.Errorf("Formats: %v", err)
	}
	if _, err := Open(codec); !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENXIO) {
		t.Errorf("Open: %v", err)
	}
}
