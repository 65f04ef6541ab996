package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program builds lensletd, once for all tests.
func program(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(scratch, "lensletd")
	if _, err := os.Stat(bin); err != nil {
		client(t, 5*time.Minute, "go", "build", "-tags", "openh264", "-o", bin, ".")
	}
	return bin
}

// TestStopsInEveryPhase sends SIGTERM after ever longer times: while flags are
// read, devices opened, before the first frame; and last while it streams, to one
// viewer by UDP and one by TCP.
func TestStopsInEveryPhase(t *testing.T) {
	bin := program(t)
	const streaming = -1
	for _, after := range []time.Duration{0, 5, 10, 20, 40, 80, 160, 320, 640, streaming} {
		cmd := exec.Command(bin, "-listen", "127.0.0.1:0", "-source", "pattern", "-auth", "none", "-name", "stops in every phase")
		out, logs := &buffer{}, &buffer{}
		cmd.Stdout, cmd.Stderr = out, logs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var viewers []*viewer
		if after == streaming {
			waitFor(t, 20*time.Second, "lensletd streams", func() bool { return urlPattern.MatchString(out.String()) })
			for _, transport := range []string{"udp", "tcp"} {
				v := dialViewer(t, urlPattern.FindString(out.String()))
				v.play(transport)
				v.units(1)
				viewers = append(viewers, v)
			}
		} else {
			time.Sleep(after * time.Millisecond) // the phase under test, not something waited for
		}
		stopped := time.Now()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			// before the signal is caught, it ends the program as it does any
			if err != nil && (viewers != nil || !killedBy(err, syscall.SIGTERM)) {
				t.Errorf("after %d ms: %v\n%s", after, err, logs)
			}
			t.Logf("after %d ms: stopped in %v", after, time.Since(stopped).Round(time.Millisecond))
		case <-time.After(2 * time.Second):
			_ = cmd.Process.Kill()
			t.Fatalf("after %d ms: not stopped within 2 s\n%s", after, logs)
		}
		for _, v := range viewers {
			select {
			case <-v.bye:
			case <-time.After(20 * time.Second):
				t.Errorf("the viewer got no BYE")
			}
		}
	}
}

func killedBy(err error, s syscall.Signal) bool {
	exit, ok := err.(*exec.ExitError)
	return ok && exit.Sys().(syscall.WaitStatus).Signaled() && exit.Sys().(syscall.WaitStatus).Signal() == s
}

// TestMakeRun does what the README tells a new user.
func TestMakeRun(t *testing.T) {
	cmd := exec.Command("make", "-C", "../..", "--no-print-directory", "run", "ARGS=-listen 127.0.0.1:0 -set resolution=640x360")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())
	out := &buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		<-ended
	}()
	waitFor(t, 5*time.Minute, "make run prints a URL", func() bool { return strings.Contains(out.String(), "ffplay rtsp://") })
	url := urlPattern.FindString(out.String())
	if !strings.HasPrefix(url, "rtsp://viewer:") {
		t.Errorf("no password in the URL that is printed: %s", url)
	}
	for _, transport := range []string{"udp", "tcp"} {
		probe(t, url, transport, 640, 360, "30/1")
		decode(t, url, transport, "-t", "10")
	}
}

func TestMain_exitCodes(t *testing.T) {
	bin := program(t)
	conf := filepath.Join(t.TempDir(), "lenslet.toml")
	write := func(text string) string {
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return conf
	}
	for _, c := range []struct {
		args []string
		file string
		code int
		says string
	}{
		{args: []string{"-version"}, code: 0, says: "lensletd "},
		{args: []string{"-h"}, code: 0, says: "usage: lensletd"},
		{args: []string{"-sauce", "auto"}, code: 2, says: "-sauce"},
		{args: []string{"-source", "radio"}, code: 2, says: `source "radio" is not one; right would be auto`},
		{args: []string{"-encoder", "vhs"}, code: 2, says: "right would be auto"},
		{args: []string{"-listen", "nowhere"}, code: 2, says: "right would be :8554"},
		{args: []string{"-auth", "maybe"}, code: 2, says: "right would be password or none"},
		{args: []string{"-set", "bitrate"}, code: 2, says: "NAME=VALUE"},
		{args: []string{"-source", "pattern", "-set", "colour=red"}, code: 2, says: "unknown parameter: colour"},
		{args: []string{"-source", "pattern", "-set", "bitrate=lots"}, code: 2, says: "bitrate lots"},
		{args: []string{"-source", "pattern", "-set", "resolution=5000x5000"}, code: 2, says: "lensletd: test pattern does not offer 5000x5000; it offers 32x32 to 3840x2160"},
		{args: []string{"-source", "pattern", "-check", "-set", "resolution=5000x5000"}, code: 2, says: "it offers 32x32 to 3840x2160"},
		{args: []string{"-source", "pattern", "-set", "level=1.0", "-set", "resolution=1280x720"}, code: 2, says: "resolution 1280x720 is not possible here"},
		{args: []string{"extra"}, code: 2, says: `unexpected argument "extra"`},
		{args: []string{"-config", "nowhere.toml"}, code: 2, says: "nowhere.toml: no such file"},
		{file: "listen = \":1\"\nsauce = \"auto\"\n", code: 2, says: `lenslet.toml:2: there is no setting "sauce"`},
		{file: "name = \"x\"\nlisten = 5\n", code: 2, says: "lenslet.toml:2: "},
		{file: "\n\nsource = \"radio\"\n", code: 2, says: "lenslet.toml:3: source"},
		{file: "[set]\nbitrate = [1]\n", code: 2, says: "lenslet.toml:2: bitrate"},
		{file: "source = \"pattern\"\n[set]\nbitrate = \"lots\"\n", code: 2, says: "lenslet.toml:3: bitrate lots"},
		{file: "source = \"pattern\"\n[set]\ngop = 5\ncolour = 1\n", code: 2, says: "lenslet.toml:4: unknown parameter: colour"},
		{file: "source = \"pattern\"\n[set]\nresolution = \"5000x5000\"\n", code: 2, says: "lenslet.toml:3: test pattern does not offer 5000x5000"},
		{file: "source = \"pattern\"\n[set]\nresolution = \"1280x720\"\nframerate = 60\nlevel = \"3.1\"\n", code: 2, says: "lenslet.toml:4: framerate 60 is not possible here"},
		{file: "name = \"unfinished\n", code: 2, says: "lenslet.toml:1: "},
		{args: []string{"-source", "/dev/nowhere"}, code: 1, says: "/dev/nowhere"},
		{args: []string{"-source", "file:/nowhere.264"}, code: 1, says: "nowhere.264"},
		{args: []string{"-source", "pattern", "-encoder", "/dev/nowhere"}, code: 1, says: "/dev/nowhere"},
		{args: []string{"-source", "pattern", "-check"}, code: 0, says: "test pattern"},
		{args: []string{"-check"}, file: "source = \"pattern\"\nlisten_tls = \":8322\"\nmulticast = \"auto\"\n", code: 0, says: "listen    :8554, RTSPS on :8322, multicast auto\n"},
	} {
		args := c.args
		if c.file != "" {
			args = append(args, "-config", write(c.file))
		}
		code, out := exitOf(bin, args...)
		if code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%v %q: exit %d, want %d and %q:\n%s", c.args, c.file, code, c.code, c.says, out)
		}
		if c.code != 0 && strings.Count(out, "lensletd: ") != 1 {
			t.Errorf("%v: not one sentence:\n%s", c.args, out)
		}
	}
}

func exitOf(bin string, args ...string) (code int, output string) {
	b, err := exec.Command(bin, args...).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	}
	return code, string(b)
}
