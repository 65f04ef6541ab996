package encoder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A Parameter is a name and a value as people write them.
type Parameter struct{ Name, Value string }

// The reasons why a parameter cannot be read or set, wrapped in a *NameError.
var (
	ErrUnknown   = errors.New("unknown parameter")
	ErrReadOnly  = errors.New("read-only parameter")
	ErrWriteOnly = errors.New("write-only parameter")
)

// A NameError is about a parameter whatever its value.
type NameError struct {
	Name string
	Err  error
}

// Error gives the reason and the name.
func (e *NameError) Error() string { return fmt.Sprintf("%v: %s", e.Err, e.Name) }

// Unwrap gives the reason.
func (e *NameError) Unwrap() error { return e.Err }

// streamParameters are those of the stream, in the order of a listing: first
// what any source tells, then what the codec is told.
func streamParameters() []string {
	return []string{"resolution", "framerate", "bitrate", "bitrate_min", "bitrate_mode", "gop", "profile", "level"}
}

// keyframe is the only parameter that can be set and not read.
const keyframe = "keyframe"

// Names lists what Get can read, in order.
func (p *Pipeline) Names() []string {
	names := streamParameters()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.controls {
		if c.Readable() && !slices.Contains(names, c.Key()) {
			names = append(names, c.Key())
		}
	}
	return names
}

// Get reads a parameter. The error is a *NameError; a value that the driver does
// not tell is "unknown", as many cameras have one.
func (p *Pipeline) Get(name string) (string, error) {
	s := p.Settings()
	if p.isPassing() && slices.Contains(streamParameters()[2:], name) {
		return "unknown", nil // the camera encodes as it likes
	}
	switch name {
	case "resolution":
		return fmt.Sprintf("%dx%d", s.Width, s.Height), nil
	case "framerate":
		return s.Rate.String(), nil
	case "bitrate":
		return strconv.Itoa(s.Bitrate), nil
	case "bitrate_min":
		return strconv.Itoa(s.BitrateMin), nil
	case "bitrate_mode":
		return string(s.Mode), nil
	case "gop":
		return strconv.Itoa(s.GOP), nil
	case "profile":
		return string(s.Profile), nil
	case "level":
		return s.Level.String(), nil
	case keyframe:
		return "", &NameError{name, ErrWriteOnly}
	}
	c, ok := p.control(name)
	switch {
	case !ok:
		return "", &NameError{name, ErrUnknown}
	case !c.Readable():
		return "", &NameError{name, ErrWriteOnly}
	}
	p.mu.Lock()
	source := p.source
	p.mu.Unlock()
	if source == nil || source.isBroken() {
		return "unknown", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	v, err := read(ctx, source, func(d Source) (int64, error) { return d.Control(c.ID) })
	if err != nil {
		return "unknown", nil // where more is wrong watch knows, or is about to
	}
	return strconv.FormatInt(v, 10), nil
}

func (p *Pipeline) control(name string) (v4l2.Control, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.controls, func(c v4l2.Control) bool { return c.Key() == name })
	if i < 0 {
		return v4l2.Control{}, false
	}
	return p.controls[i], true
}

// Preset sets parameters before Run: all or none, as Set. Where there is no
// camera yet, its controls are set when it comes.
func (p *Pipeline) Preset(changes []Parameter) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	now := changes
	if p.source == nil {
		now = slices.DeleteFunc(slices.Clone(changes), func(c Parameter) bool { return !slices.Contains(streamParameters(), c.Name) })
	}
	w, err := p.readAll(now)
	if err != nil {
		return err
	}
	if len(w.controls) > 0 {
		if _, err := p.setControls(context.Background(), w.controls); err != nil {
			return err
		}
	}
	p.hold(changes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settings = w.settings
	return nil
}

// Set makes all changes or none. The error joins what was wrong with each:
// *NameError, *Refused, or the driver's; while nothing streams it is ErrAway at
// once.
func (p *Pipeline) Set(ctx context.Context, changes []Parameter) error {
	if !p.changing.TryLock() {
		if p.isAway() {
			return ErrAway
		}
		p.changing.Lock() // another change is short
	}
	defer p.changing.Unlock()
	w, err := p.readAll(changes)
	if err != nil {
		return err
	}
	if p.isAway() {
		return ErrAway
	}
	if err := p.change(ctx, w); err != nil {
		return err
	}
	p.hold(changes)
	return nil
}

// isAway tells that the stream is being mended, or that a device is missing.
func (p *Pipeline) isAway() bool {
	state := p.state()
	return state == healing || absent(state)
}

func (p *Pipeline) readAll(changes []Parameter) (wanted, error) {
	w := wanted{settings: p.Settings()}
	levelGiven := false
	var wrong []error
	for _, c := range changes {
		if err := p.read(&w, c); err != nil {
			wrong = append(wrong, err)
		}
		levelGiven = levelGiven || c.Name == "level"
	}
	if s := &w.settings; !levelGiven && s.Width > 0 { // a larger picture should not fail for a number that few know
		if l, ok := LevelFor(s.Width, s.Height, s.Rate, s.Bitrate, s.Profile); ok {
			s.Level = max(s.Level, l)
		}
	}
	return w, errors.Join(wrong...)
}

// read parses one change into w.
func (p *Pipeline) read(w *wanted, c Parameter) (err error) {
	s := &w.settings
	switch c.Name {
	case "resolution":
		s.Width, s.Height, err = ParseResolution(c.Value)
	case "framerate":
		if s.Rate, err = capture.ParseRate(c.Value); err != nil {
			err = &Refused{c.Name, c.Value, "frames per second as 25 or 30000/1001"}
		}
	case "bitrate":
		s.Bitrate, err = positive(c, "bit/s, for example 2000000")
	case "bitrate_min":
		s.BitrateMin, err = positive(c, "bit/s, for example 250000")
	case "gop":
		s.GOP, err = positive(c, "frames from a key frame to the next, 1 or more")
	case "bitrate_mode":
		s.Mode, err = ParseMode(c.Value)
	case "profile":
		s.Profile, err = ParseProfile(c.Value)
	case "level":
		if s.Level, err = ParseLevel(c.Value); err != nil {
			err = &Refused{c.Name, c.Value, "a level of H.264 as 4.0"}
		}
	case keyframe:
		if c.Value != "now" {
			return &Refused{c.Name, c.Value, "now"}
		}
		w.keyframe = true
	default:
		return p.readControl(w, c)
	}
	return err
}

func (p *Pipeline) readControl(w *wanted, c Parameter) error {
	control, ok := p.control(c.Name)
	switch {
	case !ok:
		return &NameError{c.Name, ErrUnknown}
	case !control.Writable():
		return &NameError{c.Name, ErrReadOnly}
	}
	v, err := strconv.ParseInt(c.Value, 10, 64)
	if i := slices.IndexFunc(control.Menu, func(m v4l2.MenuItem) bool { return strings.EqualFold(m.Name, c.Value) }); err != nil && i >= 0 {
		v, err = control.Menu[i].Index, nil
	}
	inMenu := len(control.Menu) == 0 || slices.ContainsFunc(control.Menu, func(m v4l2.MenuItem) bool { return m.Index == v })
	if err != nil || v < control.Min || v > control.Max || !inMenu {
		return &Refused{c.Name, c.Value, accepted(control)}
	}
	w.controls = append(w.controls, setting{control, v})
	return nil
}

// accepted says in words which values a control takes.
func accepted(c v4l2.Control) string {
	if len(c.Menu) > 0 {
		items := make([]string, len(c.Menu))
		for i, m := range c.Menu {
			items[i] = fmt.Sprintf("%d (%s)", m.Index, m.Name)
		}
		return strings.Join(items, ", ")
	}
	if c.Step > 1 {
		return fmt.Sprintf("%d to %d in steps of %d", c.Min, c.Max, c.Step)
	}
	return fmt.Sprintf("%d to %d", c.Min, c.Max)
}

// ParseResolution reads "1280x720". Both are even, at least 16 and at most
// 8192; the error is a *Refused.
func ParseResolution(s string) (width, height int, err error) {
	w, h, ok := strings.Cut(s, "x")
	width, err1 := strconv.Atoi(w)
	height, err2 := strconv.Atoi(h)
	fits := func(n int) bool { return n >= 16 && n <= 8192 && n%2 == 0 }
	if !ok || err1 != nil || err2 != nil || !fits(width) || !fits(height) {
		return 0, 0, &Refused{"resolution", s, "width x height in pixels, both even, for example 1280x720"}
	}
	return width, height, nil
}

func positive(c Parameter, accepts string) (int, error) {
	n, err := strconv.Atoi(c.Value)
	if err != nil || n < 1 || n > 1<<30 {
		return 0, &Refused{c.Name, c.Value, accepts}
	}
	return n, nil
}
