package encoder

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture"
)

// A lookout is who hears that the pipeline gave up, or waits, and when.
type lookout struct {
	mu             sync.Mutex
	gaveUp, waited []time.Time
}

func (l *lookout) note(times *[]time.Time) func() {
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		*times = append(*times, time.Now())
	}
}

// counts are how often it gave up, and how often it waited.
func (l *lookout) counts() (gaveUp, waited int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.gaveUp), len(l.waited)
}

// newWatchedRig is a stocked rig with a lookout.
func newWatchedRig(t *testing.T) (*rig, *stock, *lookout) {
	s, l := &stock{}, &lookout{}
	return newRigWith(t, func(r *rig, cfg *PipelineConfig) {
		cfg.OpenSource, cfg.OpenEncoder, s.used = s.openSource, s.openCodec, r.source
		cfg.GaveUp, cfg.Waiting = l.note(&l.gaveUp), l.note(&l.waited)
	}), s, l
}

// TestGivesUpOnWhatFails: a device that is there and cannot be opened is not one that
// is away: nobody is told that the stream waits, the last rung is taken after 10 s,
// once, and the device is tried on.
func TestGivesUpOnWhatFails(t *testing.T) {
	for name, hurt := range map[string]func(*rig, *stock) (mend func()){
		"camera": func(r *rig, s *stock) func() {
			s.setAway(&capture.NoCamera{Looked: []capture.Looked{{Path: "/dev/video0", Err: unix.EIO}}})
			r.source.set(func() { r.source.fails = unix.EIO })
			return func() { s.setAway(nil) }
		},
		"encoder": func(r *rig, s *stock) func() {
			s.set(func() { s.ill = fmt.Errorf("encoder /dev/video11 cannot be opened: %w", unix.ENOMEM) })
			r.codec.fallSilent(giveUp)
			return func() { s.set(func() { s.ill = nil }) }
		},
		"camera that hangs": func(r *rig, s *stock) func() {
			hang := make(chan struct{})
			s.set(func() { s.hang = hang })
			r.source.set(func() { r.source.fails = unix.EIO })
			return func() { s.set(func() { s.hang = nil }); close(hang) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s, l := newWatchedRig(t)
				r.goesOn(t)
				began := time.Now()
				mend := hurt(r, s)
				time.Sleep(9900 * time.Millisecond)
				if gaveUp, waited := l.counts(); gaveUp != 0 || waited != 0 {
					t.Errorf("after 9.9 s: gave up %d times, waited %d times", gaveUp, waited)
				}
				time.Sleep(10 * time.Second)
				gaveUp, waited := l.counts()
				if gaveUp != 1 || waited != 0 {
					t.Fatalf("gave up %d times, waited %d times", gaveUp, waited)
				}
				// a try to mend it may be under way at 10 s
				if d := l.gaveUp[0].Sub(began); d > 10*time.Second+startLimit+stopLimit {
					t.Errorf("gave up after %v", d)
				}
				state, faults, last := r.Health()
				if state != healing || !strings.Contains(faults, "watchdog=1") || absent(last) {
					t.Errorf("%s; %s; %s", state, faults, last)
				}
				mend()
				r.goesOn(t)
			})
		})
	}
}

// TestWaitsForWhatIsUnplugged: however long a camera is away the last rung is not
// taken, nor is it when the camera fails for a while as it comes back; when it fails
// for good, it is 10 s after its return.
func TestWaitsForWhatIsUnplugged(t *testing.T) {
	for _, away := range []error{unix.ENODEV, unix.EBUSY, unix.EACCES, &capture.NoCamera{}} {
		synctest.Test(t, func(t *testing.T) {
			r, s, l := newWatchedRig(t)
			s.setAway(away)
			r.source.set(func() { r.source.fails = unix.ENODEV })
			time.Sleep(2 * time.Minute)
			gaveUp, waited := l.counts()
			if state, _, _ := r.Health(); gaveUp != 0 || waited < 120 || state != "no camera" {
				t.Fatalf("%v: gave up %d times, waited %d times in 2 minutes, %s", away, gaveUp, waited, state)
			}
			for _, odd := range []error{unix.EIO, unix.EPROTO, unix.ETIMEDOUT} {
				s.setAway(odd)
				time.Sleep(500 * time.Millisecond)
			}
			s.setAway(nil)
			came := time.Now()
			r.goesOn(t)
			if d := time.Since(came); d > 500*time.Millisecond {
				t.Errorf("%v: goes on %v after it is well", away, d)
			}
			if gaveUp, _ := l.counts(); gaveUp != 0 {
				t.Errorf("%v: gave up %d times when it came", away, gaveUp)
			}
			s.setAway(unix.ENODEV)
			s.set(func() { s.used.set(func() { s.used.fails = unix.ENODEV }) })
			time.Sleep(2 * time.Minute)
			s.setAway(unix.EIO)
			time.Sleep(9900 * time.Millisecond)
			early, _ := l.counts()
			time.Sleep(2 * time.Second)
			late, _ := l.counts()
			if early != 0 || late != 1 {
				t.Errorf("%v: gave up %d times before 10 s, %d times until 12 s", away, early, late)
			}
		})
	}
}

// TestChangeWhileTheCodecHangs: frames that do not come out keep a change of the
// stream for a second; they are a fault, and the change is made.
func TestChangeWhileTheCodecHangs(t *testing.T) {
	for name, change := range map[string]func(*rig) error{
		"set":    func(r *rig) error { return r.set("profile=main") },
		"resize": func(r *rig) error { r.Adapt(50_000); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRigWith(t, func(_ *rig, cfg *PipelineConfig) { cfg.AdaptResolution = true })
				r.goesOn(t)
				before, _ := r.codec.inForce()
				r.codec.mu.Lock()
				r.codec.silent, r.codec.mends, r.codec.stuck = true, restart, true
				r.codec.mu.Unlock()
				began := time.Now()
				if err := change(r); err != nil {
					t.Error(err)
				}
				if d := time.Since(began); d > 1500*time.Millisecond {
					t.Errorf("it took %v", d)
				}
				if state, _, last := r.Health(); state != healing || !strings.Contains(last, "fake encoder did not finish") {
					t.Errorf("%s, %s", state, last)
				}
				r.goesOn(t)
				if now, _ := r.codec.inForce(); now.sameStream(before) {
					t.Errorf("the encoder has %+v as before", now)
				}
				r.wantFaults(t, "key_frame=0 restart=1 encoder=0 camera=0 watchdog=0 abandoned=0")
			})
		})
	}
}

// TestChangeWhileTheCodecIsLost: a change for which a codec would have to stop that
// never answers is not made, for now.
func TestChangeWhileTheCodecIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newStockedRig(t)
		r.goesOn(t)
		hang := make(chan struct{})
		defer close(hang)
		r.codec.mu.Lock()
		r.codec.hang = hang
		r.codec.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		began := time.Now()
		if err := r.set("profile=main"); !errors.Is(err, ErrAway) {
			t.Error(err)
		}
		if d := time.Since(began); d > 1500*time.Millisecond {
			t.Errorf("it took %v", d)
		}
		r.goesOn(t)
		if s := r.Settings(); s.Profile != High {
			t.Errorf("the settings are %+v", s)
		}
		if _, faults, _ := r.Health(); !strings.HasPrefix(faults, "key_frame=0 restart=1 encoder=1 ") {
			t.Errorf("the faults are %q", faults)
		}
	})
}

// TestSlowControl: a control that takes long to read is unknown meanwhile, and the
// camera is asked for no other; the stream does not mind.
func TestSlowControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newStockedRig(t)
		r.goesOn(t)
		r.source.set(func() { r.source.slow = 2 * time.Second })
		n, began := r.count(), time.Now()
		get := func(name, want string, least, most time.Duration) {
			t.Helper()
			asked := time.Now()
			got, err := r.Get(name)
			if d := time.Since(asked); got != want || err != nil || d < least || d > most {
				t.Errorf("%v: %s is %q, %v, after %v; want %q", asked.Sub(began), name, got, err, d, want)
			}
		}
		var others sync.WaitGroup
		for range 3 { // whoever waits for the turn has it as long
			others.Go(func() { get("brightness", "unknown", time.Second, time.Second) })
		}
		others.Wait()
		get("brightness", "unknown", 0, 0)
		get("serial", "unknown", 0, 0)
		get("resolution", "640x480", 0, 0)
		var asked int
		r.source.set(func() { asked = r.source.asked })
		if asked != 1 {
			t.Errorf("the camera was asked %d times", asked)
		}
		time.Sleep(1100 * time.Millisecond)
		r.source.set(func() { r.source.slow = 900 * time.Millisecond })
		get("brightness", "10", 900*time.Millisecond, 900*time.Millisecond)
		if got, took := r.count()-n, time.Since(began); got < int(took/(2*time.Millisecond)) {
			t.Errorf("%d units in %v", got, took)
		}
		r.wantFaults(t, "key_frame=0 restart=0 encoder=0 camera=0 watchdog=0 abandoned=0")
		if state, _, _ := r.Health(); state != "streaming" {
			t.Error(state)
		}
	})
}

// TestFaultsCountStalls: a step that is tried again and again in one stall counts
// once, and again in the next.
func TestFaultsCountStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newStockedRig(t)
		r.goesOn(t)
		for _, want := range []string{
			"key_frame=1 restart=1 encoder=1 camera=1 watchdog=1 abandoned=0",
			"key_frame=2 restart=2 encoder=2 camera=2 watchdog=2 abandoned=0",
		} {
			s.set(func() { s.mute = true })
			s.used.set(func() { s.used.mute = true })
			time.Sleep(time.Minute)
			r.wantFaults(t, want)
			if len(s.made) < 10 {
				t.Errorf("%d cameras were opened in a minute", len(s.made))
			}
			s.set(func() { s.mute = false })
			r.goesOn(t)
			r.wantFaults(t, want)
		}
	})
}
