package capture

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestPacerDoesNotDrift(t *testing.T) {
	tests := []struct {
		rate Rate
		n    uint64
		want time.Duration
	}{
		{Rate{25, 1}, 1, 40 * time.Millisecond},
		{Rate{30, 1}, 1, 33333333},
		{Rate{30, 1}, 3, 100 * time.Millisecond},
		{Rate{30000, 1001}, 30000, 1001 * time.Second},
		{Rate{30000, 1001}, 30000 * 86400, 1001 * 86400 * time.Second},
		{Rate{120, 1}, 120 * 3600 * 24 * 365, 365 * 24 * time.Hour},
		{Rate{1 << 24, 1<<24 - 1}, 1 << 24, (1<<24 - 1) * time.Second},
	}
	for _, tt := range tests {
		p := pacer{epoch: time.Hour, rate: tt.rate, n: tt.n}
		if got := p.due() - time.Hour; got != tt.want {
			t.Errorf("frame %d at %v/s is due after %v, want %v", tt.n, tt.rate, got, tt.want)
		}
	}
}

func TestPacerCountsWhatIsDue(t *testing.T) {
	p := pacer{epoch: time.Second, rate: Rate{25, 1}, n: 5}
	due := time.Second + 5*40*time.Millisecond
	tests := []struct {
		now  time.Duration
		want uint64
	}{
		{0, 0}, {due - 1, 0}, {due, 0}, {due + 40*time.Millisecond - 1, 0}, {due + 40*time.Millisecond, 1},
		{due + 79*time.Millisecond, 1}, {due + time.Second, 25}, {due + 1000*time.Hour, 90000000},
	}
	for _, tt := range tests {
		if got := p.behind(tt.now); got != tt.want {
			t.Errorf("at %v: %d frames behind, want %d", tt.now, got, tt.want)
		}
	}
}

func TestPacerChangesItsRate(t *testing.T) {
	p := pacer{epoch: time.Second, rate: Rate{10, 1}}
	p.setRate(Rate{20, 1}, time.Second) // before the first frame
	if p.due() != time.Second {
		t.Fatalf("the first frame is due at %v", p.due())
	}
	p.n = 4 // the last frame was due at 1.15 s
	p.setRate(Rate{20, 1}, 2*time.Second)
	if p.due() != 1200*time.Millisecond {
		t.Errorf("the same rate moves the next frame to %v", p.due())
	}
	p.setRate(Rate{10, 1}, 1160*time.Millisecond)
	if p.due() != 1250*time.Millisecond {
		t.Errorf("half the rate: next frame at %v, want 1.25 s", p.due())
	}
	p.n = 1 // the last frame was due at 1.25 s
	p.setRate(Rate{100, 1}, 1300*time.Millisecond)
	if p.due() != 1300*time.Millisecond {
		t.Errorf("a higher rate must not make frames due in the past: %v", p.due())
	}
}

func TestNowGoesOn(t *testing.T) {
	a := now()
	time.Sleep(time.Millisecond)
	if b := now(); b-a < time.Millisecond || b-a > time.Hour {
		t.Errorf("1 ms took %v", b-a)
	}
}

// The clock is the kernel's: a driver's timestamps are held against it.
func TestNowIsTheKernelsClock(t *testing.T) {
	for range 1000 {
		before := kernelClock()
		at := now()
		if after := kernelClock(); at < before-time.Millisecond || at > after+time.Millisecond {
			t.Fatalf("%v is not between %v and %v", at, before, after)
		}
	}
}

// A pool wakes at each instant, at once where that is past, and at a deadline before.
func TestPoolSleeps(t *testing.T) {
	var p pool
	if err := p.start(1); err != nil {
		t.Fatal(err)
	}
	for _, wait := range []time.Duration{20 * time.Millisecond, time.Microsecond, 1, 0, -time.Second, 5 * time.Millisecond} {
		begun := now()
		if err := p.sleep(begun+wait, time.Time{}); err != nil {
			t.Fatal(err)
		}
		if took := now() - begun; took < wait-time.Microsecond { // what the two clocks may differ by
			t.Errorf("slept %v instead of %v", took, wait)
		}
	}
	for _, left := range []time.Duration{time.Millisecond, 0, -time.Second} {
		if err := p.sleep(now()+time.Hour, time.Now().Add(left)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a deadline %v ahead: %v", left, err)
		}
	}
	if err := p.sleep(now()+time.Millisecond, time.Now().Add(time.Hour)); err != nil {
		t.Errorf("a deadline behind it: %v", err)
	}
}

// Sleeping allocates nothing, and stop ends it.
func TestPoolSleepEnds(t *testing.T) {
	var p pool
	if err := p.start(1); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(20, func() { _ = p.sleep(now()+100*time.Microsecond, time.Time{}) }); n > 0 {
		t.Errorf("a sleep allocates %v objects", n)
	}
	if err := p.enter(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		defer p.leave()
		ended <- p.sleep(now()+time.Hour, time.Time{})
	}()
	time.Sleep(time.Millisecond) // mostly it sleeps by now
	if err := p.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrStopped) {
		t.Errorf("stopped: %v", err)
	}
}
