//go:build virt

package main

import (
	"bytes"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
	"lenslet/encoder/h264"
)

// setsEvery is how many pictures come with the same parameter sets: fewer key
// pictures have them than have not.
const setsEvery = 50

// TestGuestFeeds is a camera that gives pictures which are coded already: it
// writes those of a file, 320x180 pixels, to a loopback device, over and over,
// until SIGTERM. The file "feeding" says that it has begun.
func TestGuestFeeds(t *testing.T) {
	format, pictures := v4l2.H264, [][]byte(nil)
	if clip, err := os.ReadFile("camera.264"); err == nil {
		pictures = accessUnits(clip)
	} else if clip, err := os.ReadFile("camera.mjpeg"); err == nil {
		format, pictures = v4l2.MJPEG, cutBefore(clip, []byte{0xff, 0xd8, 0xff})
	} else {
		t.Fatal(err)
	}
	dev, err := v4l2.Open("/dev/video9")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dev.Close() }()
	f := v4l2.Format{FourCC: format, Width: 320, Height: 180, Field: v4l2.FieldNone}
	f.Planes[0].SizeImage = 1 << 17
	if _, err := dev.SetFormat(v4l2.VideoOutput, f); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open("/dev/video9", unix.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	pace := time.NewTicker(100 * time.Millisecond)
	defer pace.Stop()
	for i := 0; ; i++ {
		if _, err := unix.Write(fd, pictures[i%len(pictures)]); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if err := os.WriteFile("feeding", nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-end:
			return
		case <-pace.C:
		}
	}
}

// accessUnits takes a clip apart whose units begin with a delimiter, which few
// cameras give: it is left out. Parameter sets stay in every setsEvery-th of them.
func accessUnits(clip []byte) (units [][]byte) {
	for i, unit := range cutBefore(clip, []byte{0, 0, 0, 1, 9}) {
		var kept []byte
		for _, nalu := range h264.Split(nil, unit) {
			kind := h264.TypeOf(nalu)
			if set := kind == h264.TypeSPS || kind == h264.TypePPS; kind == h264.TypeAUD || set && i%setsEvery != 0 {
				continue
			}
			kept = append(append(kept, 0, 0, 0, 1), nalu...)
		}
		units = append(units, kept)
	}
	return units
}

// cutBefore cuts in front of every mark; what is before the first is lost.
func cutBefore(b, mark []byte) (parts [][]byte) {
	for at := bytes.Index(b, mark); at >= 0; {
		b = b[at:]
		if at = bytes.Index(b[len(mark):], mark); at < 0 {
			return append(parts, b)
		}
		at += len(mark)
		parts = append(parts, b[:at:at])
	}
	return parts
}
