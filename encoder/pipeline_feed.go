package encoder

import (
	"context"
	"errors"
	"os"
	"time"

	"lenslet/capture"
)

// frameWait bounds one wait for a frame, so that a change need not wait longer
// for a camera that is silent.
const frameWait = 200 * time.Millisecond

// feed takes frames from the source and gives them to the codec until the
// pipeline halts. start has entered the codec for it; the source is entered for
// each frame, so that one can be closed while the codec does not let go of feed.
// It closes fed.
func (p *Pipeline) feed(f *flow) {
	defer close(f.fed)
	defer f.codec.leave()
	for !f.halting.Load() && f.source.enter() {
		frame, err := f.source.is.Next(time.Now().Add(frameWait))
		f.source.leave()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case err != nil:
			p.fail(f, reopenCamera, err)
			return
		case f.halting.Load():
			frame.Release()
			return
		}
		f.inCodec.Store(true)
		err = p.pass(f, frame)
		f.inCodec.Store(false)
		if err != nil {
			p.fail(f, reopenCodec, err)
			return
		}
	}
}

// unfeed waits for the end of feed. Who keeps it is broken; a codec soon, unless what is
// in it is still to come out.
func (f *flow) unfeed(ctx context.Context, drain bool) {
	soon, cancel := context.WithTimeout(ctx, feedLimit)
	defer cancel()
	select {
	case <-f.fed:
		return
	case <-soon.Done():
	}
	if drain || !f.inCodec.Load() {
		select {
		case <-f.fed:
			return
		case <-ctx.Done():
		}
	}
	if f.inCodec.Load() {
		f.codec.setBroken(true)
	} else {
		f.source.setBroken(true)
	}
}

// pass takes the frame over and gives it to the codec, or drops it.
func (p *Pipeline) pass(f *flow, frame *capture.Frame) error {
	p.captured.Add(1)
	if frame.Damaged && !f.passing {
		frame.Release() // the source has counted it
		return nil
	}
	p.mu.Lock()
	due := p.thin.take(frame.Timestamp)
	p.mu.Unlock()
	if !due {
		frame.Release()
		return nil
	}
	if p.keyframe.Swap(false) {
		if err := f.codec.is.ForceKeyFrame(); err != nil {
			p.cfg.Log.Debug("no key frame on demand", "encoder", f.codec.is.Name(), "error", err)
		}
	}
	taken, err := f.codec.is.Encode(frame)
	if !taken && err == nil {
		p.skipped.Add(1)
	}
	return err
}

// RequestKeyFrame asks the codec for a key frame with the next frame. It does
// not block.
func (p *Pipeline) RequestKeyFrame() { p.keyframe.Store(true) }

// A thinner leaves frames out where the source gives more than are wanted. The
// zero value takes all.
type thinner struct {
	interval time.Duration // between frames that are wanted; 0: all are
	slack    time.Duration // half the interval of the source
	due      time.Duration // when the next one is wanted
}

// set chooses what is left out. Rates within 1 % of each other are the same.
func (t *thinner) set(given, wanted capture.Rate) {
	*t = thinner{}
	if wanted.Float() > 0 && given.Float() > wanted.Float()*1.01 {
		t.interval, t.slack = wanted.Interval(), given.Interval()/2
	}
}

// take tells whether the frame of that time is wanted: the one nearest to each
// instant of the wanted rate.
func (t *thinner) take(at time.Duration) bool {
	if t.interval == 0 {
		return true
	}
	if at < t.due-t.slack {
		return false
	}
	first := t.due == 0
	t.due += t.interval
	if first || t.due < at-t.interval { // the first frame, or one after a pause
		t.due = at + t.interval
	}
	return true
}
