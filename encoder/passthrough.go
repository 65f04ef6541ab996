package encoder

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"lenslet/capture"
	"lenslet/capture/v4l2"
	"lenslet/encoder/h264"
)

// spareFrames is how many buffers a camera keeps while units of its memory are
// lent.
const spareFrames = 2

// A Passthrough makes units of the frames of a camera, or a clip, that is
// H.264 already. A unit is the frame: its last Release releases the frame.
type Passthrough struct {
	force func() error // nil: the camera cannot be asked

	mu       sync.Mutex // guards all below
	settings Settings
	format   capture.Format
	units    []passedUnit // one for each buffer of the source
	loans    capture.Loans
	deliver  func(*Unit) // nil while stopped
	sets     parameterSets
	begun    bool // a key frame with parameter sets was delivered
	counters Counters
}

// A passedUnit is a unit in the memory of a frame.
type passedUnit struct {
	Unit
	frame *capture.Frame // nil while not lent
}

// NewPassthrough makes a codec for frames that are H.264. force asks the camera
// for a key frame; nil if it cannot be asked.
func NewPassthrough(force func() error) *Passthrough { return &Passthrough{force: force} }

// Name says what it is.
func (p *Passthrough) Name() string { return "the camera's own H.264" }

// Imports is H.264 alone.
func (p *Passthrough) Imports() []v4l2.FourCC { return []v4l2.FourCC{v4l2.H264} }

// Converts is empty.
func (p *Passthrough) Converts() []v4l2.FourCC { return nil }

// Check accepts what makes sense: the camera decides.
func (p *Passthrough) Check(s Settings) error { return s.Validate() }

// Configure takes the format of the camera, which says what size and rate are.
func (p *Passthrough) Configure(f capture.Format, s Settings) (capture.Format, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deliver != nil {
		return capture.Format{}, errors.New("configure pass-through: it runs")
	}
	if f.FourCC != v4l2.H264 {
		return capture.Format{}, fmt.Errorf("configure pass-through: the frames are %s, not H.264", f.FourCC)
	}
	if s.Width != f.Width || s.Height != f.Height {
		return capture.Format{}, &Refused{"resolution", fmt.Sprintf("%dx%d", s.Width, s.Height), byItself(fmt.Sprintf("%dx%d", f.Width, f.Height))}
	}
	p.format, p.settings = f, s
	p.sets = parameterSets{}
	p.units = make([]passedUnit, f.Buffers)
	for i := range p.units {
		u := &p.units[i]
		u.Init(func() { p.back(u) })
	}
	return f, nil
}

// Start begins: with the first key frame whose parameter sets are known.
func (p *Passthrough) Start(deliver func(*Unit), _ func(error)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.format.FourCC != v4l2.H264 {
		return errors.New("start pass-through: not configured")
	}
	if p.deliver != nil {
		return errors.New("start pass-through: it runs")
	}
	p.deliver, p.begun = deliver, false
	p.loans.Open()
	return nil
}

// Encode delivers the frame as a unit, or drops it: a damaged one, one before
// the first key frame, or one more than the camera can spare. After a frame was
// lost in this way the camera is asked for a key frame.
func (p *Passthrough) Encode(f *capture.Frame) (bool, error) {
	u, deliver, lost := p.unit(f)
	if u == nil {
		f.Release()
		if lost {
			// The next key frame of the camera mends the picture, if
			// later.
			_ = p.ForceKeyFrame()
		}
		return false, nil
	}
	deliver(&u.Unit)
	return true, nil
}

// unit makes the frame a unit. lost: a frame that viewers will miss was dropped.
func (p *Passthrough) unit(f *capture.Frame) (u *passedUnit, deliver func(*Unit), lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.deliver == nil:
		return nil, nil, false
	case f.Damaged:
		p.counters.Damaged++
		return nil, nil, p.begun
	case f.Index >= len(p.units) || p.loans.Out() >= max(1, len(p.units)-spareFrames):
		return nil, nil, p.begun
	}
	u = &p.units[f.Index]
	u.nalus = h264.Split(u.nalus[:0], f.Data)
	p.sets.take(u.nalus)
	picture, key := kind(u.nalus)
	if !picture || !p.begun && !(key && p.sets.known()) {
		return nil, nil, false
	}
	if key {
		u.nalus = p.sets.complete(u.nalus)
	}
	p.begun = true
	u.key, u.timestamp, u.frame = key, f.Timestamp, f
	p.loans.Add() // it is open: deliver is set
	u.Lend()
	p.counters.Imported++
	p.counters.Encoded++
	return u, p.deliver, false
}

// back ends the loan of a unit.
func (p *Passthrough) back(u *passedUnit) {
	f := u.frame
	u.frame = nil
	f.Release()
	p.loans.Done()
}

// Set refuses every change: the camera encodes by itself.
func (p *Passthrough) Set(s Settings) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.settings
	if err := now.fixed(s); err != nil {
		return err
	}
	switch {
	case s.Bitrate != now.Bitrate:
		return &Refused{"bitrate", strconv.Itoa(s.Bitrate), byItself(strconv.Itoa(now.Bitrate))}
	case s.GOP != now.GOP:
		return &Refused{"gop", strconv.Itoa(s.GOP), byItself(strconv.Itoa(now.GOP))}
	case s.Rate != now.Rate:
		return &Refused{"framerate", s.Rate.String(), byItself(now.Rate.String())}
	}
	return nil
}

func byItself(value string) string { return "only " + value + ": the camera encodes by itself" }

// Settings tells what was configured.
func (p *Passthrough) Settings() Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings
}

// ForceKeyFrame asks the camera.
func (p *Passthrough) ForceKeyFrame() error {
	if p.force == nil {
		return &Refused{"keyframe", "now", "nothing: the camera decides about key frames"}
	}
	return p.force()
}

// Drain has nothing to wait for.
func (p *Passthrough) Drain(context.Context) error { return nil }

// Stop waits until no unit is lent.
func (p *Passthrough) Stop(ctx context.Context) error {
	p.mu.Lock()
	p.deliver = nil
	p.mu.Unlock()
	if err := p.loans.Close(ctx); err != nil {
		return fmt.Errorf("stop pass-through: %d units are lent: %w", p.loans.Out(), err)
	}
	return nil
}

// Close has nothing to give back.
func (p *Passthrough) Close() error { return nil }

// Counters tells what it did.
func (p *Passthrough) Counters() Counters {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counters
}
