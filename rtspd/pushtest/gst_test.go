package pushtest

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gstServer runs GStreamer's server until the test ends, and gives the URLs to
// push to and to watch.
func gstServer(t *testing.T) (in, out string) {
	t.Helper()
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "gstreamer-rtsp-server-1.0").Output()
	if err != nil {
		t.Fatalf("pkg-config: %v", err)
	}
	program := filepath.Join(t.TempDir(), "gstserver")
	args := append([]string{"-Wall", "-Werror", "-o", program, "testdata/gstserver.c"}, strings.Fields(string(flags))...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	cmd := exec.Command(program, fmt.Sprint(freePair(t)))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("GStreamer said:\n%s", errs.String())
		}
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	host := "127.0.0.1:" + strings.TrimSpace(port)
	return "rtsp://user:secret@" + host + "/cam", "rtsp://user:secret@" + host + "/out"
}

func TestPushToGStreamer(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		t.Run(transport, func(t *testing.T) {
			in, out := gstServer(t)
			d := startDaemon(t, fmt.Sprintf("url = %q\ntransport = %q\n", in, transport))
			d.awaitStatus("streaming")
			d.watch(out, 50, "-rtsp_transport", "tcp")
			if got := d.status(); got != "streaming" {
				t.Errorf("the push is: %s", got)
			}
			d.stop()
		})
	}
}
