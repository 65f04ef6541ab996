//go:build virthost

package main

import (
	"context"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// TestBoardThroughLoss: what the air loses, whatever the rate, does not bring the rate
// down. A viewer that reports every second, and FFmpeg, which reports as it likes, play
// through a network that loses one in fifty of what is sent at once: netem draws before the
// kernel cuts it up, so that up to 16 packets are gone with one draw.
func TestBoardThroughLoss(t *testing.T) {
	const bitrate, rate = 1_000_000, 10
	boot(t, "", "", "modprobe sch_netem && /sbin/tc qdisc add dev eth0 root netem loss 2% delay 20ms && exec ./lensletd -auth none -set resolution=640x360"+
		" -set framerate=10 -set bitrate=1000000 -set bitrate_min=50000 -set gop=20 -set horizontal_movement=6")
	ask := dialViewer(t, guestURL)
	go ask.read()
	w := &reporter{every: time.Second}
	w.viewer = dialViewer(t, guestURL)
	w.play("udp")
	var log buffer
	ffmpeg := exec.Command("ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-rtsp_transport", "udp", "-i", guestURL, "-c", "copy", "-f", "null", "-")
	ffmpeg.Stderr = &log
	if err := ffmpeg.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ffmpeg.Process.Kill(); _ = ffmpeg.Wait() }()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { w.report(ctx) })
	defer func() { cancel(); all.Wait() }()
	waitFor(t, time.Minute, "FFmpeg plays too", func() bool { return ask.get("viewers") == "2" })
	w.units(rate)
	from, _, _, _ := w.counts()
	least, start := bitrate, w.markers()
	waitFor(t, 2*time.Minute, "half a minute of the stream", func() bool {
		now, err := strconv.Atoi(ask.get("bitrate_now"))
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, now) // no rate is told for less than a second
		time.Sleep(200 * time.Millisecond)
		return w.markers() >= start+30*rate
	})
	if least <= bitrate/2 {
		t.Errorf("the encoder was told %d bit/s", least)
	}
	w.checkBitrateSince(bitrate, 0.5, from)
	t.Logf("the encoder is told %d bit/s at least; %s of %s packets are lost, round trip %s ms", least, ask.get("packets_lost"), ask.get("packets_sent"), ask.get("round_trip"))
	if lost, _ := strconv.Atoi(ask.get("packets_lost")); lost == 0 {
		t.Error("the network lost nothing")
	}
	if got := ask.get("viewers"); got != "2" {
		t.Errorf("%s viewers\n%s", got, log.String())
	}
}
