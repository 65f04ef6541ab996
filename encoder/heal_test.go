package encoder

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// A stock opens fake devices anew.
type stock struct {
	mu   sync.Mutex
	away error         // of an opening
	ill  error         // of an opening of an encoder
	hang chan struct{} // openings of cameras return when it is closed, if it is not nil
	mute bool          // cameras give nothing
	made []*fakeSource // so far
	at   time.Duration // of their first frames
	used *fakeSource   // the latest, which has to be closed before another one can be had
}

func (s *stock) openSource() (Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hang := s.hang; hang != nil {
		s.mu.Unlock()
		<-hang
		s.mu.Lock()
	}
	if s.away != nil {
		return nil, s.away
	}
	if s.used != nil && !s.used.isClosed() {
		return nil, unix.EBUSY
	}
	src := newFakeSource()
	src.at, src.mute, s.used = s.at, s.mute, src
	s.made = append(s.made, src)
	return src, nil
}

func (s *stock) openCodec() (Codec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ill != nil {
		return nil, s.ill
	}
	return &fakeCodec{refuse: 1000}, nil
}

func (s *stock) setAway(err error) { s.set(func() { s.away = err }) }

func (s *stock) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// newStockedRig is a rig whose devices can be opened anew.
func newStockedRig(t *testing.T) (*rig, *stock) {
	s := &stock{}
	return newRigWith(t, func(r *rig, cfg *PipelineConfig) {
		cfg.OpenSource, cfg.OpenEncoder, s.used = s.openSource, s.openCodec, r.source
	}), s
}

// count is the number of units so far.
func (r *rig) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.times)
}

// goesOn waits until the stream goes on and is healthy.
func (r *rig) goesOn(t *testing.T) {
	t.Helper()
	n := r.count()
	r.wait(t, func() bool { return len(r.times) > n+3 })
	r.waitState(t, "streaming")
}

func (r *rig) waitState(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		state, faults, last := r.Health()
		if state == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the state is %q, not %q; %s; %s", state, want, faults, last)
		}
	}
}

// wantFaults compares the counts of the ladder.
func (r *rig) wantFaults(t *testing.T, want string) {
	t.Helper()
	if _, got, last := r.Health(); got != want {
		t.Errorf("the faults are %q, want %q; the last: %s", got, want, last)
	}
}

func (c *fakeCodec) fallSilent(mends rung) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent, c.mends = true, mends
}

// TestHealsRungByRung: each rung is reached, in order, and the ladder ends with
// the one that helps.
func TestHealsRungByRung(t *testing.T) {
	for name, c := range map[string]struct {
		hurt   func(r *rig)
		faults string
	}{
		"key frame":    {func(r *rig) { r.codec.fallSilent(keyFrame) }, "key_frame=1 restart=0 encoder=0 camera=0 watchdog=0 abandoned=0"},
		"restart":      {func(r *rig) { r.codec.fallSilent(restart) }, "key_frame=1 restart=1 encoder=0 camera=0 watchdog=0 abandoned=0"},
		"encoder":      {func(r *rig) { r.codec.fallSilent(reopenCodec) }, "key_frame=1 restart=1 encoder=1 camera=0 watchdog=0 abandoned=0"},
		"camera":       {func(r *rig) { r.source.set(func() { r.source.mute = true }) }, "key_frame=1 restart=1 encoder=1 camera=1 watchdog=0 abandoned=0"},
		"camera fails": {func(r *rig) { r.source.set(func() { r.source.fails = unix.EIO }) }, "key_frame=0 restart=0 encoder=0 camera=1 watchdog=0 abandoned=0"},
		"encoder fails": {func(r *rig) {
			r.codec.mu.Lock()
			failed := r.codec.failed
			r.codec.mu.Unlock()
			failed(unix.EIO)
		}, "key_frame=0 restart=0 encoder=1 camera=0 watchdog=0 abandoned=0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s := newStockedRig(t)
				r.goesOn(t)
				r.wantFaults(t, "key_frame=0 restart=0 encoder=0 camera=0 watchdog=0 abandoned=0")
				began := time.Now()
				c.hurt(r)
				for _, faults, _ := r.Health(); faults != c.faults && time.Since(began) < 20*time.Second; _, faults, _ = r.Health() {
					time.Sleep(time.Millisecond)
				}
				r.goesOn(t)
				if d := time.Since(began); d > 5*time.Second {
					t.Errorf("healed after %v", d)
				}
				r.wantFaults(t, c.faults)
				if strings.Contains(c.faults, "camera=1") != (len(s.made) == 1) || r.source.isClosed() != (len(s.made) == 1) {
					t.Errorf("%d cameras were opened, the old one is closed: %v", len(s.made), r.source.isClosed())
				}
			})
		})
	}
}

func (s *fakeSource) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *fakeSource) isClosed() (closed bool) {
	s.set(func() { closed = s.closed })
	return closed
}

// TestHungCallIsLeftBehind: a call that never returns does not keep the stream;
// when it returns at last, its unit is not sent, and its device is closed.
func TestHungCallIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newStockedRig(t)
		r.goesOn(t)
		hang := make(chan struct{})
		r.codec.mu.Lock()
		r.codec.hang = hang
		r.codec.settings.Width = 4242 // of its late unit
		r.codec.mu.Unlock()
		r.goesOn(t)
		if _, faults, _ := r.Health(); !strings.HasSuffix(faults, "abandoned=1") && !strings.HasSuffix(faults, "abandoned=2") {
			t.Errorf("the faults are %q", faults)
		}
		close(hang)
		for end := time.Now().Add(20 * time.Second); r.left.Load() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d devices are still left behind", r.left.Load())
			}
		}
		r.goesOn(t)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.late {
			t.Error("a unit of a device that was left behind was sent")
		}
		if r.codec.mu.Lock(); !r.codec.closed {
			t.Error("the encoder that was left behind is not closed")
		}
		r.codec.mu.Unlock()
	})
}

// TestClosesWhileADeviceHangs: the end takes two seconds at most.
func TestClosesWhileADeviceHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newStockedRig(t)
		hang := make(chan struct{})
		defer close(hang)
		r.codec.mu.Lock()
		r.codec.hang = hang
		r.codec.mu.Unlock()
		r.waitState(t, healing)
		began := time.Now()
		r.cancel()
		if err := <-r.ended; !errors.Is(err, errSilent) {
			t.Errorf("ended with %v", err)
		}
		r.ended <- nil
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("the end took %v", d)
		}
	})
}

// TestTendedUntilItGivesUp: who feeds the watchdog is told to as long as frames come
// or something is left to try, not longer, and again when they come after all.
func TestTendedUntilItGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tended atomic.Int64
		gaveUp := make(chan int64, 1)
		r := newRigWith(t, func(_ *rig, cfg *PipelineConfig) {
			cfg.Tended = func() { tended.Add(1) }
			cfg.GaveUp = func() { gaveUp <- tended.Load() }
		})
		r.source.set(func() { r.source.mute = true })
		before := tended.Load()
		until := <-gaveUp
		if until-before < 10 { // of 200
			t.Errorf("tended %d times while it was mended", until-before)
		}
		time.Sleep(time.Second)
		if now := tended.Load(); now != until {
			t.Errorf("tended %d times with nothing left to try", now-until)
		}
		r.source.set(func() { r.source.mute = false })
		r.wait(t, func() bool { return tended.Load() > until })
	})
}

// TestHungOpeningGivesUp: a driver that does not even answer to being opened is
// nothing to wait for.
func TestHungOpeningGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, gaveUp := make(chan struct{}), make(chan struct{})
		startRigWith(t, func(r *rig, cfg *PipelineConfig) {
			cfg.Source, cfg.OpenEncoder = nil, (&stock{}).openCodec
			cfg.OpenSource = func() (Source, error) { <-hang; return nil, unix.ENODEV }
			cfg.GaveUp = func() { close(gaveUp) }
			cfg.Waiting = func() {
				select {
				case <-hang:
				default:
					t.Error("it waits for a device that hangs")
				}
			}
		}, func(*rig) {})
		select {
		case <-gaveUp:
		case <-time.After(time.Minute):
			t.Error("it does not give up")
		}
		close(hang)
	})
}

// TestCameraReturns: a camera that is away is looked for; the stream goes on
// within a second of its return, with the controls that it had, and until then a
// change is refused at once.
func TestCameraReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := newStockedRig(t)
		if err := r.set("brightness=42", "restart=0"); err != nil {
			t.Fatal(err)
		}
		s.setAway(unix.ENOENT)
		r.source.set(func() { r.source.fails = unix.ENODEV })
		r.waitState(t, "no camera")
		began := time.Now()
		if err := r.set("gop=7"); !errors.Is(err, ErrAway) {
			t.Errorf("a change without a camera: %v", err)
		}
		if d := time.Since(began); d > 500*time.Millisecond {
			t.Errorf("the answer took %v", d)
		}
		if v, err := r.Get("brightness"); v != "unknown" || err != nil {
			t.Errorf("brightness %q, %v", v, err)
		}
		if c := r.Camera(); c != "none" {
			t.Errorf("camera %q", c)
		}
		n := r.Counts()
		s.setAway(nil)
		began = time.Now()
		r.goesOn(t)
		if d := time.Since(began); d > time.Second {
			t.Errorf("the stream goes on %v after the camera's return", d)
		}
		if v, err := r.Get("brightness"); v != "42" || err != nil {
			t.Errorf("brightness %q, %v", v, err)
		}
		if now := r.Counts(); now.Encoded <= n.Encoded || now.Dropped <= n.Dropped {
			t.Errorf("counts went from %+v to %+v", n, now)
		}
		if err := r.set("gop=7"); err != nil {
			t.Error(err)
		}
	})
}

// TestBeginsWithoutACamera: the pipeline waits for its first camera, and says so
// to who feeds the watchdog.
func TestBeginsWithoutACamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stock{away: unix.ENOENT}
		waited := make(chan struct{}, 1)
		var err error
		r := startRigWith(t, func(r *rig, cfg *PipelineConfig) {
			cfg.Source, cfg.OpenSource, cfg.OpenEncoder = nil, s.openSource, s.openCodec
			cfg.Waiting = func() {
				select {
				case waited <- struct{}{}:
				default:
				}
			}
		}, func(r *rig) { err = r.Preset([]Parameter{{"brightness", "7"}, {"gop", "9"}}) })
		if err != nil {
			t.Fatal(err)
		}
		r.waitState(t, "no camera")
		<-waited
		s.setAway(nil)
		r.goesOn(t)
		for name, want := range map[string]string{"brightness": "7", "gop": "9"} {
			if v, err := r.Get(name); v != want || err != nil {
				t.Errorf("%s %q, %v", name, v, err)
			}
		}
	})
}

// TestShortMemory: where buffers cannot be had, a smaller picture is taken.
func TestShortMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWith(t, func(r *rig, cfg *PipelineConfig) {
			cfg.Settings.Width, cfg.Settings.Height, r.codec.lacks = 1280, 720, 640
		})
		r.goesOn(t)
		if got, _ := r.Get("resolution"); got != "640x480" {
			t.Errorf("the resolution is %s", got)
		}
		err := r.set("resolution=1280x720")
		var refused *Refused
		if !errors.As(err, &refused) {
			t.Errorf("the large picture: %v", err)
		}
		r.goesOn(t)
	})
}
