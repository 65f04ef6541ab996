//go:build virthost

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// These tests run in a network of their own that reaches the guest by a tap
// interface (board/virt/innet), with the programs for the guest built before:
// see `make virt-clients`.
const (
	guestPrograms = "../../bin/arm64"
	guestURL      = "rtsp://10.0.2.15:8554/main"
)

// A guest is a virtual board that runs one program.
type guest struct {
	cmd   *exec.Cmd
	share string
	out   *buffer
	ended chan error
}

// boot runs script in a guest, with the programs for it in its work directory,
// and waits until it streams.
func boot(t *testing.T, vivid, encoder, script string) *guest {
	t.Helper()
	return bootWith(t, nil, vivid, encoder, script)
}

// bootWith does so with more files in the work directory.
func bootWith(t *testing.T, files []string, vivid, encoder, script string) *guest {
	t.Helper()
	g := &guest{share: t.TempDir(), out: &buffer{}, ended: make(chan error, 1)}
	for _, file := range append(files, filepath.Join(guestPrograms, "lensletd"), filepath.Join(guestPrograms, "lensletd.test")) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v; make virt-clients builds it", err)
		}
		if err := os.WriteFile(filepath.Join(g.share, filepath.Base(file)), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	g.cmd = exec.Command("../../board/virt/virt", "run", "--tap", "t0", "--timeout", "300",
		"--vivid", vivid, "--encoder", encoder, "--share", g.share, "--", program)
	g.cmd.Stdout, g.cmd.Stderr = g.out, g.out
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { g.ended <- g.cmd.Wait() }()
	t.Cleanup(sync.OnceFunc(func() { g.stop(t) }))
	waitFor(t, 4*time.Minute, "the guest streams", func() bool {
		select {
		case err := <-g.ended:
			g.ended <- err
			t.Fatalf("the guest ended: %v\n%s", err, g.out)
		default:
		}
		return strings.Contains(g.out.String(), "ffplay rtsp://")
	})
	return g
}

// stop sends SIGTERM to the program, and wants its exit with 0.
func (g *guest) stop(t *testing.T) {
	t.Helper()
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-g.ended:
		g.ended <- nil
		if err != nil {
			t.Errorf("the guest: %v\n%s", err, g.out)
		}
	case <-time.After(time.Minute):
		t.Errorf("the guest does not end\n%s", g.out)
		_ = g.cmd.Process.Signal(syscall.SIGTERM) // the second one ends the guest
		<-g.ended
		g.ended <- nil
	}
}

// TestBoardStreams: lensletd finds camera and encoder by itself, no frame is
// copied on its way, and FFmpeg decodes all of it.
func TestBoardStreams(t *testing.T) {
	g := boot(t, "", "", "./lensletd -check && exec ./lensletd -auth none -set resolution=640x360 -set framerate=10")
	for _, want := range []string{"camera    vivid", "encoder   vh264enc", "offers    YUYV 320x180, 640x360", "control   brightness 0 to 255"} {
		if !strings.Contains(g.out.String(), want) {
			t.Errorf("lensletd -check does not say %q:\n%s", want, g.out)
		}
	}
	for _, transport := range []string{"udp", "tcp"} {
		probe(t, guestURL, transport, 640, 360, "") // this encoder writes no VUI
		decode(t, guestURL, transport, "-frames:v", "75")
	}
	v := dialViewer(t, guestURL)
	v.play("udp")
	v.units(45)
	v.checkContinuity(5 * time.Second)
	v.checkRate(10)
	if c, e := v.get("camera"), v.get("encoder"); !strings.Contains(c, "vivid") || !strings.Contains(e, "vh264enc") {
		t.Errorf("camera %q, encoder %q", c, e)
	}
	free, err := strconv.Atoi(v.get("memory_free"))
	if got := v.get("model") + ", " + v.get("family"); got != "linux,dummy-virt, dummy-virt" || err != nil || free < 1<<20 {
		t.Errorf("the board is %q, with %d bytes free (%v)", got, free, err)
	}
	if got := v.get("frames_copied"); got != "0" {
		t.Errorf("%s frames were copied on their way to the encoder", got)
	}
	encoded, err := strconv.Atoi(v.get("frames_encoded"))
	imported, err2 := strconv.Atoi(v.get("frames_imported"))
	if err != nil || err2 != nil || encoded < 45 || imported < encoded {
		t.Errorf("%d frames reached the encoder by DMABUF, %d came out of it (%v, %v)", imported, encoded, err, err2)
	}
}

// TestBoardIsLossless: with the encoder's lossless mode the pictures that FFmpeg
// decodes are, byte for byte, frames that the camera gave, in their order.
func TestBoardIsLossless(t *testing.T) {
	g := boot(t, "", "lossless=1", "exec ./lensletd.test -test.run TestGuestStreams")
	out, errs := client(t, 2*time.Minute, "ffmpeg", append(append([]string{}, strict...), "-rtsp_transport", "tcp",
		"-i", guestURL, "-frames:v", "60", "-fps_mode", "passthrough", "-pix_fmt", "yuv420p", "-f", "framemd5", "-")...)
	if errs != "" {
		t.Errorf("ffmpeg complains:\n%s", errs)
	}
	g.stop(t)
	sums, err := os.ReadFile(filepath.Join(g.share, "sums"))
	if err != nil {
		t.Fatalf("%v\n%s", err, g.out)
	}
	given := strings.Fields(string(sums))
	decoded, different, at := 0, map[string]bool{}, 0
	for lines := bufio.NewScanner(bytes.NewReader([]byte(out))); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if strings.HasPrefix(lines.Text(), "#") || len(fields) == 0 {
			continue
		}
		sum := fields[len(fields)-1]
		for at < len(given) && given[at] != sum {
			at++
		}
		if at == len(given) {
			t.Fatalf("picture %d (%s) is not a frame that the camera gave after the one before", decoded, sum)
		}
		at++
		decoded++
		different[sum] = true
	}
	if decoded != 60 || len(different) < 30 {
		t.Errorf("%d pictures were decoded, %d of them different; want 60, most different", decoded, len(different))
	}
}

// hdmi gives vivid an input that takes any size, at a rate that emulation can
// follow.
const hdmi = "num_inputs=1 input_types=3"

const slowHDMI = "v4l2-ctl -d0 --set-dv-bt-timings index=5 >/dev/null && " // 720p24

// TestBoardGivesDevicesBack: ended by SIGTERM after ever longer times, lensletd
// is gone within two seconds, and the next one finds camera and encoder free.
func TestBoardGivesDevicesBack(t *testing.T) {
	g := boot(t, "", "", `
for after in 0.1 0.4 0.8 1.6 3.2 4.8 6.4; do
	./lensletd -auth none -set resolution=320x180 -set framerate=10 >/dev/null 2>log & p=$!
	sleep $after
	kill -TERM $p
	( sleep 2; kill -KILL $p 2>/dev/null ) & k=$!
	wait $p; rc=$?
	kill $k 2>/dev/null
	echo "after $after: exit $rc"
	[ $rc = 0 ] || [ $rc = 143 ] || { cat log; echo BAD; }
done
exec ./lensletd -auth none -set resolution=320x180 -set framerate=10`)
	if out := g.out.String(); strings.Contains(out, "BAD") || strings.Count(out, "exit 0") < 2 {
		t.Errorf("not stopped as it should:\n%s", out)
	}
	decode(t, guestURL, "tcp", "-frames:v", "10")
}

func TestBoardFollowsBitrate(t *testing.T) {
	boot(t, "", "", "exec ./lensletd -auth none -set resolution=640x360 -set framerate=15 -set bitrate=4000000 -set horizontal_movement=6")
	v := dialViewer(t, guestURL)
	v.play("tcp")
	v.checkBitrate(4_000_000, 0.2, 30, 60)
	v.set(wire.OK, "bitrate: 1000000")
	v.checkBitrate(1_000_000, 0.2, 30, 60) // 30 units: 2 s
	v.checkContinuity(5 * time.Second)
}

func TestBoardChangesResolution(t *testing.T) {
	boot(t, hdmi, "", slowHDMI+"exec ./lensletd -auth none -set resolution=640x360 -set framerate=12")
	resize(t, guestURL, "1280x720", "642x362", "1280x720", "640x360")
}

// TestBoardChangesAtRandom asks camera and encoder of the board for values at and
// beyond the edges of what they can do.
func TestBoardChangesAtRandom(t *testing.T) {
	boot(t, hdmi, "", slowHDMI+"exec ./lensletd -auth none -set resolution=320x180 -set framerate=12")
	changeAtRandom(t, guestURL, 1, 100, map[string][]string{
		"resolution":   {"320x180", "640x360", "642x362", "32x32", "30x32", "1922x1080", "640x"},
		"framerate":    {"12", "10", "15", "1001", "1/0"},
		"bitrate":      {"25000", "24975", "500000", "2000000", "24000000", "25025000", "0"},
		"bitrate_mode": {"vbr", "cbr", "abr"},
		"gop":          {"1", "60", "1000", "0"},
		"profile":      {"high", "main", "baseline", "low"},
		"level":        {"4.0", "3.1", "1.0", "6.2"},
		"brightness":   {"128", "100", "300"},
		"keyframe":     {"now", "then"},
	})
}

// checkBitrate wants the sent rate within part of want, in bit/s by the RTP
// clock, over the units after the ones to skip.
func (v *viewer) checkBitrate(want int, part float64, skip, over int) {
	v.t.Helper()
	v.units(skip)
	came, _, _, _ := v.counts()
	v.units(over)
	v.checkBitrateSince(want, part, came)
}

// checkBitrateSince is about the packets behind the first so many.
func (v *viewer) checkBitrateSince(want int, part float64, from int) {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	bits := 0
	for _, n := range v.sizes[from:] {
		bits += 8 * (n - 12)
	}
	took := time.Duration(v.packets[len(v.packets)-1].Timestamp-v.packets[from].Timestamp) * time.Second / 90000
	got := float64(bits) / took.Seconds()
	v.t.Logf("bit rate %d: %.0f bit/s over %v", want, got, took)
	if got < float64(want)*(1-part) || got > float64(want)*(1+part) {
		v.t.Errorf("%.0f bit/s, want %d within %.0f %%", got, want, part*100)
	}
}

// killTools are what the script of TestBoardIsKilled is made of: begin starts
// lensletd, and end kills it after some seconds, and reads what it said; that a
// picture is late is the emulation's fault.
const killTools = `
begin() { ./lensletd -auth none -set resolution=320x180 -set framerate=10 >out 2>log & p=$!; }
streams() { until grep -q ffplay out; do sleep 0.05; kill -0 $p || break; done; }
end() {
	sleep $1
	kill -KILL $p
	wait $p; rc=$?
	grep -q ffplay out && echo STREAMED
	grep -E 'level=(WARN|ERROR)' log | grep -vE 'passwords|no picture for' && echo BAD
	[ $rc = 137 ] || { cat log; echo BAD; }
}
`

// TestBoardIsKilled: killed 50 times, while it opens devices, begins, or streams,
// it leaves camera and encoder free: each next start has both at once, and says
// nothing of them.
func TestBoardIsKilled(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var script strings.Builder
	script.WriteString(killTools)
	for range 25 {
		fmt.Fprintf(&script, "begin; end %.2f\n", 0.05+0.8*random.Float64())
		fmt.Fprintf(&script, "begin; streams; end %.2f\n", 0.3*random.Float64())
	}
	script.WriteString("exec ./lensletd -auth none -set resolution=320x180 -set framerate=10")
	g := boot(t, "", "", script.String())
	out := g.out.String()
	streamed := strings.Count(out, "STREAMED")
	t.Logf("%d of 50 streamed", streamed)
	if strings.Contains(out, "BAD") || streamed < 25 {
		t.Errorf("not as clean as the first:\n%s", out)
	}
	decode(t, guestURL, "tcp", "-frames:v", "10")
}
