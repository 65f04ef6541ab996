package encoder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// firstPicture is what a camera may need for its first picture on top.
const firstPicture = 2 * time.Second

// mostLeft bounds the devices that are left behind: each holds a thread.
const mostLeft = 8

// healing is the state while the ladder is climbed.
const healing = "healing"

// health is what owners are told.
type health struct {
	state  string
	counts [rungs]uint64
	last   string // fault
	lastAt time.Time
}

// Health tells how the stream does: its state ("starting", "streaming",
// "healing", "no camera", "no encoder"), in how many troubles since the beginning
// each rung of the ladder was taken, however often in each, and the last fault with
// the time since it.
func (p *Pipeline) Health() (state, faults, last string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := &p.health
	var b strings.Builder
	for i, name := range []string{"key_frame", "restart", "encoder", "camera", "watchdog"} {
		fmt.Fprintf(&b, "%s=%d ", name, h.counts[i+int(keyFrame)])
	}
	fmt.Fprintf(&b, "abandoned=%d", p.left.Load())
	last = "none"
	if h.last != "" {
		last = fmt.Sprintf("%s, %s ago", h.last, shortly(time.Since(h.lastAt)))
	}
	return h.state, b.String(), last
}

// absent tells that a device is looked for.
func absent(state string) bool { return strings.HasPrefix(state, "no ") }

// An absence is a device that is not there.
type absence struct {
	state string
	err   error
}

// Error names what is not there, and why.
func (a *absence) Error() string { return a.state + ": " + a.err.Error() }

// Unwrap is why.
func (a *absence) Unwrap() error { return a.err }

// Run streams until ctx ends, and gives the devices back. The error says that
// the settings were refused at the beginning; whatever fails is mended.
func (p *Pipeline) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.Close()) }()
	p.changing.Lock()
	err = p.begin(ctx, p.Settings())
	p.changing.Unlock()
	p.rest()
	var refused *Refused
	var unknown *capture.NotOffered
	if errors.As(err, &refused) || errors.As(err, &unknown) {
		return err
	}
	var shown sync.WaitGroup
	if p.cfg.OpenSlate != nil {
		shown.Go(func() { p.slates(ctx) })
	}
	p.watch(ctx, err)
	shown.Wait()
	return nil
}

// rest begins a silence anew: nothing is wrong with it before a camera had the
// time for a picture.
func (p *Pipeline) rest() { p.seen.Store(int64(p.clock() + firstPicture)) }

// watch looks after the flow of units until ctx ends. err is why it did not
// begin, if it did not.
func (p *Pipeline) watch(ctx context.Context, err error) {
	next := time.NewTimer(0)
	defer next.Stop()
	var t trouble
	for {
		next.Reset(p.look(ctx, &t, err))
		p.tend(&t)
		err = nil
		select {
		case <-ctx.Done():
			return
		case <-p.kick:
		case <-p.cfg.Came:
			t.look()
		case <-next.C:
		}
	}
}

// look does what the ladder says, unless a change is under way, and tells when to
// look again.
func (p *Pipeline) look(ctx context.Context, t *trouble, err error) time.Duration {
	if !p.changing.TryLock() {
		return watchEvery
	}
	defer p.changing.Unlock()
	if err != nil {
		p.missing(err)
	}
	c, why := p.condition(err)
	at := rungAt(c.silence, c.interval)
	if !c.halted && c.failed == fine && at == fine && (t.at == fine || p.seenSince(t)) {
		next := p.recovered(t, c)
		if p.halvings > 0 && time.Since(p.resized) >= sizeHold { // nobody may tell the same bit rate again
			p.adapt(p.wanted)
		}
		return next
	}
	if why == nil {
		why = fmt.Errorf("no picture for %s", shortly(max(0, c.silence)))
	}
	if !t.gaveUp && t.hopeless(c) {
		t.gaveUp = true
		p.note(healing, giveUp, why)
		if p.cfg.GaveUp != nil {
			p.cfg.GaveUp()
		}
	}
	if r := t.step(c); r > fine {
		p.climb(ctx, t, r, c, why)
	}
	if absent(p.state()) && p.left.Load() == 0 {
		p.wait(t)
	}
	return watchEvery
}

// wait notes that there is nothing to do but to wait for a device.
func (p *Pipeline) wait(t *trouble) {
	t.waited = time.Now()
	if p.cfg.Waiting != nil {
		p.gate.Lock()
		defer p.gate.Unlock()
		p.cfg.Waiting()
	}
}

// tend says that the stream flows, or may yet be mended, also while a change is
// under way.
func (p *Pipeline) tend(t *trouble) {
	if c, _ := p.condition(nil); p.cfg.Tended != nil && !t.hopeless(c) {
		p.cfg.Tended()
	}
}

// missing notes a device that is not there, if that is the error.
func (p *Pipeline) missing(err error) {
	var gone *absence
	if errors.As(err, &gone) {
		p.note(gone.state, fine, err)
	}
}

// condition is how the stream does, and why it stands still, if a device said so.
func (p *Pipeline) condition(err error) (condition, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := condition{now: time.Now(), silence: p.clock() - time.Duration(p.seen.Load()), interval: max(p.settings.Rate.Interval(), p.thin.interval),
		halted: p.flow == nil, absent: absent(p.health.state)}
	if p.flow != nil {
		if f := p.flow.failed.Load(); f != nil {
			c.failed, err = f.mends, f.err
		}
	}
	switch {
	case err != nil:
	case p.source != nil && p.source.isBroken():
		c.failed, err = reopenCamera, errSilent
	case p.encoder != nil && p.encoder.isBroken():
		c.failed, err = reopenCodec, errSilent
	}
	return c, err
}

// seenSince tells whether a unit came after the last step of the ladder.
func (p *Pipeline) seenSince(t *trouble) bool {
	return p.made.Add(time.Duration(p.seen.Load())).After(t.acted)
}

// recovered notes that units come, and tells when to look again.
func (p *Pipeline) recovered(t *trouble, c condition) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.at > fine {
		p.cfg.Log.Info("the stream goes on", "since", t.at)
	}
	*t = trouble{}
	if c.silence >= 0 { // not before the first picture is due
		p.enter("streaming")
	}
	return lookAfter(c.silence, c.interval)
}

// note counts a rung and says it aloud; fine stands for a device that is not
// there.
func (p *Pipeline) note(state string, r rung, why error) {
	p.mu.Lock()
	p.enter(state)
	p.health.last, p.health.lastAt = why.Error(), time.Now()
	p.health.counts[r]++
	p.mu.Unlock()
	if r == fine {
		p.cfg.Log.Warn("the stream waits for a device", "error", why)
		return
	}
	p.cfg.Log.Warn("the stream stands still", "so", r, "error", why)
}

// climb takes a rung. Whatever is tried again makes no line in the log.
func (p *Pipeline) climb(ctx context.Context, t *trouble, r rung, c condition, why error) {
	if r > t.at {
		p.note(healing, r, why)
	}
	if r == keyFrame {
		p.RequestKeyFrame()
		t.done(r, c, 0, true)
		return
	}
	before := p.state()
	err := p.mend(ctx, r)
	var gone *absence
	c.absent = errors.As(err, &gone)
	switch {
	case !c.absent:
		p.mu.Lock()
		p.enter(healing)
		if err != nil {
			p.health.last, p.health.lastAt = err.Error(), time.Now()
		}
		p.mu.Unlock()
		p.cfg.Log.Debug("tried to mend the stream", "so", r, "error", err)
	case before != gone.state:
		p.note(gone.state, fine, err)
	}
	took := time.Since(c.now)
	c.now = c.now.Add(took)
	t.done(r, c, took, err == nil)
}

func (p *Pipeline) state() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health.state
}

// mend halts, closes what the rung opens anew, and begins.
func (p *Pipeline) mend(ctx context.Context, r rung) error {
	stop, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	err := p.halt(stop, false)
	limit := closeLimit
	if p.encoder != nil && p.encoder.isBroken() {
		limit = brokeLimit
	}
	stop, cancel = context.WithTimeout(ctx, limit)
	defer cancel()
	if c := p.encoder; c != nil && (r >= reopenCodec || c.isBroken()) {
		if c.setBroken(false); p.cfg.OpenEncoder != nil {
			err = errors.Join(err, p.drop(stop, &p.encoder))
		}
	}
	stop, cancel = context.WithTimeout(ctx, closeLimit) // one device takes no time from another
	defer cancel()
	if c := p.source; c != nil && (r >= reopenCamera || c.isBroken()) {
		if c.setBroken(false); p.cfg.OpenSource != nil {
			err = errors.Join(err, p.dropSource(stop))
		}
	}
	if p.passing != nil {
		p.passing.setBroken(false)
	}
	if err != nil {
		p.cfg.Log.Debug("a device does not stop", "error", err)
	}
	s := p.Settings()
	err = p.begin(ctx, s)
	var unknown *capture.NotOffered
	if errors.As(err, &unknown) { // another camera than before
		p.cfg.Log.Warn("the camera has another size", "error", err)
		s.Width, s.Height = 0, 0
		err = p.begin(ctx, s)
	}
	return err
}

// hold remembers the values of controls, for another opening of the camera.
func (p *Pipeline) hold(changes []Parameter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range changes {
		if c.Name == keyframe || slices.Contains(streamParameters(), c.Name) {
			continue
		}
		p.held = slices.DeleteFunc(p.held, func(h Parameter) bool { return h.Name == c.Name })
		i := slices.IndexFunc(p.controls, func(k v4l2.Control) bool { return k.Key() == c.Name })
		if i < 0 || p.controls[i].Readable() { // a button keeps nothing
			p.held = append(p.held, c)
		}
	}
}

// drop closes a codec, if there is one.
func (p *Pipeline) drop(ctx context.Context, codec **device[Codec]) error {
	d := *codec
	if d == nil {
		return nil
	}
	p.mu.Lock()
	*codec = nil
	p.past.addCodec(d.is)
	p.mu.Unlock()
	return d.close(ctx)
}

// dropSource closes the source, if there is one.
func (p *Pipeline) dropSource(ctx context.Context) error {
	d := p.source
	if d == nil {
		return nil
	}
	p.mu.Lock()
	p.source = nil
	p.past.Dropped += d.is.Dropped()
	p.mu.Unlock()
	return d.close(ctx)
}
