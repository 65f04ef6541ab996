package encoder

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture"
)

// A fixedSource offers one size and notes how many buffers it is asked for.
type fixedSource struct {
	*fakeSource
	asked chan int
}

func (s *fixedSource) Choices(w capture.Wish) ([]capture.Choice, error) {
	if w.Width != 0 && w.Width != 320 {
		return nil, &capture.NotOffered{Source: s.Name(), Wanted: fmt.Sprintf("%dx%d", w.Width, w.Height), Offers: "320x240"}
	}
	w.Width, w.Height = 320, 240
	return s.fakeSource.Choices(w)
}

func (s *fixedSource) Configure(c capture.Choice) (capture.Format, error) {
	select {
	case s.asked <- c.Buffers:
	default:
	}
	return s.fakeSource.Configure(c)
}

// carries30 is a board whose encoder does no more than 30 a second.
func carries30(s Settings) error {
	if s.Rate.Float() > 30 {
		return &Refused{"framerate", s.Rate.String(), "up to 30"}
	}
	return nil
}

// TestPipelineBeginsAsTheBoardSays: with its size and buffers, where nobody asked
// for others, and where the camera offers that.
func TestPipelineBeginsAsTheBoardSays(t *testing.T) {
	begin := func(capture.Rate) (int, int) { return 1280, 720 }
	asked := make(chan int, 1)
	for want, adapt := range map[string]func(*rig, *PipelineConfig){
		"1280x720": func(_ *rig, cfg *PipelineConfig) { cfg.Begin = begin },
		"640x480":  func(_ *rig, cfg *PipelineConfig) { cfg.Begin = func(capture.Rate) (int, int) { return 0, 0 } },
		"800x600": func(_ *rig, cfg *PipelineConfig) {
			cfg.Begin, cfg.Settings.Width, cfg.Settings.Height = begin, 800, 600
		},
		"320x240": func(r *rig, cfg *PipelineConfig) {
			cfg.Begin, cfg.Buffers, cfg.Source = begin, 4, &fixedSource{r.source, asked}
		},
	} {
		r := newRigWith(t, adapt)
		if got, _ := r.Get("resolution"); got != want {
			t.Errorf("the resolution is %s, want %s", got, want)
		}
	}
	if n := <-asked; n != 4 {
		t.Errorf("the source was asked for %d buffers", n)
	}
}

// TestPipelineAsksTheBoard: what its encoder does not carry is refused at the
// beginning and later, and changes nothing.
func TestPipelineAsksTheBoard(t *testing.T) {
	r := newRigWith(t, func(_ *rig, cfg *PipelineConfig) { cfg.Carries = carries30 })
	checkRefused(t, r.set("framerate=60"), "framerate", "up to 30")
	checkRefused(t, r.set("framerate=60", "gop=7"), "framerate", "up to 30")
	if got, _ := r.Get("gop"); got != "60" {
		t.Errorf("gop is %s", got)
	}
	if err := r.set("framerate=25"); err != nil {
		t.Error(err)
	}
	bad := startRigWith(t, func(_ *rig, cfg *PipelineConfig) {
		cfg.Carries, cfg.Settings.Rate = carries30, capture.Rate{Num: 50, Den: 1}
	}, func(*rig) {})
	err := <-bad.ended
	bad.ended <- nil
	checkRefused(t, err, "framerate", "up to 30")
}

// TestPipelineTellsItsState: each new state, as it comes.
func TestPipelineTellsItsState(t *testing.T) {
	s := &stock{}
	states := make(chan string, 1000)
	r := newRigWith(t, func(r *rig, cfg *PipelineConfig) {
		cfg.OpenSource, cfg.OpenEncoder, s.used = s.openSource, s.openCodec, r.source
		cfg.State = func(state string) { states <- state }
	})
	next := func(want string) {
		t.Helper()
		for before := ""; ; {
			select {
			case got := <-states:
				switch {
				case got == before:
					t.Fatalf("%q is told twice", got)
				case got == want:
					return
				case got != healing:
					t.Fatalf("it is %q, not yet %q", got, want)
				}
				before = got
			case <-time.After(20 * time.Second):
				t.Fatalf("%q is not told", want)
			}
		}
	}
	next("streaming")
	s.setAway(unix.ENOENT)
	r.source.set(func() { r.source.fails = unix.ENODEV })
	next("no camera")
	s.setAway(nil)
	next("streaming")
}

// A camera that cannot be asked at the moment is no camera that offers less, and what
// it does not tell is unknown.
func TestCameraThatCannotBeAsked(t *testing.T) {
	r := newRig(t)
	r.source.set(func() { r.source.ill = unix.EIO })
	if v, err := r.Get("brightness"); v != "unknown" || err != nil {
		t.Errorf("brightness %q, %v", v, err)
	}
	err := r.set("resolution=320x240")
	var refused *Refused
	if !errors.Is(err, ErrAway) || errors.As(err, &refused) {
		t.Errorf("a change: %v", err)
	}
	r.source.set(func() { r.source.ill = nil })
	if err := r.set("resolution=320x240"); err != nil {
		t.Errorf("the same a moment later: %v", err)
	}
}
