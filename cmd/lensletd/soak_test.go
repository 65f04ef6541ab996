//go:build soak

package main

import (
	"context"
	"fmt"
	"maps"
	"math"
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
	soakGrowth  = 2 << 20          // bytes of RSS at the end above those at the start
	soakSession = 20 * time.Second // until a session is given up that gives no sign of life
	soakSettle  = 3 * time.Minute  // until all is given up that was left behind
	soakGrace   = 5 * time.Second  // after a fault
	soakCalm    = 15 * time.Second // between faults at least: most of the time has no excuse
	soakWarm    = time.Minute      // of load before the start is measured: each fault came once
)

// A soaked is a lensletd under load.
type soaked struct {
	*process
	name   string
	bin    string
	random *rand.Rand
	group  string // HOST:PORT of its multicast
	steady *reporter
	quiet  func()   // ends its reports
	marks  *markers // nil: nobody watches them
	load   sync.WaitGroup

	watching int           // viewers that stay
	bare     int           // descriptors with the steady viewer alone
	harmed   int           // faults so far
	calm     time.Duration // between two faults at least, and at most twice as long

	mu      sync.Mutex
	faults  [][2]time.Time // when they began and ended
	resized []time.Time
	count   map[string]int // of what was done
}

// soakSettings let a soak have many viewers from one address. Whose pictures are
// counted holds the rate, so that each one that is not sent is a lost one.
const soakSettings = `state = %q
multicast = %q
adapt = %q
[limits]
connections = 1000
connections_per_address = 1000
sessions_per_address = 1000
`

func startSoaked(t *testing.T, name, bin, adapt string, seed uint64) *soaked {
	t.Helper()
	s := &soaked{name: name, bin: bin, random: rand.New(rand.NewPCG(seed, 0)), count: map[string]int{}, watching: 1}
	s.group = fmt.Sprintf("239.255.%d.%d:%d", s.lot(256), s.lot(256), 20000+2*s.lot(5000))
	s.process = spawnSet(t, bin, fmt.Sprintf(soakSettings, t.TempDir(), s.group, adapt), "-source", "pattern", "-encoder", "openh264", "-set", "framerate=15")
	s.streams()
	s.steady = &reporter{viewer: dialViewer(t, s.url), every: time.Second}
	s.steady.play("udp")
	ctx, cancel := context.WithCancel(context.Background())
	var reports sync.WaitGroup
	reports.Go(func() { s.steady.report(ctx) })
	s.quiet = sync.OnceFunc(func() { cancel(); reports.Wait() })
	t.Cleanup(s.quiet)
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

// burden loads it until the end.
func (s *soaked) burden(end time.Time) {
	for range 3 {
		s.until(end, s.visit)
	}
	s.until(end, s.tune)
	s.until(end, s.harm)
}

// rest waits until nothing of the load is left.
func (s *soaked) rest() {
	s.t.Helper()
	s.load.Wait()
	s.restore()
	waitFor(s.t, soakSettle, "the descriptors are closed", func() bool { return s.descriptors() <= s.bare+s.watching-1 })
}

// restore sets what was set at the start, and waits for the end of viewers.
func (s *soaked) restore() {
	s.t.Helper()
	owner := dialViewer(s.t, s.url)
	defer owner.close()
	go owner.read()
	waitFor(s.t, soakSettle, "it is back at the start's settings", func() bool { // 503 while it mends itself after a fault
		return owner.do("SET_PARAMETER", s.url, "resolution: 320x240\r\nbitrate: 500000\r\ngop: 30\r\nbrightness: 0\r\n").Status == wire.OK
	})
	left := ""
	defer func() {
		if left != "" {
			s.t.Logf("viewers: %s, want %d\n%s", left, s.watching, s.logs)
		}
	}()
	waitFor(s.t, soakSettle, "the viewers of the load are gone, and the devices left behind closed", func() bool {
		if left = owner.get("viewers"); left != strconv.Itoa(s.watching) || !strings.HasSuffix(owner.get("faults"), "abandoned=0") {
			return false
		}
		left = ""
		return true
	})
}

// counters are what it says of lost pictures and packets.
func (s *soaked) counters() string {
	s.t.Helper()
	owner := dialViewer(s.t, s.url)
	defer owner.close()
	go owner.read()
	var told []string
	for _, name := range []string{"frames_captured", "frames_dropped", "packets_refused", "skips", "latency", "faults"} {
		told = append(told, name+"="+owner.get(name))
	}
	return strings.Join(told, " ")
}

// lately is what it said last.
func (s *soaked) lately() string {
	lines := strings.Split(strings.TrimSpace(s.logs.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
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

// memory tells in which mappings the RSS lies, in KB. Go's heap grows by 4 MB, from
// an address that is random.
func (s *soaked) memory() string {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "smaps"))
	if err != nil {
		s.t.Fatal(err)
	}
	const arena = 4 << 20
	kilobytes, kind := map[string]int{}, ""
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch {
		case f[0] == "Rss:":
			n, _ := strconv.Atoi(f[1])
			kilobytes[kind] += n
		case strings.HasSuffix(f[0], ":"): // of the mapping above
		case len(f) == 6:
			kind = filepath.Base(f[5])
		default:
			kind = "anonymous"
			var from, to uint64
			if _, err := fmt.Sscanf(f[0], "%x-%x", &from, &to); err == nil && from%arena == 0 && to%arena == 0 {
				kind = "Go's heap"
			}
		}
	}
	maps.DeleteFunc(kilobytes, func(_ string, n int) bool { return n < 100 })
	return fmt.Sprint(kilobytes)
}

// goroutine begins one in a trace; those of the runtime come when it needs them.
var goroutine = regexp.MustCompile(`(?m)^goroutine [1-9]\d* .*\[([a-zA-Z ]*)`)

// goroutines ends it, and counts those that there were.
func (s *soaked) goroutines() (n int) {
	s.t.Helper()
	s.quiet()
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

// check wants what it was to bear without a loss, and nothing left of it.
func (s *soaked) check() {
	s.t.Helper()
	s.t.Logf("%s: %v; %d pictures to the steady viewer", s.name, s.count, s.steady.markers())
	s.t.Logf("%s: %s", s.name, s.counters())
	s.steady.checkContinuity(30 * time.Second)
	if s.marks != nil {
		s.marks.stop()
		s.marks.check(s)
		s.watching--
	}
	s.rest() // without who watched the markers
	fresh := startSoaked(s.t, s.name, s.bin, "off", 0).goroutines()
	n := s.goroutines()
	s.t.Logf("%s: %d goroutines, and %d in a fresh one", s.name, n, fresh)
	if n > fresh {
		s.t.Errorf("%s: %d goroutines, and %d in a fresh one\n%s", s.name, n, fresh, s.logs)
	}
	if said := s.logs.String(); strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic") {
		s.t.Errorf("%s says:\n%s", s.name, said)
	}
}

// bear loads all of them for a time, with some calm between two faults, and waits
// until nothing of that is left.
func bear(soaks []*soaked, load, calm time.Duration) {
	end := time.Now().Add(load)
	for _, s := range soaks {
		s.calm = calm
		s.burden(end)
	}
	for _, s := range soaks {
		s.rest()
	}
}

// settled is the RSS when the runtime had time to give memory back; more of it
// where that is more than enough.
func (s *soaked) settled(enough int) (lowest int) {
	for range 10 {
		time.Sleep(10 * time.Second)
		if now := s.resident(); lowest == 0 || now < lowest {
			lowest = now
		}
		if lowest <= enough {
			break
		}
	}
	return lowest
}

// TestSoak: viewers come and go, settings change, some viewers are ill or die,
// and now and then the camera or the whole of lensletd fails for a moment. Who
// watches all the time loses nothing but during faults, and at the end lensletd
// holds what it held at the start. Two of them share the load: one built to find
// data races, and one whose memory is counted and whose pictures are.
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
	plain := startSoaked(t, "plain", soakedProgram(t, "plain"), "off", seed)
	racing := startSoaked(t, "race", soakedProgram(t, "race", "-race"), "majority", seed+1)
	plain.marks = watchMarkers(plain)
	soaks := []*soaked{plain, racing}
	attest(t, soaks)

	bear(soaks, soakWarm, 5*time.Second)
	start, before := plain.settled(math.MaxInt), plain.memory()
	bear(soaks, time.Duration(seconds)*time.Second, soakCalm)
	end := plain.settled(start + soakGrowth)
	t.Logf("RSS: %d KB at the start, %d KB at the end; from %s to %s", start>>10, end>>10, before, plain.memory())
	if end > start+soakGrowth {
		t.Errorf("RSS grew from %d to %d", start, end)
	}
	for _, s := range soaks {
		s.check()
	}
}
