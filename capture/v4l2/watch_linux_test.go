package v4l2

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// news is what the watch says within a second; false: nothing.
func news(heard <-chan error, wait time.Duration) (error, bool) {
	select {
	case err := <-heard:
		return err, true
	case <-time.After(wait):
		return nil, false
	}
}

// Nodes that come, and those that may be opened from now on, are heard of; all
// else in the folder is not.
func TestNodeWatch(t *testing.T) {
	dir := t.TempDir()
	w, err := watchNodes(dir)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan error) // closed after Next failed
	go func() {
		defer close(heard)
		for {
			err := w.Next()
			heard <- err
			if err != nil {
				return
			}
		}
	}()
	make1 := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	make1("null")
	if err, ok := news(heard, 100*time.Millisecond); ok {
		t.Errorf("another node: %v", err)
	}
	for what, do := range map[string]func(){
		"it comes":                  func() { make1("video7") },
		"it comes by another name":  func() { _ = os.Rename(filepath.Join(dir, "null"), filepath.Join(dir, "video8")) },
		"it belongs to others, too": func() { make1("video9"); <-heard; _ = os.Chmod(filepath.Join(dir, "video9"), 0o660) },
	} {
		do()
		if err, ok := news(heard, time.Minute); !ok || err != nil {
			t.Errorf("%s: heard %v, %v", what, ok, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for err := range heard { // one that was made may be heard of twice
		if err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}
	if _, err := watchNodes(filepath.Join(dir, "none")); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// inotified is an event as the kernel writes it.
func inotified(mask uint32, size int, name string) []byte {
	b := make([]byte, unix.SizeofInotifyEvent+max(size, len(name)))
	binary.NativeEndian.PutUint32(b[4:], mask)
	binary.NativeEndian.PutUint32(b[12:], uint32(size))
	copy(b[unix.SizeofInotifyEvent:], name)
	return b
}

func TestOfVideo(t *testing.T) {
	tty, video := inotified(unix.IN_CREATE, 16, "tty0"), inotified(unix.IN_CREATE, 16, "video0")
	for name, c := range map[string]struct {
		events []byte
		want   bool
	}{
		"nothing":                {nil, false},
		"another":                {tty, false},
		"one":                    {video, true},
		"behind another":         {append(tty[:len(tty):len(tty)], video...), true},
		"some were lost":         {inotified(unix.IN_Q_OVERFLOW, 0, ""), true},
		"of the folder":          {inotified(unix.IN_ATTRIB, 0, ""), false},
		"longer than there is":   {inotified(unix.IN_CREATE, 1000, "")[:20], false},
		"longest":                {inotified(unix.IN_CREATE, 0, "video")[:16], false},
		"half a head":            {video[:10], false},
		"half a name, then more": {append(inotified(unix.IN_CREATE, 16, "vide"), tty...), false},
	} {
		if got := ofVideo(c.events); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
