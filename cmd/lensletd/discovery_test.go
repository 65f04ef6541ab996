package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lenslet/board/advert/avahitest"
)

// A camera is lensletd as a process on a host of a test LAN.
type camera struct {
	cmd  *exec.Cmd
	out  *buffer
	port *avahitest.Port
}

func startCamera(t *testing.T, bin string, at *avahitest.Port, args ...string) *camera {
	t.Helper()
	c := &camera{out: &buffer{}, port: at}
	c.cmd = at.Host.Command(bin, append([]string{"-source", "pattern", "-auth", "none", "-set", "resolution=320x240"}, args...)...)
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	avahitest.Start(t, c.cmd)
	return c
}

// terminate sends SIGTERM to lensletd itself, which the command on the host
// wraps, and waits for its end.
func (c *camera) terminate(t *testing.T) time.Time {
	t.Helper()
	at := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 5*time.Second, "lensletd ends", func() bool { return syscall.Kill(c.cmd.Process.Pid, 0) != nil || exited(c.cmd) })
	return at
}

func exited(c *exec.Cmd) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Process.Pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

// TestAvahiFindsLensletd: a real avahi on another host lists and resolves the
// camera within two seconds of its start and hears its goodbye within one of
// SIGTERM (avahi itself waits one second more, RFC 6762 section 10.1, before it
// says so); it sees a new name; two cameras on the link are both seen; the URL
// that discovery gives can be played.
func TestAvahiFindsLensletd(t *testing.T) {
	bin := program(t)
	lan := avahitest.NewLAN(t, 90)
	here, there, viewer := lan.AddHost(t), lan.AddHost(t), lan.AddHost(t)
	avahi := viewer.Host.StartAvahi(t, "recorder")
	events := avahi.Follow(t)

	found, gone := time.Hour, time.Hour
	for attempt := 0; attempt < 5 && (found > 2*time.Second || gone > 2*time.Second); attempt++ {
		started := time.Now()
		c := startCamera(t, bin, here, "-name", "Küche links")
		found = min(found, events.Wait(t, "the camera", avahitest.Resolved("Küche links")).At.Sub(started))
		stopped := c.terminate(t)
		gone = min(gone, events.Wait(t, "its goodbye", avahitest.Gone("Küche links")).At.Sub(stopped))
	}
	t.Logf("resolved after %v, gone after %v", found, gone)
	if found > 2*time.Second || gone > 2*time.Second {
		t.Errorf("resolved after %v, gone after %v; want 2 s each", found, gone)
	}

	first := startCamera(t, bin, here, "-name", "front door")
	e := events.Wait(t, "the first camera", avahitest.Resolved("front door"))
	second := startCamera(t, bin, there, "-name", "back door")
	events.Wait(t, "the second camera", avahitest.Resolved("back door"))
	if e.Port != 8554 || !strings.Contains(e.TXT, `"path=/main"`) || !strings.Contains(e.TXT, `"txtvers=1"`) {
		t.Errorf("the camera is announced as %+v", e)
	}
	url := "rtsp://" + net.JoinHostPort(here.IPv4.String(), "8554") + "/main"
	ctl := filepath.Join(t.TempDir(), "lensletctl")
	client(t, 5*time.Minute, "go", "build", "-o", ctl, "../lensletctl")
	on := func(limit time.Duration, args ...string) string {
		c := viewer.Host.Command(args[0], args[1:]...)
		b, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s\n%s", args, err, b, first.out)
		}
		return string(b)
	}
	waitFor(t, 20*time.Second, "the stream", func() bool { return strings.Contains(first.out.String(), "ffplay") })
	on(time.Minute, ctl, "set", url, "name=garden gate", "bitrate=500k")
	events.Wait(t, "the new name", avahitest.Resolved("garden gate"))
	if !events.Had(avahitest.Gone("front door")) {
		events.Wait(t, "the end of the old name", avahitest.Gone("front door"))
	}
	if out := on(time.Minute, ctl, "discover"); !strings.Contains(out, "garden gate") || !strings.Contains(out, "back door") {
		t.Errorf("lensletctl discover shows:\n%s", out)
	}
	on(time.Minute, "ffmpeg", "-v", "error", "-rtsp_transport", "udp", "-i", url, "-frames:v", "10", "-f", "null", "-")
	first.terminate(t)
	second.terminate(t)
}
