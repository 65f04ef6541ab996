package encoder

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lenslet/capture"
)

// unopened says what it means that a device cannot be opened. One that is there and
// fails, or does not answer, is mended like one that fell silent: what helps may be
// the last rung.
func unopened(device string, err error) error {
	if capture.Ill(err) || errors.Is(err, errSilent) {
		return fmt.Errorf("open %s: %w", device, err)
	}
	return &absence{"no " + device, err}
}

// reopen opens what is not open. The error is an *absence if it is not there.
func (p *Pipeline) reopen(ctx context.Context) error {
	if p.left.Load() >= mostLeft {
		return fmt.Errorf("%d devices: %w", mostLeft, errSilent)
	}
	if p.encoder == nil && p.cfg.OpenEncoder != nil {
		d, err := open(ctx, &p.left, p.cfg.OpenEncoder)
		if err != nil {
			return unopened("encoder", err)
		}
		p.mu.Lock()
		p.encoder = d
		p.mu.Unlock()
	}
	if p.source == nil && p.cfg.OpenSource != nil {
		d, err := open(ctx, &p.left, p.cfg.OpenSource)
		if err != nil {
			return unopened("camera", err)
		}
		p.adopt(ctx, d)
	}
	if p.source == nil {
		return errSilent
	}
	return nil
}

// adopt makes a source the pipeline's, and gives it the controls that were set.
func (p *Pipeline) adopt(ctx context.Context, d *device[Source]) {
	controls, err := ask(ctx, d, Source.Controls)
	if err != nil {
		p.cfg.Log.Warn("the camera's controls cannot be listed", "camera", d.is.Name(), "error", err)
	}
	p.mu.Lock()
	p.source, p.controls = d, controls
	held := slices.Clone(p.held)
	p.mu.Unlock()
	for _, c := range held {
		var w wanted
		err := p.readControl(&w, c)
		if err == nil {
			_, err = p.setControls(ctx, w.controls)
		}
		if err != nil {
			p.cfg.Log.Warn("the camera does not take a value that it had", "control", c.Name, "value", c.Value, "error", err)
		}
	}
}
