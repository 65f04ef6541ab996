package wire

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maxSeconds is the longest that a Duration can hold.
const maxSeconds = uint64(math.MaxInt64 / int64(time.Second))

// parseNPT reads "now", seconds, or hours:minutes:seconds, with a fraction
// (RFC 2326 section 3.6). Digits below a nanosecond are dropped.
func parseNPT(s string) (Instant, error) {
	if strings.EqualFold(s, "now") {
		return Instant{Set: true, Now: true}, nil
	}
	bad := fmt.Errorf("%.30q is no normal play time", s)
	whole, fraction, _ := strings.Cut(s, ".")
	nanos, ok := parseFraction(fraction)
	if !ok {
		return Instant{}, bad
	}
	units := strings.Split(whole, ":")
	if len(units) != 1 && len(units) != 3 {
		return Instant{}, bad
	}
	var seconds uint64
	for i, unit := range units {
		n, err := strconv.ParseUint(unit, 10, 34) // holds maxSeconds; as hours it cannot overflow
		if err != nil || i > 0 && n > 59 {
			return Instant{}, bad
		}
		seconds = seconds*60 + n
	}
	if seconds >= maxSeconds {
		return Instant{}, bad
	}
	return Instant{Set: true, NPT: time.Duration(seconds)*time.Second + nanos}, nil
}

// parseFraction reads the digits behind the point.
func parseFraction(digits string) (time.Duration, bool) {
	if digits == "" {
		return 0, true
	}
	if !all(digits, isDigit) {
		return 0, false
	}
	n, err := strconv.Atoi((digits + "000000000")[:9])
	return time.Duration(n), err == nil
}

// The two forms of an absolute time; a fraction is taken after the seconds.
const clockLayout = "20060102T150405Z"

// parseClock reads UTC in the form 19961108T143720.25Z (RFC 2326 section 3.7).
func parseClock(s string) (Instant, error) {
	t, err := time.Parse(clockLayout, strings.ToUpper(s))
	if err != nil || t.IsZero() {
		return Instant{}, fmt.Errorf("%.30q is no time like 19961108T143720.25Z", s)
	}
	return Instant{Set: true, Clock: t}, nil
}

func formatClock(t time.Time) string {
	return t.UTC().Format("20060102T150405.999999999Z")
}

// parseSMPTE recognises hours:minutes:seconds[:frames[.subframes]] (RFC 2326
// section 3.5).
func parseSMPTE(s string) (Instant, error) {
	units := strings.Split(s, ":")
	for i, unit := range units {
		if i == 3 {
			unit = strings.Replace(unit, ".", "", 1)
		}
		if !all(unit, isDigit) {
			units = nil
		}
	}
	if len(units) < 3 || len(units) > 4 || len(s) > 20 {
		return Instant{}, fmt.Errorf("%.30q is no SMPTE time", s)
	}
	return Instant{Set: true, SMPTE: s}, nil
}

// String writes the instant in the form of its unit; "" if it is not set.
func (i Instant) String() string {
	switch {
	case !i.Set:
		return ""
	case i.Now:
		return "now"
	case i.SMPTE != "":
		return i.SMPTE
	case !i.Clock.IsZero():
		return formatClock(i.Clock)
	}
	s := strconv.FormatInt(int64(i.NPT/time.Second), 10)
	if nanos := int64(i.NPT % time.Second); nanos != 0 {
		s += "." + strings.TrimRight(fmt.Sprintf("%09d", nanos), "0")
	}
	return s
}
