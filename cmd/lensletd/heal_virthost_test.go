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

	"lenslet/rtspd/wire"
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
away() { until rmmod $1; do sleep 0.1; done; } # when the last file is closed
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
	g := bootWith(t, beside(t), "", "", obey+startBeside+smallStream)
	viewers := watchBoth(t, g)
	refuseToStart(t, g, viewers)
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
		{"an encoder whose module is loaded again", "encoder unbind; away vh264enc; sleep 1; modprobe vh264enc", 2 * time.Second},
		{"short memory", "echo 1100 >$E/memory_kb; echo 1 >$E/hang_mode; echo 1 >$E/hang_after", 5 * time.Second},
		{"enough memory again", "echo 0 >$E/memory_kb; echo 1 >$E/hang_mode; echo 1 >$E/hang_after", 5 * time.Second},
		{"a DQBUF that never returns", "echo 1 >$E/block_dqbuf", 5 * time.Second},
		{"a STREAMOFF that never returns", "echo 1 >$E/block_streamoff; echo 1500 >$E/latency_ms; sleep 2; echo 0 >$E/latency_ms", 5 * time.Second},
		{"a fatal error of the camera", "control inject_fatal_streaming_error=1", 5 * time.Second},
		{"a camera that is away", "camera unbind; sleep 1.5; camera bind", 2 * time.Second},
	} {
		g.do(t, f.script)
		goOn(t, f.what, f.limit, viewers)
		endure(t, 10*time.Second, viewers)
	}
	if faults := viewers[0].get("faults"); strings.HasSuffix(faults, "abandoned=0") {
		t.Errorf("no driver was left behind: %s", faults)
	}
	g.do(t, "echo 0 >$E/block_dqbuf; echo 0 >$E/block_streamoff")
	waitFor(t, 30*time.Second, "what was left behind is closed", func() bool { return strings.HasSuffix(viewers[0].get("faults"), "abandoned=0") })
	if said := g.out.String(); !strings.Contains(said, "works with fewer buffers") {
		t.Error("nobody is told that memory is short")
	}
	setClock(t, g, viewers)
	for seed := range uint64(10) {
		g.do(t, randomFaults(seed, 20))
		goOn(t, "20 faults in a random order", 5*time.Second, viewers)
		for _, v := range viewers {
			v.get("state") // keeps the session
		}
	}
	endure(t, time.Minute, viewers)
}

// refuseToStart changes the resolution while the driver does not start: who asked
// is told, and the stream goes on as it was.
func refuseToStart(t *testing.T, g *guest, viewers []*viewer) {
	t.Helper()
	g.do(t, "echo 1 >$E/streamon_times; echo 22 >$E/streamon_fail")
	if said := viewers[0].set(wire.InvalidRange, "resolution: 640x360"); !strings.Contains(said, "resolution: ") {
		t.Errorf("the refusal is %q", said)
	}
	goOn(t, "a change that the driver refused", 5*time.Second, viewers)
	if got := viewers[0].get("resolution"); got != "320x180" {
		t.Errorf("the resolution is %s", got)
	}
	endure(t, 10*time.Second, viewers)
	viewers[0].set(wire.OK, "resolution: 640x360")
	viewers[0].set(wire.OK, "resolution: 320x180")
	goOn(t, "changes", 5*time.Second, viewers)
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
		"echo 1 >$E/block_dqbuf; sleep 1.5; echo 0 >$E/block_dqbuf",
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
