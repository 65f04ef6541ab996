package wire

import (
	"fmt"
	"strings"
	"time"
)

// A Range is the value of the field Range (RFC 2326 section 12.29).
type Range struct {
	Unit  string    // npt, clock, smpte, smpte-25, smpte-30-drop
	Start Instant   // not set: from the beginning, or (RTSP 2.0) from where it is; then End is set
	End   Instant   // not set: open
	Time  time.Time // when the request takes effect; zero: at once
}

// An Instant is one end of a Range. What Unit says is set, if anything.
type Instant struct {
	Set   bool
	Now   bool          // npt=now
	NPT   time.Duration // since the beginning, not negative
	Clock time.Time     // UTC
	SMPTE string        // as sent, not looked into
}

// ParseRange reads one range. Spaces around its parts and either case are
// taken. A unit that is not known is an error.
func ParseRange(v string) (Range, error) {
	parts := split(v, ';')
	if len(parts) == 0 {
		return Range{}, fmt.Errorf("range is empty")
	}
	unit, ends, _ := strings.Cut(parts[0], "=")
	r := Range{Unit: strings.ToLower(trim(unit))}
	if err := r.parseEnds(trim(ends)); err != nil {
		return Range{}, fmt.Errorf("range %.60q: %w", v, err)
	}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(trim(name), "time") {
			continue
		}
		at, err := parseClock(trim(value))
		if err != nil {
			return Range{}, fmt.Errorf("range %.60q: %w", v, err)
		}
		r.Time = at.Clock
	}
	return r, nil
}

func (r *Range) parseEnds(s string) (err error) {
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		return fmt.Errorf("no - between start and end")
	}
	if r.Start, err = r.parseInstant(trim(first)); err != nil {
		return err
	}
	if r.End, err = r.parseInstant(trim(last)); err != nil {
		return err
	}
	if !r.Start.Set && !r.End.Set {
		return fmt.Errorf("no start and no end")
	}
	if r.End.Now && r.Start.Now {
		return fmt.Errorf("from now to now")
	}
	return nil
}

func (r *Range) parseInstant(s string) (Instant, error) {
	switch {
	case s == "":
		return Instant{}, nil
	case r.Unit == "npt":
		return parseNPT(s)
	case r.Unit == "clock":
		return parseClock(s)
	case r.Unit == "smpte", r.Unit == "smpte-25", r.Unit == "smpte-30-drop":
		return parseSMPTE(s)
	}
	return Instant{}, fmt.Errorf("%.20q is no unit", r.Unit)
}

// String writes the range: "npt=0-10.5", "clock=20260102T030405Z-".
func (r Range) String() string {
	s := r.Unit + "=" + r.Start.String() + "-" + r.End.String()
	if !r.Time.IsZero() {
		s += ";time=" + formatClock(r.Time)
	}
	return s
}

// FormatRanges writes the value of the field Media-Range (RFC 7826 section
// 18.30): one range or more, of one unit or several.
func FormatRanges(ranges []Range) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = r.String()
	}
	return strings.Join(parts, ", ")
}
