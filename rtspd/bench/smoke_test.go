package main

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary be the subjects that are in this program.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && (os.Args[1] == theFloor || os.Args[1] == gortsplibV5) {
		if err := dispatch(os.Args[1:]); err != nil {
			panic(err)
		}
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		panic(err)
	}
	programs = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var (
	programs string // directory
	once     sync.Map
)

// built is lensletd for a processor.
func built(arch string) (string, error) {
	build, _ := once.LoadOrStore(arch, sync.OnceValues(func() (string, error) {
		s := &stage{dir: programs}
		err := s.build(arch, "", false)
		return strings.Join(s.daemon, ""), err
	}))
	return build.(func() (string, error))()
}

// smoke is ten viewers for a while: nothing is lost, nothing allocated.
func smoke(t *testing.T, arch, emulator, transport string, window time.Duration) result {
	t.Helper()
	s, err := newStage("../../.cache/bench", shortGOP)
	if err != nil {
		t.Fatal(err)
	}
	program, err := built(arch)
	if err != nil {
		t.Fatal(err)
	}
	s.dir, s.daemon = t.TempDir(), append(strings.Fields(emulator), program)
	const viewers = 10
	r, err := s.run(setting{lensletd, transport, viewers}, window)
	if err != nil {
		t.Fatal(err)
	}
	if r.lost != 0 || r.missed != 0 || r.captured == 0 || r.least < r.captured {
		t.Errorf("of %d pictures %d to %d came to a viewer, %d not to all; %d packets lost", r.captured, r.least, r.most, r.missed, r.lost)
	}
	if transport == byUDP && r.segmented < uint64(r.captured*viewers) {
		t.Errorf("%d segmented sends for %d pictures and %d viewers", r.segmented, r.captured, viewers)
	}
	if r.allocations < 0 || r.allocations > allocationsMost { // one for each key frame is 0.22 or more
		t.Errorf("%.2f heap objects for each frame", r.allocations)
	}
	t.Logf("%v; %d pictures, %d to %d for a viewer, %d segmented sends, %.2f objects/frame", r, r.captured, r.least, r.most, r.segmented, r.allocations)
	return r
}

func TestTenViewersByUDP(t *testing.T) { smoke(t, runtime.GOARCH, "", byUDP, 3*time.Second) }

func TestTenViewersByTCP(t *testing.T) { smoke(t, runtime.GOARCH, "", byTCP, 3*time.Second) }

// The same by lensletd for other processors, which QEMU runs on this kernel.
func TestTenViewersOfARM(t *testing.T) {
	for _, c := range []struct{ arch, emulator string }{{"arm", "qemu-arm"}, {"arm64", "qemu-aarch64"}} {
		t.Run(c.arch, func(t *testing.T) { smoke(t, c.arch, c.emulator, byUDP, time.Second) })
	}
}
