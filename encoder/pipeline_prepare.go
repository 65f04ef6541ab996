package encoder

import (
	"context"
	"errors"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// prepare configures the best choice that works, and fills in what the settings
// left open.
func (p *Pipeline) prepare(ctx context.Context, s *Settings) (f *flow, format capture.Format, choice capture.Choice, err error) {
	source := p.source
	choices, err := p.choices(ctx, source, *s)
	if err != nil {
		return nil, format, choice, err
	}
	p.raise(s, choices[0])
	for _, choice = range choices {
		choice.Buffers = p.cfg.Buffers
		f = &flow{source: source, codec: p.encoder, fed: make(chan struct{})}
		if format, err = p.configure(ctx, f, choice, s); err == nil {
			return f, format, choice, nil
		}
		p.cfg.Log.Debug("format not usable", "choice", choice.Reason, "error", err)
	}
	return nil, format, choice, err
}

// choices are the source's. Where the settings leave the size open, the board's
// is asked for first.
func (p *Pipeline) choices(ctx context.Context, source *device[Source], s Settings) ([]capture.Choice, error) {
	of := func(s Settings) ([]capture.Choice, error) {
		return ask(ctx, source, func(d Source) ([]capture.Choice, error) { return d.Choices(p.wish(s)) })
	}
	if s.Width == 0 && p.cfg.Begin != nil {
		usual := s
		usual.Width, usual.Height = p.cfg.Begin(s.Rate)
		choices, err := of(usual)
		var unknown *capture.NotOffered
		if !errors.As(err, &unknown) {
			return choices, err
		}
	}
	return of(s)
}

// raise gives the settings a level that is high enough for the size of the choice,
// where they left that open, and nobody chose a level.
func (p *Pipeline) raise(s *Settings, c capture.Choice) {
	if s.Width != 0 || s.Level != p.cfg.Settings.Level {
		return
	}
	rate := s.Rate
	if c.Rate.Num > 0 && c.Rate.Float() < rate.Float() {
		rate = c.Rate
	}
	if l, ok := LevelFor(c.Width, c.Height, rate, s.Bitrate, s.Profile); ok {
		s.Level = max(s.Level, l)
	}
}

// wish is what the settings ask of the source.
func (p *Pipeline) wish(s Settings) capture.Wish {
	w := capture.Wish{Width: s.Width, Height: s.Height, Rate: s.Rate, PassH264: p.passing != nil}
	if p.encoder != nil {
		w.Import, w.Convert = p.encoder.is.Imports(), p.encoder.is.Converts()
	}
	return w
}

// configure sets one choice, and fills in what the settings left open. Where
// the codec wants other lines than the source gives, the source is asked for
// the codec's, so that nothing need be copied.
func (p *Pipeline) configure(ctx context.Context, f *flow, choice capture.Choice, s *Settings) (capture.Format, error) {
	set := func(d Source) (capture.Format, error) { return d.Configure(choice) }
	format, err := ask(ctx, f.source, set)
	if err != nil {
		return format, err
	}
	if f.passing = format.FourCC == v4l2.H264; f.passing {
		f.codec = p.passing
	}
	s.Width, s.Height = format.Width, format.Height
	// Coded pictures need each other: none of them can be left out.
	if format.Rate.Num > 0 && (f.passing || format.Rate.Float() < s.Rate.Float()) {
		s.Rate = format.Rate
	}
	if err := p.carries(f, *s); err != nil {
		return format, err
	}
	fit := func(c Codec) (capture.Format, error) { return c.Configure(format, *s) }
	layout, err := ask(ctx, f.codec, fit)
	if err == nil && format.Stride != layout.Stride && !f.passing {
		choice.Stride = layout.Stride
		if format, err = ask(ctx, f.source, set); err == nil {
			_, err = ask(ctx, f.codec, fit)
		}
	}
	if err == nil && !f.passing {
		*s, err = ask(ctx, f.codec, func(c Codec) (Settings, error) { return c.Settings(), nil })
	}
	return format, err
}

// carries asks the board whether its encoder, if that is what encodes, does as the
// settings say. The error is a *Refused.
func (p *Pipeline) carries(f *flow, s Settings) error {
	if f.passing || p.cfg.Carries == nil {
		return nil
	}
	return p.cfg.Carries(s)
}
