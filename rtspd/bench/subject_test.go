package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	for _, c := range []struct {
		said string
		want target
	}{
		{"lenslet streams\n\n  open it at    rtsp://127.0.0.1:8554/main\n", target{address: "127.0.0.1:8554"}},
		{"ready 127.0.0.1:99 epoch 1700000000123456789\nmore\n", target{address: "127.0.0.1:99", clock: mapping{known: true, wall: 1700000000123456789}}},
		{"nothing\n", target{}},
	} {
		found := make(chan target, 1)
		find(strings.NewReader(c.said), found)
		if got := <-found; got != c.want {
			t.Errorf("%q: %+v, want %+v", c.said, got, c.want)
		}
	}
}

func TestSubjectCountsCollections(t *testing.T) {
	s := &subject{}
	s.listen(io.NopCloser(strings.NewReader("gc 1 @0.1s 1%: ...\ngone wrong\ngc 2 @120.0s 0%: ... (forced)\ngc 3 @121.0s 0%: ...\n")))
	if s.collections() != 2 || s.said.String() != "gone wrong\n" {
		t.Errorf("%d collections; it said %q", s.collections(), s.said.String())
	}
}

func TestSubjectThatDoesNotServe(t *testing.T) {
	s := &stage{dir: t.TempDir(), daemon: []string{"sh", "-c", "echo no camera >&2"}}
	if _, err := s.start(lensletd); err == nil || err.Error() != "lensletd does not serve; it said:\nno camera\n" {
		t.Errorf("error %v", err)
	}
	if _, err := s.start("vlc"); err == nil || err.Error() != `there is no subject "vlc"` {
		t.Errorf("error %v", err)
	}
	s.daemon = []string{filepath.Join(s.dir, "nothing")}
	if _, err := s.start(lensletd); !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("error %v", err)
	}
}

// Who cannot join leaves nothing behind, whatever was done.
func TestJoinFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 100))
			c.Close()
		}
	}()
	to := target{address: l.Addr().String(), path: "main"}
	for _, transport := range []string{byUDP, byTCP, byMulticast} {
		for _, to.floor = range []bool{false, true} {
			if _, err := join(to, transport, 3); err == nil || !strings.HasPrefix(err.Error(), "viewer 1: ") {
				t.Errorf("%s: error %v", transport, err)
			}
		}
	}
	l.Close()
	if _, err := join(to, byUDP, 3); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error %v", err)
	}
}

// The others serve some viewers by what they can; so that a ratio means
// something, all get the same.
func TestOtherSubjects(t *testing.T) {
	s, err := newStage("../../.cache/bench", usualGOP)
	if err != nil {
		t.Fatal(err)
	}
	program, err := built(runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	s.dir, s.daemon = t.TempDir(), []string{program}
	if err := s.build(runtime.GOARCH, "", true); err != nil {
		t.Fatal(err)
	}
	for _, c := range []setting{
		{theFloor, byUDP, 3}, {theFloor, byTCP, 3}, {theFloor, byMulticast, 3},
		{gortsplibV5, byUDP, 3}, {gortsplibV5, byTCP, 3}, {gstServer, byUDP, 3}, {gstServer, byTCP, 3}, {lensletd, byMulticast, 3},
	} {
		t.Run(c.subject+" by "+c.transport, func(t *testing.T) {
			r, err := s.run(c, 700*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			timed := len(r.latency) > 0 || c.subject == gstServer // its first sender report may come later
			if len(r.spread) == 0 || !timed || r.cpu <= 0 || r.memory.all <= 0 {
				t.Errorf("%+v", r)
			}
			if (isLensletd(c.subject) || c.subject == theFloor) && r.lost != 0 { // others may lose on a busy machine
				t.Errorf("%d packets lost", r.lost)
			}
			if m := r.megabits * r.seconds * frameRate / float64(r.most); m < 2 || m > 16 {
				t.Errorf("%.1f Mbit/s for each viewer", m)
			}
		})
	}
}
