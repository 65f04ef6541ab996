package encoder

import (
	"errors"
	"os"
	"time"

	"lenslet/capture"
)

// frameWait bounds one wait for a frame, so that a change need not wait longer
// for a camera that is silent.
const frameWait = 200 * time.Millisecond

// stallAfter is the silence of a camera that is worth a line in the log.
const stallAfter = 2 * time.Second

// feed takes frames from the source and gives them to the codec until the
// pipeline halts. It closes done.
func (p *Pipeline) feed(codec Codec, done chan<- struct{}) {
	defer close(done)
	last, silent := time.Now(), false
	for !p.halting.Load() {
		f, err := p.cfg.Source.Next(time.Now().Add(frameWait))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !silent && time.Since(last) > stallAfter {
				silent = true
				p.cfg.Log.Warn("the camera gives no frames", "camera", p.cfg.Source.Name())
			}
			continue
		case err != nil:
			p.fail(err)
			return
		}
		if silent {
			silent = false
			p.cfg.Log.Info("the camera gives frames again", "camera", p.cfg.Source.Name())
		}
		last = time.Now()
		if err := p.pass(codec, f); err != nil {
			p.fail(err)
			return
		}
	}
}

// pass takes the frame over and gives it to the codec, or drops it.
func (p *Pipeline) pass(codec Codec, f *capture.Frame) error {
	p.captured.Add(1)
	if f.Damaged && codec != p.cfg.Passing {
		f.Release() // the source has counted it
		return nil
	}
	p.mu.Lock()
	due := p.thin.take(f.Timestamp)
	p.mu.Unlock()
	if !due {
		f.Release()
		return nil
	}
	if p.keyframe.Swap(false) {
		if err := codec.ForceKeyFrame(); err != nil {
			p.cfg.Log.Debug("no key frame on demand", "encoder", codec.Name(), "error", err)
		}
	}
	taken, err := codec.Encode(f)
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
	t.due += t.interval
	if t.due < at-t.interval { // the first frame, or one after a pause
		t.due = at + t.interval
	}
	return true
}
