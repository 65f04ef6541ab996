package capture

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// What the test pattern can do.
const (
	patternBuffers = 6
	patternMin     = 32 // pixels
	patternMaxW    = 3840
	patternMaxH    = 2160
	patternMaxRate = 120 // frames per second
)

// CIDBrightness is V4L2_CID_BRIGHTNESS of linux/v4l2-controls.h.
const CIDBrightness uint32 = 0x00980900

// A Pattern is a source without a camera: a moving colour pattern in YU12 with
// the wall clock and the number of the frame drawn into it, readable for people
// from a width of 160 pixels on, and for ReadMarker.
//
// Configure, Start, Stop and Close belong to one goroutine and Next to one;
// everything else can be called by any.
type Pattern struct {
	pool     pool
	pictures []picture
	scene    *scene
	format   Format
	pace     pacer
	sequence uint32 // of the next frame; goes on over Stop and Start

	dropped    atomic.Uint64
	brightness atomic.Int64
	mu         sync.Mutex
	rate       Rate // wanted; guarded by mu
}

// NewPattern makes a test pattern. It needs no Configure to tell its Choices.
func NewPattern() *Pattern { return &Pattern{} }

// Name is "test pattern".
func (p *Pattern) Name() string { return "test pattern" }

// Choices offers YU12 of every even size from 32x32 to 3840x2160 pixels, at
// every rate from 1 to 120 frames per second.
func (p *Pattern) Choices(w Wish) ([]Choice, error) {
	return choose(p.Name(), []offer{{
		fourcc: v4l2.YU12,
		sizes:  []v4l2.SizeRange{{MinWidth: patternMin, MaxWidth: patternMaxW, StepWidth: 2, MinHeight: patternMin, MaxHeight: patternMaxH, StepHeight: 2}},
		intervals: func(int, int) []v4l2.IntervalRange {
			return []v4l2.IntervalRange{{Min: v4l2.Fraction{Num: 1, Den: patternMaxRate}, Max: v4l2.Fraction{Num: 1, Den: 1}}}
		},
	}}, w)
}

// Configure sets size and rate. The stride is the width, whatever the Choice
// asks for.
func (p *Pattern) Configure(c Choice) (Format, error) {
	if p.pool.started() {
		return Format{}, fmt.Errorf("configure %s: %w", p.Name(), errRunning)
	}
	if _, err := p.Choices(Wish{Width: c.Width, Height: c.Height, Import: []v4l2.FourCC{c.FourCC}}); err != nil {
		return Format{}, err
	}
	if err := p.check(c.Rate); err != nil {
		return Format{}, err
	}
	if p.scene == nil || p.scene.w != c.Width || p.scene.h != c.Height {
		p.scene = newScene(c.Width, c.Height)
	}
	p.setRate(c.Rate.reduced())
	p.format = Format{
		FourCC: v4l2.YU12, Width: c.Width, Height: c.Height, Stride: c.Width, Size: p.scene.size(), Rate: c.Rate.reduced(),
		// SMPTE 170M, BT.709 transfer, BT.601, limited range (linux/videodev2.h)
		Colour:  v4l2.Colorimetry{Space: 1, Transfer: 1, Encoding: 1, Quantization: 2},
		Buffers: patternBuffers,
	}
	return p.format, nil
}

// check tells whether a rate can be had.
func (p *Pattern) check(r Rate) error {
	if r.Num <= 0 || r.Den <= 0 || r.Num < r.Den || r.Float() > patternMaxRate {
		return &NotOffered{p.Name(), fmt.Sprintf("%v frames per second", r), fmt.Sprintf("1 to %d", patternMaxRate)}
	}
	return nil
}

// Start makes the first frame due.
func (p *Pattern) Start() error {
	if p.scene == nil {
		return fmt.Errorf("start %s: %w", p.Name(), errNoFormat)
	}
	if p.pool.started() {
		return fmt.Errorf("start %s: %w", p.Name(), errRunning)
	}
	p.pictures = make([]picture, patternBuffers)
	for i := range p.pictures {
		p.pictures[i].data = make([]byte, p.scene.size())
	}
	p.pace = pacer{epoch: now(), rate: p.wantedRate()}
	if err := p.pool.start(patternBuffers); err != nil {
		return fmt.Errorf("start %s: %w", p.Name(), err)
	}
	return nil
}

// Next waits for the next frame and lends it. Its Timestamp is the instant at
// which it was due. Frames that nobody fetched while all buffers were lent are
// dropped, as a camera does.
func (p *Pattern) Next(deadline time.Time) (*Frame, error) {
	if err := p.pool.enter(); err != nil {
		return nil, err
	}
	defer p.pool.leave()
	p.pace.setRate(p.wantedRate(), now())
	if err := p.pool.sleep(p.pace.due(), deadline); err != nil {
		return nil, err
	}
	f, err := p.pool.take(deadline)
	if err != nil {
		return nil, err
	}
	// a camera would have filled the buffers that are free, and no more
	spare := uint64(len(p.pool.free))
	if behind := p.pace.behind(now()); behind > spare {
		p.skip(behind - spare)
	}
	p.fill(f)
	return p.pool.lend(f)
}

func (p *Pattern) skip(n uint64) {
	p.dropped.Add(n)
	p.pace.n += n
	p.sequence += uint32(n)
}

// fill draws the frame that is due.
func (p *Pattern) fill(f *Frame) {
	if b := int(p.brightness.Load()); b != p.scene.brightness {
		p.scene.setBrightness(b)
	}
	f.Timestamp, f.Sequence = p.pace.due(), p.sequence
	at := time.Now().Add(f.Timestamp - now())
	picture := &p.pictures[f.Index]
	p.scene.draw(picture, f.Sequence, at)
	f.Data = picture.data
	p.pace.n++
	p.sequence++
}

// Stop ends the frames, and waits until none is lent.
func (p *Pattern) Stop(ctx context.Context) error {
	if err := p.pool.stop(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name(), err)
	}
	p.pictures = nil
	return nil
}

// SetRate changes the rate, also while it runs.
func (p *Pattern) SetRate(r Rate) (Rate, error) {
	if err := p.check(r); err != nil {
		return p.wantedRate(), err
	}
	return p.setRate(r.reduced()), nil
}

func (p *Pattern) setRate(r Rate) Rate {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = r
	return r
}

func (p *Pattern) wantedRate() Rate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rate
}

// Controls has one control, the brightness of the coloured parts.
func (p *Pattern) Controls() ([]v4l2.Control, error) {
	return []v4l2.Control{{ID: CIDBrightness, Name: "Brightness", Type: v4l2.Integer, Min: -128, Max: 127, Step: 1}}, nil
}

// Control is the value of a control. An unknown one is unix.EINVAL, as the
// kernel has it.
func (p *Pattern) Control(id uint32) (int64, error) {
	if id != CIDBrightness {
		return 0, fmt.Errorf("control %#x of %s: %w", id, p.Name(), unix.EINVAL)
	}
	return p.brightness.Load(), nil
}

// SetControl takes effect with the next frame. A value out of range is
// unix.ERANGE.
func (p *Pattern) SetControl(id uint32, v int64) error {
	if _, err := p.Control(id); err != nil {
		return err
	}
	if v < -128 || v > 127 {
		return fmt.Errorf("brightness %d of %s: %w", v, p.Name(), unix.ERANGE)
	}
	p.brightness.Store(v)
	return nil
}

// Dropped is the number of frames that nobody fetched in time.
func (p *Pattern) Dropped() uint64 { return p.dropped.Load() }

// Close stops it, if it runs, and waits until nothing is lent.
func (p *Pattern) Close() error { return p.Stop(context.Background()) }
