package rtspd

import (
	"slices"
	"strings"
	"time"

	"lenslet/rtspd/wire"
)

// refusedRange2 refuses a range of 2.0 that a live stream cannot fulfil; nil: it can.
// Ranges that are none are 400, foreign units 456 with those that there are, and
// what is over 457 (RFC 7826 17.4.20, 17.4.21). A start before or after now is
// taken for now (13.4.1); an end is not kept, and the answer does not repeat it.
func (r *request) refusedRange2(v string) *wire.Response {
	if rangeUnit(v) == "" {
		return noUnit()
	}
	rng, err := wire.ParseRange(v)
	now := monotonic()
	switch at := r.stream.from(rng.Unit, now).Start; {
	case err != nil:
		return plain(wire.BadRequest, err.Error())
	case rng.Start.Set && rng.End.Set && (rng.End.Now || rng.End.NPT < at.NPT || rng.End.Clock.Before(at.Clock)):
		res := plain(wire.InvalidRange, "the stream is live: this range is over")
		res.Header.Set("Media-Range", r.stream.mediaRange(now))
		return res
	}
	return nil
}

// rangeUnit is the unit of a Range, or of a question for one, which has nothing
// else (RFC 7826 18.40); "": it is none of ours.
func rangeUnit(v string) string {
	unit, _, _ := strings.Cut(v, "=")
	unit = strings.ToLower(strings.TrimSpace(unit))
	if !slices.Contains(wire.List(acceptRanges), unit) {
		return ""
	}
	return unit
}

// noUnit refuses what speaks of time in other units than there are.
func noUnit() *wire.Response {
	res := plain(wire.HeaderFieldNotValid, "ranges of time can be in "+acceptRanges)
	res.Header.Set("Accept-Ranges", acceptRanges)
	return res
}

// takesNoRange tells whether the client of a SETUP takes ranges in none of the
// units that there are (RFC 7826 13.3).
func (r *request) takesNoRange() bool {
	units := wire.List(strings.Join(r.Header.Values("Accept-Ranges"), ","))
	return len(units) > 0 && !slices.ContainsFunc(units, func(u string) bool { return rangeUnit(u) != "" })
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
		return r.started2(r.stream.next(r.session.viewer.Load(), monotonic()))
	}
	res := playing200(r)
	res.Header.Set("Range", r.rangeFrom(monotonic()))
	return res
}

func (r *request) rtpInfo(seq uint16, rtptime uint32) string {
	return r.session.rtpInfo2(seq, rtptime)
}

// next is the number of a viewer's next packet, and the RTP time of an instant of
// the capture clock.
func (s *Stream) next(v *viewer, at time.Duration) (seq uint16, rtptime uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.safe != nil {
		return uint16(v.safe.epoch.next), s.clock.RTP(at)
	}
	return s.packetizer.Next(), s.clock.RTP(at)
}

// completePlay adds what RFC 7826 13.4 wants in the answer. The picture that a
// viewer begins with is one that decoding can begin with (18.47, RAP).
func (r *request) completePlay(res *wire.Response) {
	res.Header.Set("Seek-Style", "RAP")
	res.Header.Set("Media-Range", r.stream.mediaRange(monotonic()))
}

// completePause adds where it stopped.
func (r *request) completePause(res *wire.Response) {
	now := monotonic()
	res.Header.Set("Range", r.rangeFrom(now))
	res.Header.Set("Media-Range", r.stream.mediaRange(now))
}

// completeGet answers the fields that a GET_PARAMETER asks for by their bare
// names (RFC 7826 13.8), Range also with a unit alone. RTP-Info brings Range along,
// and has a value only while the session plays (18.45).
func (r *request) completeGet(res *wire.Response) {
	if r.session == nil {
		return
	}
	asks := func(name string) bool { return r.Header.Has(name) && r.Header.Get(name) == "" }
	s, now := r.session.stream, monotonic()
	if r.Header.Has("Accept-Ranges") { // the client says its own
		res.Header.Set("Accept-Ranges", acceptRanges)
	}
	if asks("Media-Properties") {
		res.Header.Set("Media-Properties", liveProperties)
	}
	if asks("Media-Range") {
		res.Header.Set("Media-Range", s.mediaRange(now))
	}
	if asks("Range") || asks("RTP-Info") || rangeUnit(r.Header.Get("Range")) != "" {
		res.Header.Set("Range", r.rangeFrom(now))
	}
	if asks("RTP-Info") {
		info := ""
		if s.plays(r.session.viewer.Load()) {
			info = r.rtpInfo(s.next(r.session.viewer.Load(), now))
		}
		res.Header.Set("RTP-Info", info)
	}
}

// rangeFrom is the range from an instant of the capture clock on.
func (r *request) rangeFrom(at time.Duration) string {
	return r.session.stream.from(r.unit(), at).String()
}

// unit is that of the request's own range, or else the session's.
func (r *request) unit() string {
	if unit := rangeUnit(r.Header.Get("Range")); unit != "" {
		return unit
	}
	return r.session.unit()
}

// unit is that of the ranges that the client is told.
func (s *session) unit() string {
	if s.clock.Load() {
		return "clock"
	}
	return "npt"
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
