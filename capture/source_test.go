package capture

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"lenslet/capture/v4l2"
)

// A source is what the camera, the pattern and the clip have in common.
type source interface {
	Name() string
	Choices(Wish) ([]Choice, error)
	Configure(Choice) (Format, error)
	Start() error
	Next(time.Time) (*Frame, error)
	Stop(context.Context) error
	SetRate(Rate) (Rate, error)
	Controls() ([]v4l2.Control, error)
	Control(uint32) (int64, error)
	SetControl(uint32, int64) error
	Dropped() uint64
	Close() error
}

// soon is a deadline that only a hang reaches.
func soon() time.Time { return time.Now().Add(30 * time.Second) }

// configured sets the first choice for a wish.
func configured(t *testing.T, s source, w Wish) Format {
	t.Helper()
	choices, err := s.Choices(w)
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Configure(choices[0])
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// started is configured and runs until the test ends.
func started(t *testing.T, s source, w Wish) Format {
	t.Helper()
	f := configured(t, s, w)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func next(t *testing.T, s source) *Frame {
	t.Helper()
	f, err := s.Next(soon())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sources are those that need no device, with what they are asked for.
func sources(t *testing.T) map[string]func() (source, Wish) {
	return map[string]func() (source, Wish){
		"pattern": func() (source, Wish) { return NewPattern(), wish(160, 90, 120) },
		"clip":    func() (source, Wish) { return openTestClip(t, clipOf(5), Rate{120, 1}), wish(160, 90, 120) },
	}
}

func TestSourcesAreStoppedAtFirst(t *testing.T) {
	for name, open := range sources(t) {
		s, w := open()
		if _, err := s.Next(soon()); !errors.Is(err, ErrStopped) {
			t.Errorf("%s: Next before Start: %v", name, err)
		}
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("%s: Stop before Start: %v", name, err)
		}
		configured(t, s, w)
		configured(t, s, w)
		if err := s.Close(); err != nil {
			t.Errorf("%s: Close before Start: %v", name, err)
		}
	}
}

func TestSourcesRefuseWhatComesInTheWrongOrder(t *testing.T) {
	for name, open := range sources(t) {
		s, w := open()
		started(t, s, w)
		if err := s.Start(); !errors.Is(err, errRunning) {
			t.Errorf("%s: Start twice: %v", name, err)
		}
	}
	p := NewPattern()
	if err := p.Start(); !errors.Is(err, errNoFormat) {
		t.Errorf("Start without Configure: %v", err)
	}
	started(t, p, wish(160, 90, 120))
	if _, err := p.Configure(Choice{FourCC: v4l2.YU12, Width: 160, Height: 90, Rate: Rate{30, 1}}); !errors.Is(err, errRunning) {
		t.Errorf("Configure while running: %v", err)
	}
}

func TestFramesComeInOrder(t *testing.T) {
	for name, open := range sources(t) {
		t.Run(name, func(t *testing.T) {
			s, w := open()
			format := started(t, s, w)
			begin := now()
			var sequence uint32
			var last time.Duration
			for i := range 30 {
				f := next(t, s)
				if i > 0 && (f.Sequence <= sequence || f.Timestamp <= last) {
					t.Errorf("frame %d: sequence %d after %d, %v after %v", i, f.Sequence, sequence, f.Timestamp, last)
				}
				if steps := uint64(f.Sequence - sequence); i > 0 && s.Dropped() == 0 {
					if got := f.Timestamp - last; got < format.Rate.span(steps)-1 || got > format.Rate.span(steps)+1 {
						t.Errorf("frame %d: %v after the last one", i, got)
					}
				}
				if f.Timestamp > now() || f.Timestamp < begin-time.Second {
					t.Errorf("frame %d: timestamp %v, now is %v", i, f.Timestamp, now())
				}
				if f.Index < 0 || f.Index >= format.Buffers || f.DMABuf != -1 || f.Damaged || len(f.Data) == 0 || len(f.Data) > format.Size {
					t.Errorf("frame %d: index %d, dmabuf %d, damaged %v, %d bytes", i, f.Index, f.DMABuf, f.Damaged, len(f.Data))
				}
				sequence, last = f.Sequence, f.Timestamp
				f.Release()
			}
		})
	}
}

func TestNextKeepsItsDeadline(t *testing.T) {
	for name, open := range sources(t) {
		s, w := open()
		format := started(t, s, w)
		if _, err := s.Next(time.Now().Add(-time.Second)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: a deadline in the past: %v", name, err)
		}
		var held []*Frame
		for range format.Buffers {
			held = append(held, next(t, s))
		}
		if _, err := s.Next(time.Now().Add(20 * time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: all buffers lent: %v", name, err)
		}
		indices := map[int]bool{}
		for _, f := range held {
			indices[f.Index] = true
			f.Release()
		}
		if len(indices) != format.Buffers {
			t.Errorf("%s: %d buffers have %d indices", name, format.Buffers, len(indices))
		}
		next(t, s).Release()
	}
}

func TestNextWithoutADeadlineWaitsForABuffer(t *testing.T) {
	for name, open := range sources(t) {
		s, w := open()
		format := started(t, s, w)
		var held []*Frame
		for range format.Buffers {
			held = append(held, next(t, s))
		}
		got := make(chan error, 1)
		go func() {
			f, err := s.Next(time.Time{})
			if err == nil {
				f.Release()
			}
			got <- err
		}()
		for _, f := range held {
			f.Release()
		}
		if err := <-got; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStopWakesTheReader(t *testing.T) {
	for name, open := range sources(t) {
		for _, hold := range []bool{false, true} {
			s, w := open()
			format := configured(t, s, w)
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			var held []*Frame
			for hold && len(held) < format.Buffers {
				held = append(held, next(t, s))
			}
			end := make(chan error, 1)
			go func() {
				for {
					f, err := s.Next(soon())
					if err != nil {
						end <- err
						return
					}
					f.Release()
				}
			}()
			stopped := make(chan error, 1)
			go func() { stopped <- s.Stop(context.Background()) }()
			if err := <-end; !errors.Is(err, ErrStopped) {
				t.Errorf("%s: the reader got %v", name, err)
			}
			for _, f := range held {
				f.Release()
			}
			if err := <-stopped; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestStopWaitsForLoans(t *testing.T) {
	for name, open := range sources(t) {
		s, w := open()
		configured(t, s, w)
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		f := next(t, s)
		was := append([]byte(nil), f.Data...)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%s: Stop with a frame lent: %v", name, err)
		}
		if string(f.Data) != string(was) {
			t.Errorf("%s: the frame changed while it was lent", name)
		}
		if _, err := s.Next(soon()); !errors.Is(err, ErrStopped) {
			t.Errorf("%s: Next after Stop: %v", name, err)
		}
		if err := s.Start(); !errors.Is(err, errRunning) {
			t.Errorf("%s: Start with a frame lent: %v", name, err)
		}
		f.Release()
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSequenceGoesOnAfterStop(t *testing.T) {
	for name, open := range sources(t) {
		s, w := open()
		var sequence uint32
		var last time.Duration
		for round := range 3 {
			configured(t, s, w)
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			f := next(t, s)
			if round > 0 && (f.Sequence <= sequence || f.Timestamp <= last) {
				t.Errorf("%s, round %d: sequence %d after %d, %v after %v", name, round, f.Sequence, sequence, f.Timestamp, last)
			}
			sequence, last = f.Sequence, f.Timestamp
			f.Release()
			if err := s.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	for name, open := range sources(t) {
		s, w := open()
		started(t, s, w)
		next(t, s).Release()
		deadline := soon()
		if n := testing.AllocsPerRun(50, func() {
			f, err := s.Next(deadline)
			if err != nil {
				t.Fatal(err)
			}
			f.Release()
		}); n != 0 {
			t.Errorf("%s: %v allocations per frame", name, n)
		}
	}
}

// Frames are released by other goroutines, late and in any order, while rate
// and controls are changed, and the source is stopped in the middle of it.
func TestSourcesUnderManyOwners(t *testing.T) {
	for name, open := range sources(t) {
		for range 5 {
			s, w := open()
			configured(t, s, w)
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			seen := make(chan struct{}, 1000)
			all.Go(func() {
				for {
					f, err := s.Next(soon())
					if err != nil {
						if !errors.Is(err, ErrStopped) {
							t.Errorf("%s: %v", name, err)
						}
						return
					}
					f.Retain()
					for range 2 {
						all.Go(func() {
							sum := byte(0)
							for _, v := range f.Data {
								sum += v
							}
							f.Release()
						})
					}
					seen <- struct{}{}
				}
			})
			all.Go(func() {
				for i := range int64(50) {
					// the clip refuses both
					_, _ = s.SetRate(Rate{100 + int(i)%20, 1})
					_ = s.SetControl(CIDBrightness, i)
					_ = s.Dropped()
				}
			})
			for range 10 {
				<-seen
			}
			if err := s.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			all.Wait()
		}
	}
}
