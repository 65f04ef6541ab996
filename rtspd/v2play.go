package rtspd

import (
	"slices"
	"strings"
	"time"

	"lenslet/rtspd/wire"
)

// refusedRange2 refuses a range of 2.0 that a live stream cannot fulfil; nil: it can.
// Ranges that are none are 400, foreign units 456 with those that there are, and
// other times than now 457 (RFC 7826 17.4.15, 17.4.16).
func (r *request) refusedRange2(v string) *wire.Response {
	unit, _, _ := strings.Cut(v, "=")
	if unit = strings.ToLower(strings.TrimSpace(unit)); !slices.Contains(wire.List(acceptRanges), unit) {
		res := plain(wire.HeaderFieldNotValid, "Range can be in "+acceptRanges)
		res.Header.Set("Accept-Ranges", acceptRanges)
		return res
	}
	rng, err := wire.ParseRange(v)
	switch {
	case err != nil:
		return plain(wire.BadRequest, err.Error())
	case !live(rng, time.Now()):
		res := plain(wire.InvalidRange, "the stream is live: the range can begin now only")
		res.Header.Set("Media-Range", r.stream.mediaRange(monotonic()))
		return res
	}
	return nil
}

// started2 is the answer to PLAY for packets that begin with this number and time.
func (r *request) started2(seq uint16, rtptime uint32) *wire.Response {
	res := playing200(r)
	res.Header.Set("Range", r.rangeFrom(r.stream.captured(rtptime)))
	res.Header.Set("RTP-Info", r.rtpInfo(seq, rtptime))
	return res
}

// playing2 is the answer to PLAY of a session that plays, or whose first packet
// is not known yet.
func (r *request) playing2(already bool) *wire.Response {
	if already {
		return r.started2(r.stream.next())
	}
	res := playing200(r)
	res.Header.Set("Range", r.rangeFrom(monotonic()))
	return res
}

func (r *request) rtpInfo(seq uint16, rtptime uint32) string {
	return r.session.stream.rtpInfo2(r.session.base+track, seq, rtptime)
}

// next is the number of the next packet, and the RTP time of now.
func (s *Stream) next() (seq uint16, rtptime uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packetizer.Next(), s.clock.RTP(monotonic())
}

// completePlay adds what RFC 7826 13.4 wants in the answer. The picture that a
// viewer begins with is the next that decoding can begin with.
func (r *request) completePlay(res *wire.Response) {
	res.Header.Set("Seek-Style", "Next")
	res.Header.Set("Media-Range", r.stream.mediaRange(monotonic()))
}

// completePause adds where it stopped.
func (r *request) completePause(res *wire.Response) {
	now := monotonic()
	res.Header.Set("Range", r.rangeFrom(now))
	res.Header.Set("Media-Range", r.stream.mediaRange(now))
}

// completeGet answers the fields that a GET_PARAMETER asks for by their bare
// names (RFC 7826 13.8).
func (r *request) completeGet(res *wire.Response) {
	if r.session == nil {
		return
	}
	now := monotonic()
	for name, value := range map[string]func() string{
		"Accept-Ranges":    func() string { return acceptRanges },
		"Media-Properties": func() string { return liveProperties },
		"Media-Range":      func() string { return r.session.stream.mediaRange(now) },
		"Range":            func() string { return r.rangeFrom(now) },
		"RTP-Info":         func() string { return r.rtpInfo(r.session.stream.next()) },
	} {
		if r.Header.Has(name) && r.Header.Get(name) == "" {
			res.Header.Set(name, value())
		}
	}
}

// rangeFrom is the range from an instant of the capture clock on, in the unit of
// the request's own range, or else in one that SETUP said the client takes.
func (r *request) rangeFrom(at time.Duration) string {
	unit := "npt"
	if r.session.clock {
		unit = "clock"
	}
	if asked, err := wire.ParseRange(r.Header.Get("Range")); err == nil {
		unit = asked.Unit
	}
	return r.session.stream.from(unit, at).String()
}

// mediaRange says that the stream can be seen from now on: before, nothing is
// kept; where it ends is not known.
func (s *Stream) mediaRange(now time.Duration) string {
	return wire.FormatRanges([]wire.Range{s.from("npt", now), s.from("clock", now)})
}

// from is the open range that begins at an instant of the capture clock. Normal
// play time began when the stream was made.
func (s *Stream) from(unit string, at time.Duration) wire.Range {
	start := wire.Instant{Set: true}
	if unit == "clock" {
		start.Clock = time.Now().Add(at - monotonic()).UTC().Truncate(time.Millisecond)
	} else {
		start.NPT = max(0, at-s.made).Truncate(time.Millisecond)
	}
	return wire.Range{Unit: unit, Start: start}
}

// acceptsClock tells whether a client takes ranges by the clock only.
func (r *request) acceptsClock() bool {
	units := wire.List(strings.ToLower(strings.Join(r.Header.Values("Accept-Ranges"), ",")))
	return r.v2 && slices.Contains(units, "clock") && !slices.Contains(units, "npt")
}
