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
	lossUsual  = 0.05                   // at most: that a way has whatever the rate
	queueCalm  = 120 * time.Millisecond // a queue may be that long while the rate grows
	queueMost  = 300 * time.Millisecond // a longer one is congestion
	quiet      = 1.4                    // times what is sent is the rate, of a picture that needs little
	settling   = 3 * time.Second        // until a lower rate shows
	jitterJump = 30 * time.Millisecond
)

// What is done near the ceiling, the rate at which congestion was met last.
const (
	plateau   = 6 * time.Second       // after congestion the rate is at the ceiling again
	nearly    = 0.90                  // of the ceiling is tried at once,
	stepNear  = 1.12                  // then this share of the last rate at most,
	trial     = 1.06                  // up to that of the ceiling;
	tried     = 1.04                  // when so much was carried
	proven    = 18 * time.Second      // so long after congestion,
	likely    = 14 * time.Second      // or the ceiling itself in one long interval,
	stepSeen  = 1.08                  // the rate goes on by that share,
	beyond    = 1.08                  // and from there on as usual
	queueNone = 60 * time.Millisecond // at most, where something was carried
)

// Of feedback.
const (
	fewest     = 20                     // packets that tell something about loss
	soonest    = 200 * time.Millisecond // two reports within are one
	latest     = 5 * time.Second        // a report counts, however few packets it is about
	stepMost   = 6 * time.Second        // of growth by one report
	silence    = 4                      // intervals between reports
	silenceIs  = 5 * time.Second        // at least
	silenceNew = 15 * time.Second       // before the interval is known
	baseAge    = time.Minute            // the shortest round trip is looked for anew
	capAge     = 30 * time.Second       // that a receiver's own estimate is good for
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
	Lag       time.Duration // age of the oldest packet above Highest; 0: there is none
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

	usual  float64       // loss, whatever the rate
	tried  float64       // loss that the rate was lowered for; 0: that is settled
	lessAt time.Duration // when it was

	trip, lag shortest
	standing  bool    // the queue was not calm when the last report came
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
	o := outcome{at: r.At, dt: dt, queue: max(e.lag.above(r.At, r.Lag), e.tripAbove(r)), hold: e.jumped(r.Jitter)}
	if o.packets = float64(sent); sent > 0 {
		o.loss = float64(lost) / float64(sent)
	}
	if packets := r.Packets - was.Packets; packets > 0 {
		size := float64(r.Bytes-was.Bytes) / float64(packets)
		o.arrived = size * float64(sent-lost) * 8 / dt.Seconds()
		tried := float64(r.Bytes-was.Bytes) * 8 / dt.Seconds()
		if spare := float64(e.Rate(b)) / max(1, tried); spare > quiet || o.loss <= lossMost {
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
	arrived float64 // bit/s
	packets float64 // that loss is the share of
	loss    float64 // 0 to 1
	queue   time.Duration
	hold    bool // something is unclear
	sure    bool // it is too much
}

// beyond is the share of lost packets above which more than a given share is lost, and
// not by chance alone: by two standard deviations.
func (o *outcome) beyond(share float64) float64 {
	return share + 2*math.Sqrt(share/max(1, o.packets))
}

func (e *Estimator) judge(o outcome, b Bounds) {
	near := e.rate > 0 && e.rate < 1.2*e.ceiling
	standing := o.queue > queueCalm
	stood := standing && e.standing // not a moment's silence of the air
	full := o.sure || o.queue > queueMost && stood || near && standing && (stood || o.loss > 0 || o.dt >= settling)
	e.standing = standing
	free, excess, severe := lossFree, o.loss-e.usual, o.loss > o.beyond(lossMost)
	if near {
		free = lossNear
	}
	free = o.beyond(e.usual+free) - e.usual
	since := o.at - e.lessAt
	settled := e.lessAt == 0 || since >= max(settling, 2*o.dt)
	bad := severe || full || excess > free
	switch {
	case !settled && bad && (!severe || o.arrived >= e.rate):
		// of what was sent before the rate fell
	case severe || full:
		e.lower(o, b)
	case excess > free && e.tried > 0 && o.loss > e.tried/2:
		e.usual, e.tried = min(o.loss, lossUsual), 0
	case excess > free:
		o.arrived = max(o.arrived, float64(e.Rate(b))*(1-o.loss)) // a quiet picture needs little
		if e.lower(o, b) {
			e.tried = o.loss
		}
	case settled || since >= settling:
		e.tried = 0
		e.usual += (min(o.loss, lossUsual) - e.usual) / 8
		if !o.hold && !standing {
			e.grow(o, b)
		}
	}
}

// lower brings the rate below what arrives, the further the longer the queue is:
// one of a second is to be gone in two. False: it is there already.
func (e *Estimator) lower(o outcome, b Bounds) bool {
	share := beta - 0.35*min(1, o.queue.Seconds()/2)
	rate := max(o.arrived*share, float64(b.Min))
	if rate >= float64(e.Rate(b)) {
		return false
	}
	e.rate, e.ceiling, e.carried, e.lessAt = rate, o.arrived, o.arrived, o.at
	return true
}

// grow raises the rate after an interval without congestion: by a share of itself, and
// as CUBIC near where congestion was met last, until more than that was carried.
func (e *Estimator) grow(o outcome, b Bounds) {
	if e.rate == 0 {
		return
	}
	rate := e.rate * math.Pow(1+growth, min(o.dt, stepMost).Seconds())
	if e.ceiling > 0 {
		rate = max(e.rate, min(rate, e.careful(o)))
	}
	if e.rate = rate; rate >= float64(b.Max) {
		e.rate, e.ceiling = 0, 0
	}
}

// careful is the next rate near the ceiling. What is new to be tried is a small step,
// and there is time to see what became of it.
func (e *Estimator) careful(o outcome) float64 {
	since := o.at - e.lessAt
	seen := o.dt >= settling && since >= likely && e.rate >= e.ceiling || since >= proven && e.rate >= tried*e.ceiling
	switch {
	case seen && o.queue > queueNone:
		return e.rate
	case seen && e.rate < beyond*e.ceiling:
		return e.rate * stepSeen
	case seen:
		e.ceiling = 0
		return math.Inf(1)
	}
	x := since.Seconds()/plateau.Seconds() - 1
	cubic := e.ceiling * (1 + (1-beta)*x*x*x)
	return min(cubic, trial*e.ceiling, max(stepNear*e.rate, nearly*e.ceiling))
}
