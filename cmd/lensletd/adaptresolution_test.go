package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// TestSmallerPicture: where the network carries little, a smaller picture is sent, to the
// same sessions, and the whole one when it carries more; what is set stays set.
func TestSmallerPicture(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lenslet.toml")
	if err := os.WriteFile(file, []byte("adapt_resolution = true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	url, _ := start(t, "-config", file, "-source", "pattern", "-set", "resolution=640x360", "-set", "framerate=30", "-set", "bitrate_min=50000")
	v := dialViewer(t, url)
	v.play("tcp")
	v.units(5)
	takes := func(bps float32, now string) {
		waitFor(t, 2*time.Minute, now+" is sent", func() bool {
			v.tell(&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: bps, SSRCs: []uint32{v.source()}})
			return v.get("resolution_now") == now
		})
		v.units(5)
		if set, rate := v.get("resolution"), v.get("framerate"); set != "640x360" || rate != "30" {
			t.Errorf("%s at %s is set while %s is sent", set, rate, now)
		}
	}
	takes(2_000_000, "640x360")
	takes(60_000, "320x180")
	smaller := time.Now()
	takes(2_000_000, "640x360")
	if took := time.Since(smaller); took < 25*time.Second {
		t.Errorf("the size changes back after %v", took)
	}
	v.checkContinuity(5 * time.Second)
	v.checkParameterSets(2)
	if got := v.get("viewers"); got != "1" {
		t.Errorf("%s viewers", got)
	}
}
