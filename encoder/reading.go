package encoder

import (
	"math"
	"sort"
	"time"
)

// How the CPU reads what a codec wrote is found out with the first units.
const (
	readTrials = 5       // units that are read; the median counts
	readLeast  = 4 << 10 // bytes of a unit that says something
	readSlow   = 4       // times as slow as ordinary memory
)

// A reading decides whether units are read where the driver put them, or copied
// once. On some boards the CPU does not cache the driver's memory: each pass over
// it costs then what a first one costs, and many times what a pass over ordinary
// memory does that was just read. There are two passes at least, to find the NAL
// units and to send them, and one more for each viewer by UDP, so that a copy
// pays from a factor of two on; four leaves room for what disturbs a measurement,
// and is still far below what such boards show.
type reading struct {
	took   func(dst, src []byte) time.Duration // to copy, a few times
	a, b   []byte
	trials []float64
	speeds []float64 // bytes per second
	known  bool
	copies bool
}

// try measures with one more unit, while that is needed. True: it was the last.
func (r *reading) try(unit []byte) (decided bool) {
	if r.known || len(unit) < readLeast {
		return false
	}
	if len(r.a) < len(unit) {
		r.a, r.b = make([]byte, len(unit)), make([]byte, len(unit))
	}
	r.took(r.a, unit) // what can be in a cache is there now
	r.took(r.b, r.a)
	slow, ordinary := r.took(r.a, unit), r.took(r.b, r.a[:len(unit)])
	r.trials = append(r.trials, float64(slow)/float64(max(1, ordinary)))
	r.speeds = append(r.speeds, float64(len(unit))/max(1, slow).Seconds())
	if len(r.trials) < readTrials {
		return false
	}
	r.known, r.copies = true, r.factor() > readSlow
	r.a, r.b = nil, nil
	return true
}

// factor is how many times as slow as ordinary memory it is.
func (r *reading) factor() float64 { return median(r.trials) }

func median(v []float64) float64 {
	sort.Slice(v, func(i, j int) bool { return v[i] < v[j] })
	return v[len(v)/2]
}

// copyTime is how long the CPU takes to copy src.
func copyTime(dst, src []byte) time.Duration {
	begun := time.Now()
	copy(dst, src)
	return time.Since(begun)
}

// judge measures with a unit that has just come, and says what follows, once.
func (m *M2M) judge(unit []byte) {
	r := &m.reading
	if !r.try(unit) {
		return
	}
	how := "is fast to read: pictures are sent from where they lie, without a copy"
	if r.copies {
		how = "is slow to read on this board: each picture is copied once before it is sent"
	}
	m.log.Info("the encoder's memory "+how, "encoder", m.name,
		"megabytes_per_second", int(median(r.speeds)/1e6), "times_as_slow_as_ordinary", math.Round(r.factor()*10)/10)
}

// copyOf gives a copy of a unit that is slow to read; nil: it is fast, or all
// copies are lent.
func (m *M2M) copyOf(unit []byte) *pooledUnit {
	if !m.reading.copies {
		return nil
	}
	c := m.copies.get()
	if c != nil {
		c.resize(len(unit))
		copy(c.data, unit)
		m.unitsCopied.Add(1)
	}
	return c
}
