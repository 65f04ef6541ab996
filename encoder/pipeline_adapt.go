package encoder

import (
	"context"

	"lenslet/capture"
)

// What a lower bit rate is made of.
const (
	bitrateStep = 25_000 // bit/s: what the Raspberry Pi's encoder counts in
	leastBits   = 0.02   // a pixel; with less, fewer pictures look better
	leastRate   = 4      // the share of the frames per second that is left at least
)

// Adapt gives the codec a lower bit rate than is set, in bit/s; the set one takes that
// back. The settings stay as they are. Nothing is done while something else changes,
// or where the source does the encoding: it is called again.
func (p *Pipeline) Adapt(bps int) {
	if !p.changing.TryLock() {
		return
	}
	defer p.changing.Unlock()
	p.adapt(bps)
}

// adapt is Adapt; the caller holds changing.
func (p *Pipeline) adapt(bps int) {
	if p.flowing() == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), changeLimit)
	defer cancel()
	p.wanted = bps
	p.resize(ctx, p.Settings(), bps)
	f := p.flowing()
	p.mu.Lock()
	was, s := p.told, p.settings.halved(p.halvings).lowered(bps)
	p.mu.Unlock()
	if f == nil || was == s {
		return
	}
	ctx, cancel = context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	if _, err := f.set(ctx, s); err != nil {
		p.cfg.Log.Warn("the encoder does not follow the network", "encoder", f.codec.is.Name(), "bitrate", s.Bitrate, "error", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = s
	if was.Rate != s.Rate {
		p.thin.set(p.format.Rate, s.Rate)
	}
}

// flowing is the flow where the codec can be told something; nil: there is none.
func (p *Pipeline) flowing() *flow {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flow == nil || p.flow.passing || p.flow.codec.isBroken() {
		return nil
	}
	return p.flow
}

// set changes a running codec; the result is what it makes of the settings.
func (f *flow) set(ctx context.Context, s Settings) (Settings, error) {
	return ask(ctx, f.codec, func(c Codec) (Settings, error) {
		err := c.Set(s)
		return c.Settings(), err
	})
}

// lowered are the settings at a lower bit rate: where that is too little for a
// picture of this size, with fewer pictures, and key frames as often as before.
func (s Settings) lowered(bps int) Settings {
	if bps >= s.Bitrate {
		return s
	}
	s.Bitrate = max(bitrateStep, bps/bitrateStep*bitrateStep)
	rate, gop := s.Rate, s.GOP
	for n := 2; n <= leastRate && float64(s.Bitrate) < leastBits*float64(s.Width*s.Height)*s.Rate.Float(); n++ {
		s.Rate, s.GOP = capture.Rate{Num: rate.Num, Den: rate.Den * n}, max(1, gop/n)
		if rate.Num%n == 0 {
			s.Rate = capture.Rate{Num: rate.Num / n, Den: rate.Den}
		}
	}
	return s
}

// BitrateNow is what the codec is told, in bit/s; 0: nobody knows.
func (p *Pipeline) BitrateNow() int {
	if p.flowing() == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told.Bitrate
}
