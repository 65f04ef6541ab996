package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lenslet/board"
	"lenslet/board/advert"
	"lenslet/board/update"
	"lenslet/encoder"
	"lenslet/rtspd"
	"lenslet/rtspd/wire"
)

// parameters joins what the pipeline, the stream and the board tell into one
// list of names (rtspd.Parameters).
type parameters struct {
	pipeline *encoder.Pipeline
	stream   *rtspd.Stream
	advert   *advert.Advert // nil: the camera has no name on the LAN
	push     *rtspd.Push    // nil: the stream is not published elsewhere
	updates  *update.Store
	kept     *keeper
	id       board.Identity
	root     string // of the board's files
	started  time.Time
	setting  sync.Mutex // one at a time, so that the last one is what is kept
}

// Get reads the named parameters, all when names is empty.
func (p *parameters) Get(names []string) ([]wire.Parameter, error) {
	r := &reading{p, p.stream.Stats(), p.pipeline.Counts(), sync.OnceValue(p.updates.Status)}
	all := readings()
	if len(names) == 0 {
		if p.advert != nil {
			names = append(names, "name")
		}
		names = append(names, p.pipeline.Names()...)
		for _, v := range all {
			names = append(names, v.name)
		}
	}
	out := make([]wire.Parameter, 0, len(names))
	var wrong []error
	for _, name := range names {
		var value string
		var err error
		if v := find(all, name); v != nil {
			value = v.of(r)
		} else if value, err = p.get(name); err != nil {
			wrong = append(wrong, err)
			continue
		}
		out = append(out, wire.Parameter{Name: name, Value: value})
	}
	if len(wrong) > 0 {
		return nil, translated(errors.Join(wrong...))
	}
	return out, nil
}

// get reads one that can be set.
func (p *parameters) get(name string) (string, error) {
	if name == "name" && p.advert != nil {
		return p.advert.Name(), nil
	}
	return p.pipeline.Get(name)
}

// Set makes all changes or none.
func (p *parameters) Set(ctx context.Context, changes []wire.Parameter) error {
	var wrong []error
	var list []encoder.Parameter
	rename, given := "", false
	all := readings()
	for _, c := range changes {
		switch {
		case find(all, c.Name) != nil:
			wrong = append(wrong, &encoder.NameError{Name: c.Name, Err: encoder.ErrReadOnly})
		case c.Name == "name" && p.advert != nil:
			rename, given = c.Value, true
		default:
			list = append(list, encoder.Parameter{Name: c.Name, Value: c.Value})
		}
	}
	if len(wrong) > 0 {
		return translated(errors.Join(wrong...))
	}
	p.setting.Lock()
	defer p.setting.Unlock()
	undo, err := func() {}, error(nil)
	if given {
		undo, err = p.rename(rename)
	}
	if err == nil && len(list) > 0 {
		if err = p.pipeline.Set(ctx, list); err != nil {
			undo()
		}
	}
	if err == nil {
		p.keep(changes)
	}
	return translated(err)
}

// keep lets what was set outlive the daemon, but for what only does something
// once.
func (p *parameters) keep(changes []wire.Parameter) {
	for _, c := range changes {
		if c.Name != "name" {
			if _, err := p.pipeline.Get(c.Name); errors.Is(err, encoder.ErrWriteOnly) {
				continue
			}
		}
		p.kept.note(c.Name, c.Value)
	}
}

// rename gives the camera another name on the LAN.
func (p *parameters) rename(name string) (undo func(), err error) {
	before := p.advert.Name()
	if err := p.advert.Rename(name); err != nil {
		return nil, &encoder.Refused{Name: "name", Value: name, Accepts: "1 to 63 bytes of text"}
	}
	return func() { _ = p.advert.Rename(before) }, nil // it was a good name
}

// translated says an error of the pipeline in RTSP's statuses. Of several, the
// most basic one counts: an unknown name, then a read-only one, then a value.
func translated(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, encoder.ErrAway) {
		return fmt.Errorf("%w: %w", rtspd.ErrNotNow, err)
	}
	byStatus := map[wire.Status][]wire.Parameter{}
	for _, e := range flattened(err) {
		var name *encoder.NameError
		var refused *encoder.Refused
		switch {
		case errors.As(e, &name) && errors.Is(e, encoder.ErrReadOnly):
			byStatus[wire.ParameterIsReadOnly] = append(byStatus[wire.ParameterIsReadOnly], wire.Parameter{Name: name.Name})
		case errors.As(e, &name):
			byStatus[wire.ParameterNotUnderstood] = append(byStatus[wire.ParameterNotUnderstood], wire.Parameter{Name: name.Name})
		case errors.As(e, &refused):
			byStatus[wire.InvalidRange] = append(byStatus[wire.InvalidRange], wire.Parameter{Name: refused.Name, Value: refused.Accepts})
		default:
			return err
		}
	}
	for _, status := range []wire.Status{wire.ParameterNotUnderstood, wire.ParameterIsReadOnly, wire.InvalidRange} {
		if lines := byStatus[status]; len(lines) > 0 {
			return &rtspd.ParameterError{Status: status, Lines: lines}
		}
	}
	return err
}

func flattened(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
