package main

import (
	"math"
	"slices"
	"time"
)

// picturesMost is how many pictures are on their way at once, and more.
const picturesMost = 64

// A picture is what the viewers have of an access unit.
type picture struct {
	rtptime     uint32
	first, last int64 // when a packet with the marker was read, Unix ns
	viewers     int   // that have all of it
}

// An arrival is a picture that all viewers have.
type arrival struct {
	rtptime     uint32
	first, last int64 // when the first and the last viewer had read all of it, Unix ns
}

// A gallery joins what the viewers read to pictures.
type gallery struct {
	viewers  int
	pictures [picturesMost]picture
	newest   int
	arrivals []arrival // of the window's pictures
	begun    int       // of these, whom a viewer has

	any            bool   // a picture came
	latest         uint32 // RTP time of the last one
	from, to       uint32 // the window: behind the one, up to the other
	opened, closed bool   // from and to hold
}

// begin starts a window for that many viewers. Pictures that are on their way do
// not count.
func (g *gallery) begin(viewers int) {
	g.viewers = viewers
	g.arrivals, g.begun = slices.Grow(g.arrivals[:0], 1<<14), 0
	g.from, g.opened, g.closed = g.latest, g.any, false
}

// end lets the window end with the last picture that a viewer has. Others may
// still wait for it.
func (g *gallery) end() { g.to, g.closed = g.latest, g.any }

// inside tells whether a picture is one of the window's.
func (g *gallery) inside(rtptime uint32) bool {
	return (!g.opened || int32(rtptime-g.from) > 0) && !g.behind(rtptime)
}

// behind tells whether a picture comes after the window.
func (g *gallery) behind(rtptime uint32) bool { return g.closed && int32(rtptime-g.to) > 0 }

// complete notes that a viewer has read a picture's last packet.
func (g *gallery) complete(rtptime uint32, at int64) {
	inside := g.inside(rtptime)
	if !g.any || int32(rtptime-g.latest) > 0 {
		g.any, g.latest = true, rtptime
		if inside {
			g.begun++
		}
	}
	p := g.find(rtptime)
	p.first, p.last = min(p.first, at), max(p.last, at)
	if p.viewers++; p.viewers == g.viewers && inside {
		g.arrivals = append(g.arrivals, arrival{rtptime, p.first, p.last})
	}
}

// find looks among the newest first, for these are most wanted.
func (g *gallery) find(rtptime uint32) *picture {
	for i := range picturesMost {
		p := &g.pictures[(g.newest+picturesMost-i)%picturesMost]
		if p.viewers > 0 && p.rtptime == rtptime {
			return p
		}
	}
	g.newest = (g.newest + 1) % picturesMost
	p := &g.pictures[g.newest]
	*p = picture{rtptime: rtptime, first: math.MaxInt64}
	return p
}

// A mapping ties RTP time to the wall clock, as a sender report does.
type mapping struct {
	known   bool
	rtptime uint32
	wall    int64 // Unix ns
}

// clockRate is the number of RTP ticks in a second of video.
const clockRate = 90000

// at is when a frame of that RTP time was ready, Unix ns.
func (m mapping) at(rtptime uint32) int64 {
	return m.wall + int64(int32(rtptime-m.rtptime))*int64(time.Second)/clockRate
}

// latencies are the times from a frame being ready to its last packet being
// read by the last viewer; without a mapping, none.
func latencies(arrivals []arrival, m mapping) []time.Duration {
	var all []time.Duration
	for _, a := range arrivals {
		if m.known {
			all = append(all, time.Duration(a.last-m.at(a.rtptime)))
		}
	}
	return all
}

// spreads are the times from the first viewer having read a picture to the last.
func spreads(arrivals []arrival) []time.Duration {
	var all []time.Duration
	for _, a := range arrivals {
		all = append(all, time.Duration(a.last-a.first))
	}
	return all
}

// percentile p, 0 to 100, is the nearest of the values by rank; 0 without any.
func percentile[T int64 | float64 | time.Duration](values []T, p int) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*p/100]
}

// median is the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
