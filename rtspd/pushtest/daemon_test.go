package pushtest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lenslet/capture"
)

const width, height = 640, 360

// built is lensletd, with the software encoder.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pushtest")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-tags", "openh264", "-o", dir, "./cmd/lensletd")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, out)
	}
	return filepath.Join(dir, "lensletd"), nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := built(); err == nil {
		_ = os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// A daemon is lensletd with the test pattern.
type daemon struct {
	t     *testing.T
	cmd   *exec.Cmd
	addr  string
	mu    sync.Mutex
	log   bytes.Buffer
	ended chan error // gets what Wait says
	over  bool
}

func (d *daemon) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *daemon) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// startDaemon starts one with a [push] table.
func startDaemon(t *testing.T, push string) *daemon {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "lenslet.toml")
	text := fmt.Sprintf("listen = \"127.0.0.1:0\"\nsource = \"pattern\"\nauth = \"none\"\nmdns = false\n[set]\nresolution = \"%dx%d\"\nframerate = 25\n[push]\n%s", width, height, push)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, cmd: exec.Command(program, "-config", file), ended: make(chan error, 1)}
	d.cmd.Stdout, d.cmd.Stderr = d, d
	d.cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.ended <- d.cmd.Wait() }()
	t.Cleanup(func() {
		if !d.over {
			_ = d.cmd.Process.Kill()
			<-d.ended
		}
		if t.Failed() {
			t.Logf("lensletd said:\n%s", d.logged())
		}
	})
	await(t, "lensletd streams", func() bool {
		if m := regexp.MustCompile(`rtsp://(\S+)/main`).FindStringSubmatch(d.logged()); m != nil {
			d.addr = m[1]
		}
		return d.addr != ""
	})
	return d
}

// stop ends it as systemd does, within the 2 s that stopping may take (and some
// for a slow machine).
func (d *daemon) stop() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		d.t.Fatal(err)
	}
	select {
	case err := <-d.ended:
		d.over = true
		if err != nil {
			d.t.Errorf("lensletd ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		d.t.Error("lensletd does not stop")
	}
}

// status is the parameter push.
func (d *daemon) status() string {
	d.t.Helper()
	return d.ask("GET_PARAMETER", "push", "push: ")
}

// set sets a parameter.
func (d *daemon) set(line string) {
	d.t.Helper()
	d.ask("SET_PARAMETER", line, "RTSP/1.0 200 ")
}

// ask sends a request, and gives the rest of the line of the answer that begins
// as wanted.
func (d *daemon) ask(method, body, want string) string {
	d.t.Helper()
	nc, err := net.Dial("tcp", d.addr)
	if err != nil {
		d.t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(nc, "%s rtsp://%s/main RTSP/1.0\r\nCSeq: 1\r\nContent-Type: text/parameters\r\nContent-Length: %d\r\n\r\n%s\r\n",
		method, d.addr, len(body)+2, body)
	r := bufio.NewReader(nc)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			d.t.Fatal(err)
		}
		if value, ok := strings.CutPrefix(line, want); ok {
			return strings.TrimSpace(value)
		}
	}
}

func (d *daemon) awaitStatus(want string) {
	d.t.Helper()
	last := ""
	await(d.t, "push is "+want, func() bool {
		last = d.status()
		return last == want
	})
}

// dropped is how many frames the camera had no time for.
func (d *daemon) dropped() int {
	d.t.Helper()
	n, err := strconv.Atoi(d.ask("GET_PARAMETER", "frames_dropped", "frames_dropped: "))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// watch has FFmpeg read a stream for some pictures, and wants each of them, one
// after the other, as they were drawn, but for those that the camera dropped.
func (d *daemon) watch(url string, pictures int, options ...string) {
	t := d.t
	t.Helper()
	missing := d.dropped() // less those until the end
	args := append([]string{"-hide_banner", "-nostdin", "-v", "error"}, options...)
	cmd := exec.Command("ffmpeg", append(args, "-i", url, "-frames:v", fmt.Sprint(pictures),
		"-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-")...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	luma := make([]byte, width*height)
	var last uint32
	seen := 0
	for {
		if _, err := io.ReadFull(out, luma); err != nil {
			break
		}
		n, ok := capture.ReadMarker(luma, width, width, height)
		if !ok || (seen > 0 && n <= last) {
			t.Errorf("picture %d: frame %d (legible: %v) follows %d", seen, n, ok, last)
			break
		}
		if seen > 0 {
			missing += int(n - last - 1)
		}
		last = n
		seen++
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil || seen != pictures {
		t.Errorf("ffmpeg showed %d pictures of %d: %v\n%s", seen, pictures, err, errs.String())
	}
	if missing -= d.dropped(); missing > 0 {
		t.Errorf("%d pictures are missing that the camera did not drop", missing)
	}
}
