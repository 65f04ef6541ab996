package main

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"lenslet/rtspd/nettest"
)

// A player is FFmpeg, which decodes a stream.
type player struct {
	cmd      *exec.Cmd
	progress buffer // key=value lines
	log      buffer
	ended    chan error
}

// playRuns connects FFmpeg by UDP and by TCP, each by a link of its own. How often it
// reports depends on the bytes that come: every 1.3 s at 1.7 Mbit/s.
func playRuns(t *testing.T, camera *nettest.Host) (runs []*linkRun) {
	for i, transport := range []string{"udp", "tcp"} {
		near, far := nettest.Connect(t, 15+i, camera, nettest.NewHost(t))
		shape(t, near, 10)
		r := &linkRun{name: "ffmpeg_" + transport, interval: 2 - i, near: near, s: serveSynthetic(t, near)}
		p := &player{ended: make(chan error, 1)}
		p.cmd = exec.Command("ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-progress", "pipe:1", "-rtsp_transport", transport,
			"-i", r.s.url, "-fps_mode", "passthrough", "-f", "null", "-")
		p.cmd.Stdout, p.cmd.Stderr = &p.progress, &p.log
		far.Do(t, func() {
			if err := p.cmd.Start(); err != nil {
				t.Fatal(err)
			}
		})
		go func() { p.ended <- p.cmd.Wait() }()
		t.Cleanup(func() { _ = p.cmd.Process.Kill(); p.ended <- <-p.ended })
		r.p = p
		runs = append(runs, r)
	}
	return runs
}

// check wants a player that still plays, and took the pictures of all the time.
func (p *player) check(t *testing.T, r *linkRun) {
	select {
	case err := <-p.ended:
		p.ended <- err
		t.Errorf("%s ended: %v\n%s", r.name, err, p.log.String())
		return
	default:
	}
	pictures := 0
	for line := range strings.Lines(p.progress.String()) {
		if value, ok := strings.CutPrefix(line, "frame="); ok {
			pictures, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	t.Logf("%s took %d pictures", r.name, pictures)
	if want := len(r.seconds) * 30 * 8 / 10; pictures < want { // some are lost while the link narrows
		t.Errorf("%s took %d pictures, want %d\n%s", r.name, pictures, want, p.log.String())
	}
}
