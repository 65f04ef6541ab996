package rtspd

import (
	"math"
	"strconv"
	"strings"
	"time"

	"lenslet/rtspd/wire"
)

// refusedPosition refuses a PLAY or PAUSE whose Range, Scale or Speed a live
// stream cannot heed, or nobody can read. nil: it is heeded.
func refusedPosition(r *request) *wire.Response {
	if v := r.Header.Get("Range"); v != "" {
		if refused := r.refusedRange(v); refused != nil {
			return refused
		}
	}
	for _, name := range []string{"Scale", "Speed"} {
		v := r.Header.Get(name)
		low, high, pair := strings.Cut(v, "-")
		switch {
		case v == "":
		case r.v2 && name == "Speed": // two bounds, RFC 7826 18.50
			if !pair || !isNumber(low) || !isNumber(high) {
				return plain(wire.BadRequest, "Speed is not two numbers with a - between them")
			}
		case !isNumber(v):
			return plain(wire.BadRequest, name+" is not a number")
		}
	}
	return nil
}

func isNumber(s string) bool {
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// refusedRange refuses a Range for refusedPosition.
func (r *request) refusedRange(v string) *wire.Response {
	if r.v2 {
		return r.refusedRange2(v)
	}
	if rng, err := wire.ParseRange(v); err != nil || !live(rng, time.Now()) {
		return plain(wire.InvalidRange, "the stream is live: the range can be npt=now- only")
	}
	return nil
}

// live tells whether a live stream can fulfil the range: from now on, however
// that is written; an end is not kept, and the answer does not repeat it.
func live(r wire.Range, now time.Time) bool {
	soon := now.Add(time.Second)
	if r.Time.After(soon) {
		return false
	}
	switch r.Unit {
	case "npt":
		return !r.Start.Set || r.Start.Now || r.Start.NPT == 0
	case "clock":
		return !r.Start.Clock.After(soon)
	}
	return false
}

// playing200 answers PLAY with what is in force: from now on, in the unit that
// was asked for, at the speed of life, whatever Scale and Speed were asked for
// (RFC 2326 12.34, 12.35). A PLAY while playing changes nothing: the queue that
// RFC 2326 10.5 describes has no later part of a live stream to play.
func playing200(r *request) *wire.Response {
	res := r.session.ok()
	res.Header.Set("Range", rangeInForce(r.Header.Get("Range"), time.Now()))
	for _, name := range []string{"Scale", "Speed"} {
		if r.Header.Get(name) != "" {
			res.Header.Set(name, "1.0")
		}
	}
	if r.v2 && res.Header.Has("Speed") {
		res.Header.Set("Speed", "1.0-1.0")
	}
	return res
}

func rangeInForce(asked string, now time.Time) string {
	if rng, err := wire.ParseRange(asked); err == nil && rng.Unit == "clock" {
		return wire.Range{Unit: "clock", Start: wire.Instant{Set: true, Clock: now.UTC()}}.String()
	}
	return "npt=now-"
}
