package rate

import (
	"math"
	"time"
)

// What is done near the ceiling, the rate at which congestion was met last.
const (
	plateau   = 6 * time.Second       // after congestion the rate is at the ceiling again
	nearly    = 0.90                  // of the ceiling is tried at once,
	stepNear  = 1.12                  // then this share of the last rate at most,
	trial     = 1.06                  // up to that of the ceiling;
	tried     = 1.04                  // when so much was carried
	proven    = 18 * time.Second      // so long after congestion,
	stepSeen  = 1.08                  // the rate goes on by that share,
	beyond    = 1.08                  // and from there on as usual
	queueNone = 60 * time.Millisecond // at most, where something was carried
)

// What is done there where a report comes so seldom that a queue is full before it
// tells: what is tried fills a short one until the next.
const (
	nearest  = 0.95                   // of the ceiling is tried at once,
	likely   = 14 * time.Second       // so long after congestion it is carried
	surely   = 0.92                   // of what came out of a full queue its link carries: small packets got in more often
	ever     = 3                      // reports of a queue, one after the other: there is one all the time
	fillsFor = 200 * time.Millisecond // of a queue, by what is tried
)

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
	if o.long() {
		return e.seldom(o, since)
	}
	seen := since >= proven && e.rate >= tried*e.ceiling
	switch {
	case seen && o.queue > queueNone:
		return e.rate
	case seen && e.rate < beyond*e.ceiling:
		return e.rate * stepSeen
	case seen:
		e.ceiling = 0
		return math.Inf(1)
	}
	return min(e.cubic(since), trial*e.ceiling, max(stepNear*e.rate, nearly*e.ceiling))
}

// seldom is careful where reports are. A ceiling that may be too high is approached by
// small steps.
func (e *Estimator) seldom(o outcome, since time.Duration) float64 {
	fills := fillsFor.Seconds() / max(e.interval, settling).Seconds()
	seen := since >= likely && e.rate >= (1+0.6*fills)*e.ceiling
	if o.queue <= queueNone {
		e.busy = 0
	}
	switch {
	case e.mixed && e.rate < e.least:
		return e.least
	case o.queue > queueNone:
		if e.busy++; e.mixed && e.busy >= ever { // all the time: so much is carried
			e.ceiling, e.mixed = o.arrived, false
		}
		return e.rate
	case seen && e.rate < (1+1.6*fills)*e.ceiling:
		return e.rate * (1 + 1.25*fills)
	case seen:
		e.ceiling = 0
		return math.Inf(1)
	case e.mixed:
		return e.rate * (1 + 1.25*fills)
	}
	return min(e.cubic(since), (1+fills)*e.ceiling, max(stepNear*e.rate, nearest*e.ceiling))
}

// cubic is the rate so long after congestion.
func (e *Estimator) cubic(since time.Duration) float64 {
	x := since.Seconds()/plateau.Seconds() - 1
	return e.ceiling * (1 + (1-beta)*x*x*x)
}
