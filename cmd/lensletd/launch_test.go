package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A process is lensletd as a program, whose end is of the test's choice.
type process struct {
	t         *testing.T
	cmd       *exec.Cmd
	out, logs *buffer
	url       string
	ended     chan struct{} // closed at the end
	err       error         // of Wait, then
}

// spawn starts it on a free port of loopback, without passwords and discovery,
// with small pictures unless something else is kept.
func spawn(t *testing.T, bin string, args ...string) *process {
	t.Helper()
	return spawnSet(t, bin, "", args...)
}

// spawnSet does so with more settings.
func spawnSet(t *testing.T, bin, settings string, args ...string) *process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lenslet.toml")
	if err := os.WriteFile(file, []byte("mdns = false\nlisten = \"127.0.0.1:0\"\n"+settings+"\n[set]\nresolution = \"320x240\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, out: &buffer{}, logs: &buffer{}, ended: make(chan struct{})}
	p.cmd = exec.Command("env", append([]string{"--default-signal", bin, "-config", file, "-auth", "none"}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.logs
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(p.kill)
	return p
}

// launch does so, and waits until it streams.
func launch(t *testing.T, bin string, args ...string) *process {
	t.Helper()
	p := spawn(t, bin, args...)
	p.streams()
	return p
}

func (p *process) streams() {
	p.t.Helper()
	waitFor(p.t, 30*time.Second, "lensletd streams", func() bool {
		select {
		case <-p.ended:
			p.t.Fatalf("lensletd: %v\n%s", p.err, p.logs)
		default:
		}
		p.url = urlPattern.FindString(p.out.String())
		return p.url != "" && strings.HasSuffix(p.out.String(), "\n\n")
	})
}

// kill ends it at once, and waits.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}
