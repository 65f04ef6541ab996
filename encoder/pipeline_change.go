package encoder

import (
	"context"
	"errors"
	"fmt"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A wanted is a change that was read and found to be well-formed.
type wanted struct {
	settings Settings
	controls []setting
	keyframe bool
}

// A setting is a value for a control of the source.
type setting struct {
	control v4l2.Control
	value   int64
}

// ErrAway says that nothing can be changed now, because nothing streams.
var ErrAway = errors.New("the camera does not stream at the moment")

// change makes all of it or nothing. The caller holds changing.
func (p *Pipeline) change(ctx context.Context, w wanted) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeLimit)
	defer cancel()
	old := p.Settings()
	if err := p.possible(ctx, old, w.settings); err != nil {
		return err
	}
	undo, err := p.setControls(ctx, w.controls)
	if err != nil {
		return err
	}
	if err := p.apply(ctx, old, w.settings); err != nil {
		undo()
		return err
	}
	if w.keyframe {
		p.RequestKeyFrame()
	}
	return nil
}

// possible asks source and codec, without a change, whether the settings can be
// met. The error is a *Refused.
func (p *Pipeline) possible(ctx context.Context, old, next Settings) error {
	p.mu.Lock()
	f, choice := p.flow, p.choice
	p.mu.Unlock()
	if f == nil {
		return ErrAway
	}
	if next == old {
		return nil
	}
	if err := p.carries(f, next); err != nil {
		return err
	}
	if err := f.check(old, next); err != nil {
		return err
	}
	if next.Width == old.Width && next.Height == old.Height && next.Rate.Float() <= choice.Rate.Float() {
		return nil
	}
	choices, err := ask(ctx, f.source, func(d Source) ([]capture.Choice, error) { return d.Choices(p.wish(next)) })
	var missing *capture.NotOffered
	switch {
	case errors.As(err, &missing):
		return &Refused{"resolution", fmt.Sprintf("%dx%d", next.Width, next.Height), missing.Error()}
	case err != nil: // watch finds what is wrong with the camera, if it is more than this
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	best := choices[0]
	if best.Width != next.Width || best.Height != next.Height {
		return &Refused{"resolution", fmt.Sprintf("%dx%d", next.Width, next.Height), fmt.Sprintf("%dx%d only", best.Width, best.Height)}
	}
	if best.Rate.Float() < next.Rate.Float()*0.99 {
		return &Refused{"framerate", next.Rate.String(), fmt.Sprintf("up to %s at %dx%d", best.Rate, next.Width, next.Height)}
	}
	return nil
}

// check asks the codec; of a camera that encodes by itself nothing but another
// size or rate can be asked.
func (f *flow) check(old, next Settings) error {
	if !f.passing {
		return f.codec.is.Check(next)
	}
	name, value := old.difference(next)
	if _, now := next.difference(old); name != "resolution" && name != "framerate" {
		return &Refused{name, value, byItself(now)}
	}
	return nil
}

// apply changes what runs, or halts and begins anew. When not even the old
// settings can begin again, watch goes on with them.
func (p *Pipeline) apply(ctx context.Context, old, next Settings) error {
	if next == old {
		return nil
	}
	if old.sameStream(next) {
		done, err := p.applyRunning(ctx, old, next)
		if done || err != nil {
			return err
		}
	}
	if err := p.halt(ctx, true); err != nil { // watch mends it, with the settings as they were
		p.call()
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	begin, cancel := context.WithTimeout(context.WithoutCancel(ctx), startLimit)
	defer cancel()
	if next.size() != old.size() {
		p.halvings = 0
	}
	got := next
	err := p.beginWith(begin, &got)
	p.rest()
	if err == nil {
		return nil
	}
	p.cfg.Log.Warn("a change was refused half-way; going back", "error", err)
	if back := p.begin(context.Background(), old); back != nil {
		p.mu.Lock()
		p.settings = old
		p.mu.Unlock()
		p.call()
		return errors.Join(err, back)
	}
	p.rest()
	var refused *Refused
	if errors.As(err, &refused) {
		return err
	}
	name, value := old.difference(next)
	return &Refused{name, value, fmt.Sprintf("not what the driver said (%v); the settings are as before", err)}
}

// sameStream tells whether a running codec can go from one to the other: the
// sequence parameter set stays as it is.
func (s Settings) sameStream(t Settings) bool {
	s.Rate, s.Bitrate, s.BitrateMin, s.GOP = t.Rate, t.Bitrate, t.BitrateMin, t.GOP
	return s == t
}

// difference names the first parameter that needs a codec begun anew.
func (s Settings) difference(t Settings) (name, value string) {
	switch {
	case s.Width != t.Width || s.Height != t.Height:
		return "resolution", fmt.Sprintf("%dx%d", t.Width, t.Height)
	case s.Mode != t.Mode:
		return "bitrate_mode", string(t.Mode)
	case s.Profile != t.Profile:
		return "profile", string(t.Profile)
	case s.Level != t.Level:
		return "level", t.Level.String()
	}
	return "framerate", t.Rate.String()
}

// applyRunning changes bitrate, GOP and rate while frames flow. False: the
// source cannot reach the rate while it runs.
func (p *Pipeline) applyRunning(ctx context.Context, old, next Settings) (done bool, err error) {
	p.mu.Lock()
	f, given := p.flow, p.format.Rate
	p.mu.Unlock()
	was := given
	setRate := func(r capture.Rate) (capture.Rate, error) {
		return ask(ctx, f.source, func(d Source) (capture.Rate, error) { return d.SetRate(r) })
	}
	if next.Rate != old.Rate {
		if r, err := setRate(next.Rate); err == nil {
			given = r
		} // else it goes on as it was, and frames are left out
		if given.Num > 0 && given.Float() < next.Rate.Float()*0.99 {
			return false, nil
		}
	}
	sent, err := f.set(ctx, next.halved(p.halvings))
	if err != nil {
		if given != was {
			_, _ = setRate(was)
		}
		return true, err
	}
	next = p.filled(next, sent)
	p.mu.Lock()
	p.settings, p.told, p.format.Rate = next, sent, given
	p.thin.set(given, next.Rate)
	p.mu.Unlock()
	p.tell(next)
	p.cfg.Log.Info("changed", "rate", next.Rate, "bitrate", next.Bitrate, "gop", next.GOP)
	return true, nil
}

// setControls sets all of them or none. undo puts the old values back.
func (p *Pipeline) setControls(ctx context.Context, all []setting) (undo func(), err error) {
	var old []setting
	set := func(s setting) error {
		return order(ctx, p.source, func(d Source) error { return d.SetControl(s.control.ID, s.value) })
	}
	undo = func() {
		for i := len(old) - 1; i >= 0; i-- {
			_ = set(old[i])
		}
	}
	for _, s := range all {
		before, err := ask(ctx, p.source, func(d Source) (int64, error) { return d.Control(s.control.ID) })
		if err == nil { // a button has no value to go back to
			old = append(old, setting{s.control, before})
		}
		if err := set(s); err != nil {
			undo()
			return nil, &Refused{s.control.Key(), fmt.Sprint(s.value), fmt.Sprintf("%s; the driver said: %v", accepted(s.control), err)}
		}
	}
	return undo, nil
}

// enter notes the state. The caller holds mu.
func (p *Pipeline) enter(state string) {
	if p.health.state != state && p.cfg.State != nil {
		p.cfg.State(state)
	}
	p.health.state = state
}

// Settings are those in force.
func (p *Pipeline) Settings() Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings
}

// Counts of a pipeline since it was made.
type Counts struct {
	Captured, Encoded, Dropped uint64 // frames
	Imported, Copied           uint64 // frames that reached the codec by DMABUF, or by a copy
	Damaged                    uint64 // units that the codec marked as faulty
	UnitsCopied                uint64 // units copied out of the driver's memory, since the CPU reads that slowly
}

// Counts tells what happened so far. Dropped frames are those that the source
// lost, and those that the codec had no room for; frames left out to keep the
// wanted rate are not lost.
func (p *Pipeline) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.past
	n.Captured = p.captured.Load()
	n.Dropped += p.skipped.Load()
	if p.source != nil {
		n.Dropped += p.source.is.Dropped()
	}
	for _, c := range []*device[Codec]{p.encoder, p.passing} {
		if c != nil {
			n.addCodec(c.is)
		}
	}
	return n
}

func (n *Counts) addCodec(c Codec) {
	k := c.Counters()
	n.Encoded += k.Encoded
	n.Imported += k.Imported
	n.Copied += k.Copied
	n.Damaged += k.Damaged
	n.UnitsCopied += k.UnitsCopied
}

// Encoder and Camera name what is in use.
func (p *Pipeline) Encoder() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flow == nil {
		return "none"
	}
	return p.flow.codec.is.Name()
}

// Camera names the source and its format.
func (p *Pipeline) Camera() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.source == nil {
		return "none"
	}
	return fmt.Sprintf("%s, %s", p.source.is.Name(), p.format.FourCC)
}
