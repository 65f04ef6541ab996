package main

import (
	"strconv"
	"testing"
	"time"
)

// TestPacedPictures: with pacing on, a player by UDP decodes every picture, and
// the statistics tell that they were paced.
func TestPacedPictures(t *testing.T) {
	url, _ := start(t, "-config", configFile(t, "pacing = \"on\"\npacing_chunk = 8\npacket = 400\nauth = \"none\"\n"), "-source", "pattern", "-set", "resolution=640x360", "-set", "framerate=25")
	v := dialViewer(t, url)
	v.play("udp")
	v.units(15)
	decode(t, url, "udp", "-t", "2")
	if v.get("viewers_paced") != "1" {
		t.Errorf("%s viewers are paced", v.get("viewers_paced"))
	}
	paced := func() uint64 {
		n, _ := strconv.ParseUint(v.get("packets_paced"), 10, 64)
		return n
	}
	waitFor(t, 20*time.Second, "paced packets", func() bool { return paced() > 0 })
	v.checkContinuity(time.Second)
}
