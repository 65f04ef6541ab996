//go:build virthost

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// obey makes a guest do what do writes, while it runs a program.
const obey = `
while sleep 0.05; do [ -f todo ] && { sh -e ./todo >done.log 2>&1 || echo failed >>done.log; rm todo; }; done &
`

// What the scripts in the guest share.
const faultTools = `
E=/sys/module/vh264enc/parameters
encoder() { echo vh264enc >/sys/bus/platform/drivers/vh264enc/$1; }
camera() { echo vivid.0 >/sys/bus/platform/drivers/vivid/$1; }
control() { # of the camera that streams, wherever it is
	for n in /sys/class/video4linux/video*; do
		case $(cat $n/name) in vivid-000-vid-cap) v4l2-ctl -d /dev/${n##*/} -c $1 || true ;; esac
	done
}
`

// do runs a script in the guest and waits for its end.
func (g *guest) do(t *testing.T, script string) {
	t.Helper()
	todo := filepath.Join(g.share, "todo")
	if err := os.WriteFile(todo+".new", []byte(faultTools+script+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(todo+".new", todo); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 4*time.Minute, "the guest has done "+script, func() bool { _, err := os.Stat(todo); return err != nil })
	if b, _ := os.ReadFile(filepath.Join(g.share, "done.log")); strings.Contains(string(b), "failed") {
		t.Fatalf("%s: %s\n%s", script, b, g.out)
	}
}

// watchBoth connects a UDP and a TCP viewer.
func watchBoth(t *testing.T, g *guest) []*viewer {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(g.out)
		}
	})
	var all []*viewer
	for _, transport := range []string{"udp", "tcp"} {
		v := dialViewer(t, guestURL)
		v.play(transport)
		v.units(3)
		all = append(all, v)
	}
	return all
}

// goOn wants units at both viewers within limit, and tells when they came.
func goOn(t *testing.T, what string, limit time.Duration, viewers []*viewer) time.Duration {
	t.Helper()
	began, before := time.Now(), make([]int, len(viewers))
	for i, v := range viewers {
		before[i] = v.markers()
	}
	waitFor(t, limit, "the stream goes on after "+what, func() bool {
		for i, v := range viewers {
			if v.markers() == before[i] {
				return false
			}
		}
		return true
	})
	took := time.Since(began).Round(10 * time.Millisecond)
	t.Logf("%s: goes on after %v", what, took)
	return took
}

// endure wants that nothing was lost but frames: the same sessions, whose packets
// follow each other, and a stream that is well.
func endure(t *testing.T, pause time.Duration, viewers []*viewer) {
	t.Helper()
	for _, v := range viewers {
		waitFor(t, 30*time.Second, "the stream is well", func() bool { return v.get("state") == "streaming" })
		v.units(3)
		v.checkContinuity(pause)
		v.checkParameterSets(1)
		if got := v.get("viewers"); got != strconv.Itoa(len(viewers)) {
			t.Errorf("%s viewers, want %d", got, len(viewers))
		}
	}
	t.Logf("faults: %s; the last: %s", viewers[0].get("faults"), viewers[0].get("last_fault"))
}

const smallStream = "exec ./lensletd -auth none -set resolution=320x180 -set framerate=10 -set bitrate=500000"

// TestBoardHeals: every fault of the encoder and the camera, one by one, then 200
// of them in a random order, with a UDP and a TCP viewer connected.
func TestBoardHeals(t *testing.T) {
	g := boot(t, "", "", obey+smallStream)
	viewers := watchBoth(t, g)
	for _, f := range []struct {
		what, script string
		limit        time.Duration // from the end of the script
	}{
		{"silence of the next file", "echo 1 >$E/hang_mode; echo 1 >$E/hang_after", 5 * time.Second},
		{"silence of every file", "echo 0 >$E/hang_mode; echo 1 >$E/hang_after; sleep 1; echo 0 >$E/hang_after", 5 * time.Second},
		{"silence of the device", "echo 2 >$E/hang_mode; echo 1 >$E/hang_after; sleep 3; echo 0 >$E/hang_after", 5 * time.Second},
		{"units with the ERROR flag", "echo 2 >$E/fail_every; sleep 1; echo 0 >$E/fail_every", 5 * time.Second},
		{"a refused start", "echo 22 >$E/streamon_fail; echo 1 >$E/hang_mode; echo 1 >$E/hang_after; sleep 2; echo 0 >$E/streamon_fail", 5 * time.Second},
		{"latency", "echo 700 >$E/latency_ms; sleep 1.5; echo 0 >$E/latency_ms", 5 * time.Second},
		{"an encoder that is away", "encoder unbind; sleep 1.5; encoder bind", 2 * time.Second},
		{"a fatal error of the camera", "control inject_fatal_streaming_error=1", 5 * time.Second},
		{"a camera that is away", "camera unbind; sleep 1.5; camera bind", 2 * time.Second},
	} {
		g.do(t, f.script)
		goOn(t, f.what, f.limit, viewers)
		endure(t, 10*time.Second, viewers)
	}
	for seed := range uint64(10) {
		g.do(t, randomFaults(seed, 20))
		goOn(t, "20 faults in a random order", 5*time.Second, viewers)
		for _, v := range viewers {
			v.get("state") // keeps the session
		}
	}
	endure(t, time.Minute, viewers)
}

// randomFaults is a script of n faults in a random order.
func randomFaults(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, seed))
	kinds := []string{
		"echo 1 >$E/hang_mode; echo 1 >$E/hang_after",
		"echo 2 >$E/hang_mode; echo 1 >$E/hang_after; sleep 0.3; echo 0 >$E/hang_after",
		"echo 3 >$E/fail_every; sleep 0.3; echo 0 >$E/fail_every",
		"echo 22 >$E/streamon_fail; sleep 0.3; echo 0 >$E/streamon_fail",
		"echo 300 >$E/latency_ms; sleep 0.3; echo 0 >$E/latency_ms",
		"encoder unbind; sleep 0.2; encoder bind",
		"camera unbind; sleep 0.2; camera bind",
		"control inject_fatal_streaming_error=1",
		"control inject_v4l2_buf_flag_error=1",
		"control percentage_of_dropped_buffers=80; sleep 0.3; control percentage_of_dropped_buffers=0",
	}
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "%s\nsleep 0.%d\n", kinds[r.IntN(len(kinds))], r.IntN(3))
	}
	return b.String()
}

// TestBoardFindsItsCamera: unplugged and plugged in 20 times, each time under
// another number, the camera is found within a second; where the emulated board
// has to share its processors, that holds for most of the times.
func TestBoardFindsItsCamera(t *testing.T) {
	g := boot(t, "", "", obey+smallStream)
	viewers := watchBoth(t, g)
	slow := 0
	for i := range 20 {
		before := viewers[0].get("camera")
		number := "modprobe v4l2loopback video_nr=0 exclusive_caps=1" // takes the number
		if i%2 == 1 {
			number = "rmmod v4l2loopback"
		}
		g.do(t, "camera unbind; sleep 0.5; "+number+"; camera bind")
		if goOn(t, "plug "+strconv.Itoa(i+1), 3*time.Second, viewers) > time.Second {
			slow++
		}
		if after := viewers[0].get("camera"); after == before || !strings.Contains(after, "vivid") {
			t.Errorf("the camera was %s, and is %s", before, after)
		}
	}
	if slow > 5 {
		t.Errorf("%d of 20 times it took more than a second", slow)
	}
	endure(t, 10*time.Second, viewers)
}
