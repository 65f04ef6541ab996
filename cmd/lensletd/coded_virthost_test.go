//go:build virthost

package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// codedCamera lets lensletd stream from a camera of 320x180 pixels that gives the
// pictures of a file (TestGuestFeeds).
func codedCamera(t *testing.T, file, encoder string) {
	t.Helper()
	bootWith(t, []string{file}, "", encoder, `
modprobe v4l2loopback video_nr=9 exclusive_caps=1
./lensletd.test -test.run TestGuestFeeds >feed.log 2>&1 &
while [ ! -e feeding ]; do sleep 0.1; done
exec ./lensletd -auth none -source /dev/video9 -set resolution=320x180 -set framerate=10`)
}

// film makes a clip of 100 pictures that all differ.
func film(t *testing.T, name string, codec ...string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), name)
	args := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10", "-frames:v", "100"}, codec...)
	client(t, time.Minute, "ffmpeg", append(args, file)...)
	return file
}

// sums are the checksums of the pictures that FFmpeg decodes of something.
func sums(t *testing.T, input ...string) (all []string) {
	t.Helper()
	args := append(append([]string{}, strict...), input...)
	out, errs := client(t, 2*time.Minute, "ffmpeg", append(args, "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "framemd5", "-")...)
	if errs != "" {
		t.Errorf("ffmpeg complains:\n%s", errs)
	}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 0 && !strings.HasPrefix(line, "#") {
			all = append(all, fields[len(fields)-1])
		}
	}
	return all
}

// TestBoardPassesH264On: an H.264 camera needs no encoder. Players decode the very
// pictures that it gave, in their order; in front of every key picture are the
// parameter sets that it gives now and then.
func TestBoardPassesH264On(t *testing.T) {
	clip := film(t, "camera.264", "-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "keyint=10:scenecut=0:bframes=0:aud=1")
	place := map[string]int{}
	for i, sum := range sums(t, "-i", clip) {
		place[sum] = i
	}
	codedCamera(t, clip, "")
	for _, transport := range []string{"udp", "tcp"} {
		last, steps := -1, 0
		for _, sum := range sums(t, "-rtsp_transport", transport, "-i", guestURL, "-frames:v", "40") {
			at, ok := place[sum]
			if !ok {
				t.Fatalf("%s: a picture is none of the camera's", transport)
			}
			if at == (last+1)%len(place) {
				steps++
			}
			last = at
		}
		if steps < 25 { // what an emulated board had no time for is left out up to the next key picture
			t.Errorf("%s: %d of 40 pictures follow the one before", transport, steps)
		}
	}
	v := dialViewer(t, guestURL)
	v.play("udp")
	v.units(70) // more than come with the same parameter sets
	v.checkContinuity(5 * time.Second)
	v.checkParameterSets(5)
	if got := v.get("encoder"); got != "the camera's own H.264" {
		t.Errorf("the encoder is %s", got)
	}
	if got := v.get("camera"); !strings.Contains(got, "/dev/video9") || !strings.Contains(got, "H264") {
		t.Errorf("the camera is %s", got)
	}
}

// TestBoardEncodesMotionJPEG: so does a camera that gives Motion JPEG alone.
func TestBoardEncodesMotionJPEG(t *testing.T) {
	codedCamera(t, film(t, "camera.mjpeg", "-c:v", "mjpeg", "-q:v", "3"), "lossless=1")
	different := map[string]bool{}
	for _, sum := range sums(t, "-rtsp_transport", "tcp", "-i", guestURL, "-frames:v", "40") {
		different[sum] = true
	}
	if len(different) < 20 {
		t.Errorf("%d of 40 pictures are different", len(different))
	}
	probe(t, guestURL, "udp", 320, 180, "")
	v := dialViewer(t, guestURL)
	v.play("tcp")
	v.units(20)
	v.checkContinuity(5 * time.Second)
	if c, e := v.get("camera"), v.get("encoder"); !strings.Contains(c, "MJPG") || !strings.Contains(e, "vh264enc") {
		t.Errorf("camera %q, encoder %q", c, e)
	}
}
