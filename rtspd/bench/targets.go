package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// flat is how far the cost of a viewer may be from the mean, in percent.
const flat = 20

// allocationsMost is how many heap objects for a frame are none: what a sample has of
// them besides what asking makes is an object or two.
const allocationsMost = 0.15

// targets are what lensletd shall reach, and what it does.
func targets(by map[setting]cell, clip int64) []goal {
	var goals []goal
	nan := math.NaN()
	for _, t := range []struct {
		by             string
		ratio, latency float64
	}{{byUDP, 1.2, 2.5}, {byTCP, 1.3, 1}} {
		at := func(subject string, n int) cell { return by[setting{subject, t.by, n}] }
		for _, n := range []int{50, 100} {
			goals = append(goals, goal{what: fmt.Sprintf("CPU of %d viewers by %s", n, t.by), most: t.ratio, measured: median(ratios(at(lensletd, n), at(theFloor, n))), unit: "x floor", floor: 1})
		}
		p50 := func(subject string) float64 {
			d, ok := at(subject, 50).pooled(50, func(r *result) []time.Duration { return r.latency })
			return orNot(d.Seconds()*1000, ok)
		}
		goals = append(goals,
			goal{"fixed cost, one viewer by " + t.by, 8, at(lensletd, 1).cpu(), "CPU-ms/s", at(theFloor, 1).cpu()},
			goal{"lost packets, 100 viewers by " + t.by, 0, orNot(float64(at(lensletd, 100).lost()), len(at(lensletd, 100)) > 0), "", nan},
			goal{"frame ready to read by the last of 50, p50, by " + t.by, t.latency, p50(lensletd), "ms", p50(theFloor)},
			goal{"RSS with 100 viewers by " + t.by, 12, at(lensletd, 100).middle(func(r *result) float64 { return float64(r.own(clip)) / 1e6 }), "MB", nan},
			goal{"heap allocations per frame, any viewers by " + t.by, allocationsMost, allocations(by, t.by), "", nan},
			goal{"cost of a viewer from 10 to 500 by " + t.by + ", off its mean", flat, unevenness(by, t.by, lensletd), "%", unevenness(by, t.by, theFloor)},
		)
	}
	paced := ratios(by[setting{pacedDaemon, byUDP, pacedViewers}], by[setting{theFloor, byUDP, pacedViewers}])
	return append(goals, goal{fmt.Sprintf("CPU of %d viewers by udp, paced", pacedViewers), 1.6, median(paced), "x floor", 1})
}

func orNot(v float64, ok bool) float64 {
	if !ok {
		return math.NaN()
	}
	return v
}

// allocations is the worst of lensletd's medians.
func allocations(by map[setting]cell, transport string) float64 {
	worst := math.NaN()
	for s, c := range by {
		if s.subject == lensletd && s.transport == transport {
			if a := c.middle(func(r *result) float64 { return r.allocations }); !(a <= worst) {
				worst = a
			}
		}
	}
	return worst
}

// unevenness is how far what one viewer costs more than the first is from its
// mean over the numbers of viewers from 10 to 500, in percent.
func unevenness(by map[setting]cell, transport, subject string) float64 {
	one := by[setting{subject, transport, 1}]
	var costs []float64
	for s, c := range by {
		if s.subject == subject && s.transport == transport && s.viewers >= 10 && s.viewers <= 500 {
			costs = append(costs, (c.cost()*float64(s.viewers)-one.cost())/float64(s.viewers-1))
		}
	}
	if len(one) == 0 || len(costs) < 2 {
		return math.NaN()
	}
	mean := 0.0
	for _, c := range costs {
		mean += c / float64(len(costs))
	}
	return max(slices.Max(costs)-mean, mean-slices.Min(costs)) / mean * 100
}
