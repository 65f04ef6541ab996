package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Subjects.
const (
	lensletd    = "lensletd"
	pacedDaemon = "paced" // lensletd with pacing on, by UDP with pacedViewers
	theFloor    = "floor"
	gortsplibV5 = "gortsplib"
	gstServer   = "gst"
)

// pacedViewers is how many viewers are paced.
const pacedViewers = 50

// isLensletd tells whether a subject is lensletd, paced or not.
func isLensletd(subject string) bool { return subject == lensletd || subject == pacedDaemon }

// A target is where a subject serves.
type target struct {
	address string  // HOST:PORT
	path    string  // of the stream
	floor   bool    // by the floor's protocol
	clock   mapping // of its packets, if it tells; else sender reports do
}

// A stage has what subjects need: programs and the clip.
type stage struct {
	dir    string // for what is made
	clip   string
	bytes  int64    // of the clip
	daemon []string // the program lensletd, behind what runs it
	self   string   // this program
	gst    string   // gstserver; "": not built
}

// A subject is a server that runs.
type subject struct {
	target
	cmd   *exec.Cmd
	out   sync.WaitGroup // reads what it says
	mu    sync.Mutex
	said  bytes.Buffer // on stderr
	swept int          // garbage collections that lensletd did by need
}

// command is how a subject is started.
func (s *stage) command(name string) ([]string, error) {
	switch name {
	case lensletd, pacedDaemon:
		pacing := "off"
		if name == pacedDaemon {
			pacing = "on"
		}
		config := filepath.Join(s.dir, "lensletd.toml")
		text := fmt.Sprintf("listen = \"127.0.0.1:0\"\nsource = %q\nauth = \"none\"\nmdns = false\nlog = \"error\"\npacket = %d\nmulticast = \"239.255.77.1:5004\"\npacing = %q\n"+
			"[limits]\nconnections = 5000\nconnections_per_address = 5000\nsessions_per_address = 5000\n", "file:"+s.clip, packetSize, pacing)
		return append(s.daemon[:len(s.daemon):len(s.daemon)], "-config", config), os.WriteFile(config, []byte(text), 0o600)
	case theFloor, gortsplibV5:
		return []string{s.self, name, s.clip}, nil
	case gstServer:
		list, err := index(s.clip)
		return []string{s.gst, s.clip, list}, err
	}
	return nil, fmt.Errorf("there is no subject %q", name)
}

// ready is what a subject says when it serves.
var ready = regexp.MustCompile(`(?:ready |rtsp://)([0-9.]+:[0-9]+)(?: epoch ([0-9]+))?`)

// start starts a subject, and waits until it serves.
func (s *stage) start(name string) (*subject, error) {
	args, err := s.command(name)
	if err != nil {
		return nil, err
	}
	sub := &subject{cmd: exec.Command(args[0], args[1:]...)}
	sub.path, sub.floor = "main", name == theFloor
	sub.cmd.Env = append(os.Environ(), "GODEBUG=gctrace=1", "HOME="+s.dir)
	sub.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := sub.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := sub.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := sub.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	found := make(chan target, 1)
	sub.out.Go(func() { find(stdout, found) })
	sub.out.Go(func() { sub.listen(stderr) })
	select {
	case t := <-found:
		sub.address, sub.clock = t.address, t.clock
	case <-time.After(patience):
	}
	if sub.address == "" {
		sub.stop()
		return nil, fmt.Errorf("%s does not serve; it said:\n%s", name, sub.said.String())
	}
	return sub, nil
}

// find sends what is said about where it serves; nothing, if nothing is.
func find(out io.Reader, found chan<- target) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		m := ready.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		t := target{address: m[1]}
		if wall, err := strconv.ParseInt(m[2], 10, 64); err == nil {
			t.clock = mapping{known: true, wall: wall}
		}
		found <- t
		break
	}
	close(found)
	_, _ = io.Copy(io.Discard, out) // so that it never waits for us
}

// listen counts garbage collections, and keeps the rest.
func (s *subject) listen(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		line := lines.Text()
		s.mu.Lock()
		switch {
		case !strings.HasPrefix(line, "gc "):
			if s.said.Len() < 1<<16 {
				fmt.Fprintln(&s.said, line)
			}
		case !strings.HasSuffix(line, "(forced)"):
			s.swept++
		}
		s.mu.Unlock()
	}
}

// collections is how many there were.
func (s *subject) collections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.swept
}

// stop ends it.
func (s *subject) stop() {
	_ = s.cmd.Process.Kill()
	s.out.Wait()
	_ = s.cmd.Wait() // it was killed
}

// build makes lensletd and, if wanted, gstserver. The program of lensletd is the
// one that boards with that processor get, behind what runs it here.
func (s *stage) build(arch, emulator string, withGst bool) error {
	if s.daemon == nil {
		board := arch
		if arch == "arm" {
			board = "armv6"
		}
		out := filepath.Join(s.dir, "for-"+board)
		cmd := exec.Command(".ci/build", board, "bench", out)
		cmd.Dir = "../.."
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build lensletd: %w\n%s", err, said)
		}
		s.daemon = append(strings.Fields(emulator), filepath.Join(out, lensletd))
	}
	if !withGst {
		return nil
	}
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "gstreamer-rtsp-server-1.0", "gstreamer-app-1.0").Output()
	if err != nil {
		return fmt.Errorf("pkg-config: %w", err)
	}
	s.gst = filepath.Join(s.dir, "gstserver")
	args := append([]string{"-O2", "-Wall", "-Werror", "-o", s.gst, "testdata/gstserver.c"}, strings.Fields(string(flags))...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("gcc: %w", err), errors.New(string(out)))
	}
	return nil
}
