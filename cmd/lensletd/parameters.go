package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
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

// A reading is the instant that a group of read-only values is taken at.
type reading struct {
	p     *parameters
	stats rtspd.Stats
	count encoder.Counts

	update func() update.Status // of that instant, if anybody asks
}

// readOnly lists the values that can only be read, in the order of a listing.
func readOnly() []string {
	return append([]string{
		"encoder", "camera", "viewers", "frames_captured", "frames_encoded", "frames_dropped", "frames_imported",
		"frames_copied", "units_copied", "packets_sent", "bytes_sent", "sends_segmented", "packets_received", "packets_lost", "packets_resent", "packets_refused", "viewers_unreachable",
		"viewers_paced", "packets_paced", "viewers_thinned", "skips", "bitrate_now", "resolution_now", "round_trip",
		"jitter", "latency", "uptime", "push", "state", "faults",
		"last_fault", "heap_allocations", "version", "update_state", "update_progress",
	}, boardNames()...)
}

// Get reads the named parameters, all when names is empty.
func (p *parameters) Get(names []string) ([]wire.Parameter, error) {
	if len(names) == 0 {
		names = append(p.pipeline.Names(), readOnly()...)
		if p.advert != nil {
			names = append([]string{"name"}, names...)
		}
	}
	r := reading{p, p.stream.Stats(), p.pipeline.Counts(), sync.OnceValue(p.updates.Status)}
	out := make([]wire.Parameter, 0, len(names))
	var wrong []error
	for _, name := range names {
		value, ok := r.value(name)
		if !ok {
			var err error
			if value, err = p.pipeline.Get(name); err != nil {
				wrong = append(wrong, err)
				continue
			}
		}
		out = append(out, wire.Parameter{Name: name, Value: value})
	}
	if len(wrong) > 0 {
		return nil, translated(errors.Join(wrong...))
	}
	return out, nil
}

// Set makes all changes or none.
func (p *parameters) Set(ctx context.Context, changes []wire.Parameter) error {
	var wrong []error
	var list []encoder.Parameter
	rename := ""
	for _, c := range changes {
		switch {
		case slices.Contains(readOnly(), c.Name):
			wrong = append(wrong, &encoder.NameError{Name: c.Name, Err: encoder.ErrReadOnly})
		case c.Name == "name" && p.advert != nil:
			rename = c.Value
		default:
			list = append(list, encoder.Parameter{Name: c.Name, Value: c.Value})
		}
	}
	if len(wrong) > 0 {
		return translated(errors.Join(wrong...))
	}
	p.setting.Lock()
	defer p.setting.Unlock()
	undo, err := p.rename(rename)
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

// rename gives the camera another name on the LAN, if name is not empty.
func (p *parameters) rename(name string) (undo func(), err error) {
	if name == "" {
		return func() {}, nil
	}
	before := p.advert.Name()
	if err := p.advert.Rename(name); err != nil {
		return nil, &encoder.Refused{Name: "name", Value: name, Accepts: "1 to 63 bytes of text"}
	}
	return func() { _ = p.advert.Rename(before) }, nil // it was a good name
}

// value is one that the pipeline does not know; false: it is none of them.
func (r *reading) value(name string) (string, bool) {
	switch name {
	case "name":
		if r.p.advert == nil {
			return "", false
		}
		return r.p.advert.Name(), true
	case "encoder":
		return r.p.pipeline.Encoder(), true
	case "camera":
		return r.p.pipeline.Camera(), true
	case "push":
		return r.p.push.Status(), true
	case "version":
		return version, true
	case "update_state":
		return r.update().String(), true
	case "update_progress":
		return strconv.Itoa(r.update().Progress), true
	case "heap_allocations": // to the object; runtime/metrics counts some later
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return strconv.FormatUint(m.Mallocs, 10), true
	}
	if i := slices.Index([]string{"state", "faults", "last_fault"}, name); i >= 0 {
		state, faults, last := r.p.pipeline.Health()
		return [...]string{state, faults, last}[i], true
	}
	if n, ok := r.counters()[name]; ok {
		return strconv.FormatUint(n, 10), true
	}
	return r.measure(name)
}

func (r *reading) counters() map[string]uint64 {
	return map[string]uint64{
		"viewers":             uint64(r.stats.Viewers),
		"frames_captured":     r.count.Captured,
		"frames_encoded":      r.count.Encoded,
		"frames_dropped":      r.count.Dropped,
		"frames_imported":     r.count.Imported,
		"frames_copied":       r.count.Copied,
		"units_copied":        r.count.UnitsCopied,
		"packets_sent":        r.stats.Packets,
		"bytes_sent":          r.stats.Bytes,
		"sends_segmented":     r.stats.Segmented,
		"packets_received":    r.stats.Received,
		"packets_lost":        r.stats.Lost,
		"packets_resent":      r.stats.Resent,
		"packets_refused":     r.stats.Refused,
		"viewers_unreachable": r.stats.Unreachable,
		"viewers_paced":       uint64(r.stats.PacedViewers),
		"viewers_thinned":     uint64(r.stats.Thinned),
		"skips":               r.stats.Skips,
		"packets_paced":       r.stats.Paced,
	}
}

// unknown is the value of what the board cannot tell, or not yet.
const unknown = "unknown"

// measure is a read-only value with a unit: ms, s or degrees Celsius.
func (r *reading) measure(name string) (string, bool) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	switch name {
	case "bitrate_now":
		if n := r.p.pipeline.BitrateNow(); n > 0 {
			return strconv.Itoa(n), true
		}
		return unknown, true
	case "resolution_now":
		return r.p.pipeline.ResolutionNow(), true
	case "round_trip":
		if r.stats.RoundTrip == 0 {
			return unknown, true
		}
		return fmt.Sprintf("%.1f", ms(r.stats.RoundTrip)), true
	case "jitter":
		return fmt.Sprintf("%.1f", ms(r.stats.Jitter)), true
	case "latency":
		if !r.stats.HasLatency {
			return unknown, true
		}
		return fmt.Sprintf("%.1f/%.1f", ms(r.stats.P50), ms(r.stats.P99)), true
	case "uptime":
		return strconv.Itoa(int(time.Since(r.p.started).Seconds())), true
	}
	if slices.Contains(boardNames(), name) {
		return cmp.Or(boardValue(r.p.root, r.p.id, name), unknown), true
	}
	return "", false
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
