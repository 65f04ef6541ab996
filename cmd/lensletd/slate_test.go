package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// brightness reads grey pictures of 320x240 and keeps the mean of the latest;
// pictures counts them.
func brightness(r io.Reader) (mean, pictures *atomic.Int64) {
	mean, pictures = new(atomic.Int64), new(atomic.Int64)
	go func() {
		picture := make([]byte, 320*240)
		for {
			if _, err := io.ReadFull(r, picture); err != nil {
				return
			}
			sum := 0
			for _, v := range picture {
				sum += int(v)
			}
			mean.Store(int64(sum / len(picture)))
			pictures.Add(1)
		}
	}()
	return mean, pictures
}

// TestNoSignalPicture: while the camera is away FFmpeg decodes a picture that
// says so, then the camera's again, in one stream and without a complaint; also
// from a camera that encodes by itself, with parameter sets of its own.
func TestNoSignalPicture(t *testing.T) {
	newState(t)
	config := filepath.Join(t.TempDir(), "lenslet.toml")
	if err := os.WriteFile(config, []byte("no_signal = \"picture\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	clip := filepath.Join(t.TempDir(), "clip.264")
	client(t, time.Minute, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15", "-frames:v", "30",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "0", "-bsf:v", "h264_mp4toannexb", clip)
	for name, c := range map[string]struct {
		cable *plug
		args  []string
		sets  int
	}{
		"raw":  {cable: &plug{}, args: []string{"-set", "resolution=320x240", "-set", "framerate=15"}, sets: 1},
		"H264": {cable: &plug{clip: clip}, args: []string{"-source", "file:" + clip}, sets: 2},
	} {
		t.Run(name, func(t *testing.T) {
			url, stop := startWith(t, c.cable.open, append([]string{"-config", config}, c.args...)...)
			watchOutages(t, c.cable, url, c.sets, stop)
		})
	}
}

// watchOutages pulls the cable twice while FFmpeg and viewers by UDP and TCP
// watch.
func watchOutages(t *testing.T, cable *plug, url string, sets int, stop func()) {
	var viewers []*viewer
	for _, transport := range []string{"udp", "tcp"} {
		v := dialViewer(t, url)
		v.play(transport)
		viewers = append(viewers, v)
	}
	args := append(append([]string{}, strict...), "-rtsp_transport", "tcp", "-i", url, "-pix_fmt", "gray", "-f", "rawvideo")
	out, wait := pipe(t, "ffmpeg", append(append(args, asTheyCome...), "-")...)
	mean, pictures := brightness(out)
	bright := func() bool { return mean.Load() > 60 }
	for range 2 {
		waitFor(t, time.Minute, "the camera's pictures", bright)
		cable.out.Store(true)
		waitFor(t, time.Minute, "a dark picture", func() bool { return mean.Load() < 40 })
		shown := pictures.Load()
		waitFor(t, time.Minute, "more of them", func() bool { return pictures.Load() > shown+3 && mean.Load() < 40 })
		cable.out.Store(false)
	}
	waitFor(t, time.Minute, "the camera's pictures", bright)
	for _, v := range viewers {
		v.units(5)
		v.checkContinuity(10 * time.Second)
		if len(v.sets) != sets {
			t.Errorf("%d different parameter sets came, not %d", len(v.sets), sets)
		}
		v.close()
	}
	stop()
	if errs := wait(); errs != "" {
		t.Errorf("ffmpeg complains:\n%s", errs)
	}
}

// TestNoSignalSettings: what is not known is refused.
func TestNoSignalSettings(t *testing.T) {
	c := defaults()
	if c.NoSignal != "freeze" {
		t.Errorf("the default is %q", c.NoSignal)
	}
	for value, good := range map[string]bool{"freeze": true, "picture": true, "": false, "black": false} {
		c.NoSignal = value
		if err := c.validate(); (err == nil) != good || err != nil && !strings.HasPrefix(err.Error(), "no_signal ") {
			t.Errorf("%q: %v", value, err)
		}
	}
}
