package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/wire"
)

// mounted is a file system of few pages, as the state directory. Mounting needs
// root, as other tests of networks do.
func mounted(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Dir(newState(t))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=32k"); err != nil {
		t.Fatalf("mount: %v (this test needs root)", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves no room in it.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "full"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}

func readOnlyNow(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("none", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
}

// A state directory that is full, or read-only: passwords, certificate and
// settings of an earlier start are read, what is set now is set, and one line
// says that it is not kept.
func TestStateThatTakesNothing(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, string){"full": fill, "read-only": readOnlyNow} {
		t.Run(name, func(t *testing.T) {
			dir := mounted(t)
			bin := program(t)
			login := []string{"-source", "pattern", "-auth", "password"}
			launch(t, bin, login...).kill()
			passwords, err := os.ReadFile(filepath.Join(dir, passwordFile))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, keptFile), []byte("[set]\ngop = \"33\"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			spoil(t, dir)
			if again := launch(t, bin, login...); !strings.Contains(again.url, "viewer@") {
				t.Errorf("the passwords are other ones: %s", again.out)
			}
			p := launch(t, bin, "-source", "pattern")
			v := dialViewer(t, p.url)
			v.play("udp")
			if got := v.get("gop"); got != "33" {
				t.Errorf("gop is %s, not the 33 of an earlier run", got)
			}
			v.set(wire.OK, "gop: 34")
			v.units(20)
			v.set(wire.OK, "gop: 35")
			v.units(40)
			v.checkContinuity(5 * time.Second)
			if got := v.get("gop"); got != "35" {
				t.Errorf("gop is %s", got)
			}
			waitFor(t, 20*time.Second, "a warning", func() bool { return strings.Contains(p.logs.String(), "cannot be kept") })
			kept, others := 0, 0
			for line := range strings.Lines(p.logs.String()) {
				switch {
				case strings.Contains(line, "cannot be kept"):
					kept++
				case strings.Contains(line, "level=WARN") && !strings.Contains(line, "stands still"): // as on a busy machine
					others++
				}
			}
			if kept != 1 || others != 0 {
				t.Errorf("%d and %d warnings:\n%s", kept, others, p.logs)
			}
			if after, err := os.ReadFile(filepath.Join(dir, passwordFile)); err != nil || !bytes.Equal(after, passwords) {
				t.Errorf("the passwords are %q, %v", after, err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// At a first start nothing can be kept: all of it serves for one run.
func TestFirstStartWithFullState(t *testing.T) {
	dir := mounted(t)
	fill(t, dir)
	var logs bytes.Buffer
	d := daemonOf(t, &logs, io.Discard, "")
	l, err := d.openLogin()
	if err != nil || len(l.Viewer) != passwordLength || len(l.Admin) != passwordLength {
		t.Fatalf("%+v, %v", l, err)
	}
	var cert tls.Certificate
	if cert, err = d.certificate(); err != nil || len(cert.Certificate) == 0 {
		t.Fatal(err)
	}
	if n := strings.Count(logs.String(), "\n"); n != 2 || strings.Count(logs.String(), "no space left") != 2 {
		t.Errorf("the log says:\n%s", &logs)
	}
}

// What a killed lensletd had begun to write is removed at the next start.
func TestUnfinishedFilesAreRemoved(t *testing.T) {
	dir := keptIn(t, "")
	for _, name := range []string{".new-123", ".new-4", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	daemonOf(t, io.Discard, io.Discard, "").tidyState()
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 || !exists(t, filepath.Join(dir, "other")) {
		t.Errorf("left are %v", left)
	}
}
