package encoder

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A screen is what viewers are shown while there is no picture.
type screen struct {
	mu     sync.Mutex
	codecs []*fakeCodec
	times  []time.Duration
	fails  error // of an opening
}

// A lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (s *screen) open() (Codec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return nil, s.fails
	}
	c := &fakeCodec{}
	s.codecs = append(s.codecs, c)
	return c, nil
}

func (s *screen) publish(u *Unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times = append(s.times, u.Timestamp())
	u.Release()
}

// shown is the number of slates, and the time of the last one.
func (s *screen) shown() (n int, last time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = len(s.times); n > 0 {
		last = s.times[n-1]
	}
	return n, last
}

func (s *screen) await(t *testing.T, n int) (last time.Duration) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		got, last := s.shown()
		if got >= n {
			return last
		}
		if time.Now().After(end) {
			t.Fatalf("%d slates, not %d", got, n)
		}
	}
}

// TestSlate: while there is no picture one is made that says so, in the size of
// the stream; then pictures of the camera go on, with a later key frame.
func TestSlate(t *testing.T) {
	t.Parallel()
	s, screen := &stock{}, &screen{}
	r := newRigWith(t, func(r *rig, cfg *PipelineConfig) {
		cfg.OpenSource, cfg.OpenEncoder, cfg.OpenSlate, cfg.PublishSlate = s.openSource, s.openCodec, screen.open, screen.publish
	})
	r.goesOn(t)
	if n, _ := screen.shown(); n > 0 {
		t.Fatal("a slate is shown while pictures come")
	}
	began := time.Now()
	s.setAway(unix.ENOENT)
	r.source.set(func() { r.source.fails = unix.ENODEV })
	r.waitState(t, "no camera")
	screen.await(t, 1)
	if d := time.Since(began); d < time.Second {
		t.Errorf("the first slate came after %v", d)
	}
	r.RequestKeyFrame()
	last := screen.await(t, 4)
	is, _ := screen.codecs[0].inForce()
	if is.Width != 640 || is.Height != 480 || is.Rate.Float() != 2 || is.Profile != r.Settings().Profile {
		t.Errorf("the slate is %+v", is)
	}
	s.mu.Lock()
	s.at = last - 10*time.Second // pictures that were taken before the slate
	s.mu.Unlock()
	before := r.count()
	s.setAway(nil)
	r.goesOn(t)
	_, last = screen.shown()
	r.mu.Lock()
	if first := r.times[before]; first <= last {
		t.Errorf("the first picture is of %v, and the last slate of %v", first, last)
	}
	r.mu.Unlock()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		c := screen.codecs[0]
		if c.mu.Lock(); c.closed {
			if c.keys != 1 {
				t.Errorf("%d key frames of it were asked for", c.keys)
			}
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		if time.Now().After(end) {
			t.Fatal("the encoder of the slate is not closed")
		}
	}
}

// TestSlateBeforeTheCamera: the size is the one that is wanted, or an ordinary one.
func TestSlateBeforeTheCamera(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]int{0: 640, 320: 320} {
		s, screen := &stock{away: unix.ENOENT}, &screen{}
		startRigWith(t, func(r *rig, cfg *PipelineConfig) {
			cfg.Source, cfg.OpenSource, cfg.OpenSlate, cfg.PublishSlate = nil, s.openSource, screen.open, screen.publish
			cfg.Settings.Width, cfg.Settings.Height = width, width/2
		}, func(*rig) {})
		screen.await(t, 2)
		if is, _ := screen.codecs[0].inForce(); is.Width != want {
			t.Errorf("the slate is %+v", is)
		}
	}
}

// TestSlateOfASmallerPicture: what the network made smaller stays so, and no decoder has
// to change.
func TestSlateOfASmallerPicture(t *testing.T) {
	t.Parallel()
	s, screen := &stock{}, &screen{}
	r := newRigWith(t, func(r *rig, cfg *PipelineConfig) {
		cfg.OpenSource, cfg.OpenEncoder, cfg.OpenSlate, cfg.PublishSlate = s.openSource, s.openCodec, screen.open, screen.publish
		cfg.AdaptResolution = true
	})
	if err := r.set("resolution=1280x720", "framerate=30", "bitrate=2000000"); err != nil {
		t.Fatal(err)
	}
	r.Adapt(250_000)
	r.goesOn(t)
	s.setAway(unix.ENOENT)
	r.source.set(func() { r.source.fails = unix.ENODEV })
	r.waitState(t, "no camera")
	screen.await(t, 1)
	if is, _ := screen.codecs[0].inForce(); is.size() != "640x360" {
		t.Errorf("the slate is %s, and the pictures were 640x360", is.size())
	}
}

// TestNoSlate: one that cannot be made is said once, and harms nobody.
func TestNoSlate(t *testing.T) {
	t.Parallel()
	s, screen := &stock{}, &screen{fails: errors.New("no room")}
	var log lockedBuffer
	r := newRigWith(t, func(r *rig, cfg *PipelineConfig) {
		cfg.OpenSource, cfg.OpenEncoder, cfg.OpenSlate, cfg.PublishSlate = s.openSource, s.openCodec, screen.open, screen.publish
		cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	r.goesOn(t)
	s.setAway(unix.ENOENT)
	r.source.set(func() { r.source.fails = unix.ENODEV })
	r.waitState(t, "no camera")
	time.Sleep(4 * slateEvery) // it would be tried again
	s.setAway(nil)
	r.goesOn(t)
	if n := strings.Count(log.String(), "no room"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
}

// TestFollows: after a slate only a key frame of a later time is shown, and it is
// asked for.
func TestFollows(t *testing.T) {
	for name, c := range map[string]struct {
		slated time.Duration
		u      *Unit
		want   bool
	}{
		"no slate":        {0, &Unit{timestamp: 5}, true},
		"later":           {4, &Unit{timestamp: 5, key: true}, true},
		"earlier":         {6, &Unit{timestamp: 5, key: true}, false},
		"no key frame":    {4, &Unit{timestamp: 5}, false},
		"the same moment": {5, &Unit{timestamp: 5, key: true}, false},
	} {
		p := Pipeline{slated: c.slated}
		if got := p.follows(c.u); got != c.want || p.keyframe.Load() == c.want || (p.slated == 0) != c.want {
			t.Errorf("%s: %v, asked for a key frame: %v", name, got, p.keyframe.Load())
		}
	}
}
