package rtspd

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"lenslet/rtspd/rate"
	"lenslet/rtspd/wire"
)

// sessionPrefix begins the names of what GET_PARAMETER with a Session tells of that
// session alone. They are in no listing.
const sessionPrefix = "session_"

// cutStatistics takes the names of a session's statistics out: what is left, and they.
func cutStatistics(ps []wire.Parameter) (rest []wire.Parameter, names []string) {
	for _, p := range ps {
		if strings.HasPrefix(p.Name, sessionPrefix) {
			names = append(names, p.Name)
		} else {
			rest = append(rest, p)
		}
	}
	return rest, names
}

// statistics reads those of a session, nil: there is none. The error is a
// *ParameterError.
func (s *session) statistics(names []string) (values []wire.Parameter, err error) {
	var unknown []wire.Parameter
	for _, name := range names {
		value, ok := "", false
		if s != nil {
			value, ok = s.stream.statistic(s.viewer.Load(), name)
		}
		if !ok {
			unknown = append(unknown, wire.Parameter{Name: name})
		}
		values = append(values, wire.Parameter{Name: name, Value: value})
	}
	if unknown != nil {
		return nil, &ParameterError{Status: wire.ParameterNotUnderstood, Lines: unknown}
	}
	return values, nil
}

// statistic is one of a viewer; false: there is none of this name.
func (s *Stream) statistic(v *viewer, name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v == nil {
		return "", false
	}
	if v.group != nil {
		v = v.group.sink
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	switch strings.TrimPrefix(name, sessionPrefix) {
	case "packets_sent":
		return strconv.FormatUint(uint64(v.packets), 10), true
	case "packets_lost":
		return strconv.FormatUint(v.lost, 10), true
	case "jitter":
		return ms(v.jitter()), true
	case "round_trip":
		if v.trip == 0 {
			return "unknown", true
		}
		return ms(v.trip), true
	case "bitrate": // bit/s that the network carries, as far as is known
		if !v.rate.Heard() {
			return "unknown", true
		}
		return strconv.Itoa(v.rate.Rate(rate.Bounds{Max: s.bitrate})), true
	case "thinned":
		return strconv.FormatBool(v.thin.wanted), true
	}
	return "", false
}
