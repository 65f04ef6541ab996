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
// through a network that loses one packet in fifty.
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
	w.checkBitrate(bitrate, 0.5, 0, 30*rate)
	t.Logf("the encoder is told %s bit/s; %s of %s packets are lost, round trip %s ms", ask.get("bitrate_now"), ask.get("packets_lost"), ask.get("packets_sent"), ask.get("round_trip"))
	if lost, _ := strconv.Atoi(ask.get("packets_lost")); lost == 0 {
		t.Error("the network lost nothing")
	}
	if got := ask.get("viewers"); got != "2" {
		t.Errorf("%s viewers\n%s", got, log.String())
	}
}
