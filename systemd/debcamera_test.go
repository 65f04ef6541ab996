//go:build deb

package systemd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// dropIn has the camera show a clip: the machine has neither camera nor encoder.
const dropIn = `[Service]
ExecStart=
ExecStart=/usr/bin/lensletd -config /etc/lenslet/lenslet.toml -source file:/srv/clip.264
`

// A debCamera is a machine with our package on it, or not yet.
type debCamera struct {
	*machine
	passwords map[string]string // by user, once they were made
}

// newDebCamera boots a machine that has the two versions of the package at hand.
func newDebCamera(t *testing.T, older, newer string) *debCamera {
	t.Helper()
	return &debCamera{machine: boot(t, func(root string) {
		output(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=4",
			"-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-g", "25", "-f", "h264", filepath.Join(root, "srv/clip.264"))
		output(t, "cp", older, filepath.Join(root, "srv/older.deb"))
		output(t, "cp", newer, filepath.Join(root, "srv/newer.deb"))
		dir := filepath.Join(root, "etc/systemd/system/lenslet.service.d")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "clip.conf"), []byte(dropIn), 0o644); err != nil {
			t.Fatal(err)
		}
	})}
}

// logins reads the passwords that the camera made.
func (c *debCamera) logins(t *testing.T) {
	t.Helper()
	c.passwords = map[string]string{}
	text := c.run(t, "cat", "/var/lib/lenslet/passwords.toml")
	for _, m := range regexp.MustCompile(`(?m)^(viewer|admin)_password = "(.{16})"$`).FindAllStringSubmatch(text, -1) {
		c.passwords[m[1]] = m[2]
	}
	if len(c.passwords) != 2 {
		t.Fatalf("the camera made the passwords %q", text)
	}
}

func (c *debCamera) url(user, host string) string {
	return fmt.Sprintf("rtsp://%s:%s@%s:554/main", user, c.passwords[user], host)
}

// plays wants FFmpeg to decode pictures of the camera, from outside.
func (c *debCamera) plays(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	out, err := c.outside(ctx, "ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "udp", "-i", c.url("viewer", cameraIP),
		"-frames:v", "25", "-f", "framemd5", "-").CombinedOutput()
	if pictures := len(regexp.MustCompile(`(?m)^0, .*$`).FindAll(out, -1)); err != nil || pictures != 25 {
		t.Fatalf("FFmpeg decoded %d pictures, want 25: %v\n%s", pictures, err, out)
	}
}

// server is what answers at the camera's port.
func (c *debCamera) server() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	out, err := c.outside(ctx, "bash", "-c", `exec 3<>/dev/tcp/`+cameraIP+`/554 && printf 'OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n' >&3 &&
		sed -n '/^Server: /{s///p;q}' <&3`).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// up wants the installed version to run and to be started with the machine.
func (c *debCamera) up(t *testing.T, version string) {
	t.Helper()
	for _, unit := range []string{"lenslet.socket", "lenslet.service"} {
		if enabled, active := c.unitState(t, unit, "UnitFileState"), c.unitState(t, unit, "ActiveState"); enabled != "enabled" || active != "active" {
			t.Fatalf("%s is %s and %s\n%s", unit, enabled, active, c.run(t, "journalctl", "--no-pager", "--unit", unit))
		}
	}
	if got, err := c.server(); err != nil || got != "lenslet/"+version {
		t.Errorf("at the port answers %q, %v; want version %s", got, err, version)
	}
}

// A session is one run of a player.
type session struct {
	pictures    int
	first, last time.Time // of its pictures
	said        string
}

// A recorder plays the camera, and connects anew whenever its player ends.
type recorder struct {
	mu       sync.Mutex
	sessions []session
}

// record runs until the test ends, or the given function is called.
func (c *debCamera) record(t *testing.T) (*recorder, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, done := &recorder{}, make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			r.play(c.outside(ctx, "ffmpeg", "-nostdin", "-v", "error", "-rtsp_transport", "tcp", "-i", c.url("viewer", cameraIP),
				"-f", "framemd5", "-flush_packets", "1", "-"))
		}
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return r, stop
}

// play counts the pictures of one session.
func (r *recorder) play(cmd *exec.Cmd) {
	r.mu.Lock()
	r.sessions = append(r.sessions, session{})
	now := &r.sessions[len(r.sessions)-1]
	r.mu.Unlock()
	said := &bytes.Buffer{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "0, ") {
				r.mu.Lock()
				now.last = time.Now()
				if now.pictures++; now.pictures == 1 {
					now.first = now.last
				}
				r.mu.Unlock()
			}
		}
		err = cmd.Wait()
	}
	r.mu.Lock()
	now.said = fmt.Sprint(said, err)
	r.mu.Unlock()
}

// seen gives all sessions so far.
func (r *recorder) seen() []session {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sessions)
}
