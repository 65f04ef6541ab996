package rate

import (
	"math"
	"time"
)

// What the law says.
const (
	beta       = 0.85                   // of what arrives is the next rate after congestion
	growth     = 0.16                   // a second, away from where congestion was met last
	lossFree   = 0.02                   // and less is nothing
	lossNear   = 0.01                   // likewise near where congestion was met
	lossMost   = 0.10                   // and more is congestion
	lossUsual  = 0.06                   // at most: that a way has whatever the rate
	queueCalm  = 120 * time.Millisecond // a queue may be that long while the rate grows
	queueMost  = 300 * time.Millisecond // a longer one is congestion
	quiet      = 1.4                    // times what is sent is the rate, of a picture that needs little
	settling   = 3 * time.Second        // until a lower rate shows
	jitterJump = 30 * time.Millisecond
)

// Of losses.
const (
	together = 16               // packets that one mishap takes: they are sent at once
	trying   = 4                // where more is tried than was carried
	recently = 8 * time.Second  // losses are averaged over,
	usually  = 16 * time.Second // and those that are usual
)

// Of feedback.
const (
	fewest     = 20                      // packets that tell something about loss
	soonest    = 200 * time.Millisecond  // two reports within are one
	latest     = 5 * time.Second         // a report counts, however few packets it is about
	stepMost   = 7500 * time.Millisecond // of growth by one report: so late one of every 5 s may be
	silence    = 4                       // intervals between reports
	silenceIs  = 5 * time.Second         // at least
	silenceNew = 15 * time.Second        // before the interval is known
	baseAge    = time.Minute             // the shortest round trip is looked for anew
	capAge     = 30 * time.Second        // that a receiver's own estimate is good for
)

// Bounds of a rate, in bit/s, from 0 up.
type Bounds struct{ Min, Max int }

// fit brings a rate within the bounds; Max wins.
func (b Bounds) fit(bps float64) int {
	if !(bps < float64(b.Max)) {
		return b.Max
	}
	return min(max(b.Min, int(bps)), b.Max)
}

// A Report is a receiver report, and what the sender knows when it arrives.
type Report struct {
	At        time.Duration // of its arrival; any clock that never goes back
	Highest   uint32        // sequence number received, with the wraps in the upper half
	Lost      int32         // packets in all
	Jitter    time.Duration
	RoundTrip time.Duration // 0: not known, or not anew
	Lag       time.Duration // age of the oldest packet above Highest that cannot be lost by one mishap; 0: there is none
	Ahead     uint32        // packets above Highest that were sent
	Packets   uint32        // sent until now, modulo 2^32
	Bytes     uint32        // of payload in them, modulo 2^32
	Skipped   uint32        // packets not sent by intent, though counted; modulo 2^32
}

// A Queue is what a sender by TCP knows.
type Queue struct {
	At     time.Duration // any clock that never goes back
	Bytes  uint64        // handed to the kernel until now
	Unsent int           // of them not acknowledged by the peer
	Lag    time.Duration // age of the oldest byte that is not, nor handed over; 0: there is none
	Skips  uint32        // times until now that what waited was given up, modulo 2^32
}

// An Estimator follows one viewer. The zero value knows nothing against the most
// that is allowed.
type Estimator struct {
	rate    float64 // bit/s; 0: as much as is allowed
	ceiling float64 // where congestion was met; 0: nowhere that matters
	carried float64 // bit/s that arrived, when the rate was lowered

	heard    bool // feedback came, and is in last or queue
	last     Report
	queue    Queue
	interval time.Duration // between reports; smoothed
	cut      time.Duration // when silence was counted last
	cuts     int           // since the last feedback

	sent, lost float64       // packets lately, since the rate was lowered
	usual      float64       // loss, whatever the rate
	lessAt     time.Duration // when the rate was lowered
	after      int           // reports since then
	ahead      float64       // packets that were on their way then
	least      float64       // bit/s that surely arrive
	queued     time.Duration // queue that stood
	mixed      bool          // the ceiling may be too high: the link was a better one for a part of the time

	trip, lag shortest
	standing  bool    // the queue was not calm when the last report came
	heavy     bool    // it told of much loss
	busy      int     // reports since the last one of no queue
	jitter    float64 // s; smoothed

	most   float64 // bit/s by the receiver's own estimate; 0: it gave none
	mostAt time.Duration
}

// Rate is the estimate in bit/s, within the bounds.
func (e *Estimator) Rate(b Bounds) int {
	rate := math.Inf(1)
	if e.rate > 0 {
		rate = e.rate
	}
	if e.most > 0 {
		rate = min(rate, e.most)
	}
	return b.fit(rate)
}

// Carried is the rate in bit/s at which data arrived when the estimate was lowered
// last; 0: it never was.
func (e *Estimator) Carried() int { return Bounds{0, math.MaxInt32}.fit(e.carried) }

// Heard tells whether there was any feedback.
func (e *Estimator) Heard() bool { return e.heard }

// Renew lets the next report be the first one: its counters do not go on from the
// last one's.
func (e *Estimator) Renew() { e.heard, e.interval = false, 0 }

// Report takes a receiver report.
func (e *Estimator) Report(r Report, b Bounds) {
	was, dt := e.last, r.At-e.last.At
	queue := max(e.lag.above(r.At, r.Lag), e.tripAbove(r))
	expected := int32(r.Highest - was.Highest)
	if !e.heard || expected < 0 { // or the receiver began anew
		e.heard, e.last, e.cuts = true, r, 0
		return
	}
	if dt < soonest || (expected < fewest && dt < latest) {
		return
	}
	e.last = r
	if e.returned(dt) {
		return
	}
	sent := expected - int32(min(r.Skipped-was.Skipped, uint32(expected)))
	lost := int32(max(0, min(int64(r.Lost)-int64(was.Lost), int64(expected)))) - (expected - sent)
	lost = max(0, min(lost, sent))
	o := outcome{at: r.At, dt: dt, every: max(dt, e.interval), queue: queue, hold: e.jumped(r.Jitter)}
	o.packets, o.lost, o.ahead = float64(sent), float64(lost), float64(r.Ahead)
	if packets := r.Packets - was.Packets; packets > 0 {
		size := float64(r.Bytes-was.Bytes) / float64(packets)
		o.arrived = size * float64(sent-lost) * 8 / dt.Seconds()
		tried := float64(r.Bytes-was.Bytes) * 8 / dt.Seconds()
		if spare := float64(e.Rate(b)) / max(1, tried); spare > quiet || o.loss() <= lossMost {
			o.arrived *= max(1, min(2, spare)) // more was not there to be carried
		}
	}
	e.judge(o, b)
}

// Queue takes the state of a connection.
func (e *Estimator) Queue(q Queue, b Bounds) {
	was, dt := e.queue, q.At-e.queue.At
	if !e.heard || q.Bytes < was.Bytes {
		e.heard, e.queue = true, q
		return
	}
	if dt < soonest {
		return
	}
	e.queue = q
	took := float64(q.Bytes-was.Bytes) - float64(q.Unsent) + float64(was.Unsent)
	o := outcome{at: q.At, dt: dt, arrived: max(0, took) * 8 / dt.Seconds(), queue: e.lag.above(q.At, q.Lag)}
	o.sure = q.Skips != was.Skips || o.queue > 2*queueMost
	e.judge(o, b)
}

// Cap takes the most that the receiver says it can take, in bit/s (REMB,
// draft-alvestrand-rmcat-remb-03). It is forgotten when it is not repeated.
func (e *Estimator) Cap(at time.Duration, bps float64) {
	if bps > 0 {
		e.most, e.mostAt = bps, at
	}
}

// Tick notices that a viewer by UDP has fallen silent. It is called every second or
// so.
func (e *Estimator) Tick(now time.Duration, b Bounds) {
	if now-e.mostAt > capAge {
		e.most = 0
	}
	if e.last == (Report{}) || e.cuts == 2 {
		return
	}
	if now-max(e.last.At, e.cut) > e.patience() {
		e.rate, e.cut = float64(e.Rate(b))/2, now
		e.cuts++
	}
}

func (e *Estimator) patience() time.Duration {
	if e.interval == 0 {
		return silenceNew
	}
	return max(silenceIs, silence*e.interval)
}

// returned tells whether a report is the first one after silence. What it says of
// that time says nothing of the rate.
func (e *Estimator) returned(dt time.Duration) bool {
	late := dt > e.patience()
	e.cuts, e.cut = 0, 0
	switch {
	case late:
	case e.interval == 0:
		e.interval = dt
	default:
		e.interval += (dt - e.interval) / 4
	}
	return late
}

// A shortest is the shortest of some durations, lately: what there is of it without
// a queue.
type shortest struct {
	d, at time.Duration
	known bool
}

// above is by how much one is longer.
func (s *shortest) above(now, d time.Duration) time.Duration {
	if !s.known || d <= s.d || now-s.at > baseAge {
		*s = shortest{d, now, true}
	}
	return d - s.d
}

func (e *Estimator) tripAbove(r Report) time.Duration {
	if r.RoundTrip <= 0 {
		return 0
	}
	return e.trip.above(r.At, r.RoundTrip)
}

// jumped tells whether the jitter is much larger than it was.
func (e *Estimator) jumped(jitter time.Duration) bool {
	now, was := jitter.Seconds(), e.jitter
	e.jitter += (now - was) / 4
	return was > 0 && now > 2*was+jitterJump.Seconds()
}

// An outcome is what became of what was sent in an interval.
type outcome struct {
	at, dt  time.Duration
	every   time.Duration // is to be expected between reports
	arrived float64       // bit/s
	packets float64       // that were to arrive,
	lost    float64       // and did not
	ahead   float64       // that were not to arrive yet
	queue   time.Duration
	hold    bool // something is unclear
	sure    bool // it is too much
}

func (o *outcome) loss() float64 { return o.lost / max(1, o.packets) }

// long tells of intervals that are too long to see a queue grow in one.
func (o *outcome) long() bool { return o.every >= settling }

// more tells whether more than a share of packets is lost, and not by chance alone: by
// some standard deviations of mishaps that take so many packets each.
func more(lost, packets, share, each, deviations float64) bool {
	return lost > packets*share+deviations*math.Sqrt(packets*share*each)
}

// severe tells of congestion by losses alone: beyond doubt, twice in a row, or since some
// time.
func (e *Estimator) severe(o *outcome, each float64) bool {
	heavy := more(o.lost, o.packets, lossMost, each, 2)
	before := e.heavy
	e.heavy = heavy
	return heavy && (before || each == 1 || more(o.lost, o.packets, lossMost, each, 4)) ||
		e.sent > 1.5*o.packets && more(e.lost, e.sent, lossMost, each, 2)
}

func (e *Estimator) judge(o outcome, b Bounds) {
	near := e.rate > 0 && e.rate < 1.2*e.ceiling
	standing := o.queue > queueCalm
	stood := standing && e.standing // not a moment's silence of the air
	e.standing = standing
	settled := e.settles(&o)
	free, each, most := lossFree, float64(together), float64(together)
	switch {
	case standing:
		each, most = 1, 1 // that is no mishap
	case near && e.rate > e.ceiling:
		each = trying // nor, most likely, is this
	}
	if near {
		free = lossNear
	}
	severe, bound := e.severe(&o, most), e.usual+free
	some := severe || more(o.lost, o.packets, bound, each, 2) || more(e.lost, e.sent, bound, each, 2)
	full := o.sure || stood && (near || o.queue > queueMost) || near && standing && (o.long() || more(o.lost, o.packets, e.usual, 1, 2))
	switch {
	case !settled && (full || some) && (!severe || o.arrived >= e.rate):
		// of what was sent before the rate fell
	case severe || full:
		e.lower(o, severe, stood, b)
	case some:
		e.try(o, near, b)
	case settled || o.at-e.lessAt >= settling:
		e.learn(&o)
		if !o.hold && !standing {
			e.grow(o, b)
		}
	}
}

// settles tells whether an outcome is about the rate as it is, and counts its losses then.
func (e *Estimator) settles(o *outcome) bool {
	e.after++
	first := e.after == 1 && e.lessAt > 0
	wait := settling
	if o.long() {
		wait = settling / 2 // what was sent before is known
	}
	if e.lessAt > 0 && (o.at-e.lessAt < wait || first && !o.long()) {
		return false
	}
	if first { // what was on its way is counted with what was sent since
		went := (e.queued - o.queue).Seconds() / (o.at - e.lessAt).Seconds() // of what stood
		e.least = max(e.least, e.rate/(1-min(0.5, went)))
		o.lost, o.packets = max(0, o.lost-e.ahead), max(0, o.packets-e.ahead)
	}
	fades := math.Exp(-o.dt.Seconds() / recently.Seconds())
	e.sent, e.lost = e.sent*fades+o.packets, e.lost*fades+o.lost
	return true
}

// learn makes what was lost lately more usual.
func (e *Estimator) learn(o *outcome) {
	lately := e.lost / max(1, e.sent)
	e.usual = min(lossUsual, e.usual+(lately-e.usual)*min(1, o.dt.Seconds()/usually.Seconds()))
}

// lower brings the rate below what arrives, the further the longer the queue is:
// one of a second is to be gone in two. It may be there already. Much is lost: the
// outcome may be about two rates of the link, unless a queue stood at both its ends, or
// packets were lost by their size.
func (e *Estimator) lower(o outcome, much, stood bool, b Bounds) {
	share := beta - 0.35*min(1, o.queue.Seconds()/2)
	rate := max(o.arrived*share, float64(b.Min))
	if rate >= float64(e.Rate(b)) {
		if e.mixed && !much {
			e.ceiling, e.mixed = o.arrived, false
		}
		return
	}
	e.rate, e.ceiling, e.carried, e.least = rate, o.arrived, o.arrived, 0
	e.mixed = much && o.long()
	if stood {
		e.least = surely * o.arrived
	}
	e.fell(&o)
}

// fell notes what there was when the rate was lowered.
func (e *Estimator) fell(o *outcome) {
	e.lessAt, e.ahead, e.queued = o.at, o.ahead, o.queue
	e.sent, e.lost, e.after = 0, 0, 0
}

// try lowers the rate a little for a loss that may be the air's. Where no more than
// the ceiling is sent it is, up to what may be usual.
func (e *Estimator) try(o outcome, near bool, b Bounds) {
	carried := near && e.rate <= e.ceiling
	if carried && !e.mixed && e.usual < lossUsual {
		e.learn(&o)
		return
	}
	rate := float64(e.Rate(b))
	if rate*beta <= float64(b.Min) {
		return
	}
	e.rate, e.carried = rate*beta, rate*(1-max(o.loss(), e.lost/max(1, e.sent)))
	if !near || carried {
		e.ceiling = max(e.carried, e.rate)
	}
	e.mixed = false
	e.fell(&o)
}
