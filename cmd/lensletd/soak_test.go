//go:build soak

package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// Bounds of a soak.
const (
	soakGrowth = 2 << 20          // bytes of RSS at the end above those at the start
	soakSettle = 3 * time.Minute  // until what was left behind is given up: sessions end after a minute
	soakGrace  = 5 * time.Second  // after a fault
	soakWarm   = 25 * time.Second // of load before the start is measured
)

// A soaked is a lensletd under load.
type soaked struct {
	*process
	random *rand.Rand
	steady *viewer
	load   sync.WaitGroup

	watching int // viewers that stay
	bare     int // descriptors with the steady viewer alone

	mu      sync.Mutex
	faults  [][2]time.Time // when they began and ended
	resized []time.Time
	count   map[string]int // of what was done
}

// soakSettings let a soak have many viewers from one address, and hold the rate,
// so that each picture that is not sent is a lost one.
const soakSettings = "adapt = \"off\"\n[limits]\nconnections = 1000\nconnections_per_address = 1000\nsessions_per_address = 1000\n"

func startSoaked(t *testing.T, bin string, seed uint64) *soaked {
	t.Helper()
	s := &soaked{
		process: spawnSet(t, bin, fmt.Sprintf("state = %q\n", t.TempDir())+soakSettings, "-source", "pattern", "-encoder", "openh264", "-set", "framerate=15"),
		random:  rand.New(rand.NewPCG(seed, 0)), count: map[string]int{}, watching: 1,
	}
	s.streams()
	s.steady = dialViewer(t, s.url)
	s.steady.play("udp")
	s.steady.units(15)
	s.bare = s.descriptors()
	return s
}

// lot draws a number below n.
func (s *soaked) lot(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

func (s *soaked) did(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[what]++
}

// until runs a part of the load again and again.
func (s *soaked) until(end time.Time, part func()) {
	s.load.Go(func() {
		for time.Now().Before(end) && !s.t.Failed() {
			part()
		}
	})
}

// burden loads it until the end, and waits.
func (s *soaked) burden(end time.Time) {
	for range 3 {
		s.until(end, s.visit)
	}
	s.until(end, s.tune)
	s.until(end, s.freeze)
}

// rest waits until nothing of the load is left.
func (s *soaked) rest() {
	s.t.Helper()
	s.load.Wait()
	owner := dialViewer(s.t, s.url)
	defer owner.close()
	go owner.read()
	waitFor(s.t, soakSettle, "it is back at the start's settings", func() bool { // 503 while it mends itself after a fault
		return owner.do("SET_PARAMETER", s.url, "resolution: 320x240\r\nbitrate: 500000\r\ngop: 30\r\nbrightness: 0\r\n").Status == wire.OK
	})
	waitFor(s.t, soakSettle, "the viewers of the load are gone", func() bool { return owner.get("viewers") == strconv.Itoa(s.watching) })
}

// descriptors are those that are open.
func (s *soaked) descriptors() int {
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "fd"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(entries)
}

// resident is the RSS, in bytes.
func (s *soaked) resident() int {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "statm"))
	if err != nil {
		s.t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		s.t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// goroutine begins one in a trace; those of the runtime come when it needs them.
var goroutine = regexp.MustCompile(`(?m)^goroutine [1-9]\d* .*\[([a-zA-Z ]*)`)

// goroutines ends it, and counts those that there were.
func (s *soaked) goroutines() (n int) {
	s.t.Helper()
	waitFor(s.t, soakSettle, "the connections are closed", func() bool { return s.descriptors() <= s.bare })
	time.Sleep(time.Second) // for what comes after closing
	before := len(s.logs.String())
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.ended
	for _, g := range goroutine.FindAllStringSubmatch(s.logs.String()[before:], -1) {
		state, _, _ := strings.Cut(g[1], " ")
		if !slices.Contains([]string{"GC", "force", "finalizer", "cleanup", "GOMAXPROCS"}, state) {
			n++
		}
	}
	return n
}

// TestSoak: viewers come and go, settings change, some viewers are ill, and
// lensletd stands still now and then. Who watches all the time loses nothing,
// and at the end lensletd holds what it held at the start. Two of them share the
// load: one built to find data races, and one whose memory is counted.
func TestSoak(t *testing.T) {
	seconds, err := strconv.Atoi(os.Getenv("SOAK_SECONDS"))
	if err != nil {
		t.Fatalf("SOAK_SECONDS: %v", err)
	}
	seed, err := strconv.ParseUint(os.Getenv("SOAK_SEED"), 10, 64)
	if err != nil {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("SOAK_SEED=%d", seed)
	newState(t)
	plain, racing := program(t), filepath.Join(scratch, "lensletd-race")
	client(t, 10*time.Minute, "go", "build", "-race", "-tags", "openh264", "-o", racing, ".")

	soaks := map[string]*soaked{"plain": startSoaked(t, plain, seed), "race": startSoaked(t, racing, seed+1)}
	marks := watchMarkers(soaks["plain"])
	for _, s := range soaks {
		s.burden(time.Now().Add(soakWarm))
	}
	for _, s := range soaks {
		s.rest()
	}
	settled := func(s *soaked) int {
		time.Sleep(10 * time.Second) // the runtime gives memory back by and by
		return s.resident()
	}
	start, fds := settled(soaks["plain"]), map[string]int{}
	for name, s := range soaks {
		fds[name] = s.descriptors()
	}
	fresh := map[string]int{}
	for name, bin := range map[string]string{"plain": plain, "race": racing} {
		s := startSoaked(t, bin, seed)
		fresh[name] = s.goroutines()
	}

	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for _, s := range soaks {
		s.burden(end)
	}
	for name, s := range soaks {
		s.rest()
		waitFor(t, soakSettle, name+" has closed its descriptors", func() bool { return s.descriptors() <= fds[name] })
	}
	lowest := settled(soaks["plain"])
	for range 10 {
		if lowest > start+soakGrowth {
			lowest = min(lowest, settled(soaks["plain"]))
		}
	}
	t.Logf("RSS: %d KB at the start, %d KB at the end", start>>10, lowest>>10)
	if lowest > start+soakGrowth {
		t.Errorf("RSS grew from %d to %d", start, lowest)
	}
	marks.stop()
	soaks["plain"].watching--
	for name, s := range soaks {
		t.Logf("%s: %v; %d pictures to the steady viewer", name, s.count, s.steady.markers())
		s.steady.checkContinuity(10 * time.Second)
		if name == "plain" {
			marks.check(s)
		}
		s.rest() // without who watched the markers
		n := s.goroutines()
		t.Logf("%s: %d descriptors, %d goroutines, and %d in a fresh one", name, fds[name], n, fresh[name])
		if n > fresh[name] {
			t.Errorf("%s: %d goroutines, and %d in a fresh one\n%s", name, n, fresh[name], s.logs)
		}
		if said := s.logs.String(); strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic") {
			t.Errorf("%s says:\n%s", name, said)
		}
	}
}
