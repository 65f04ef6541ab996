package main

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A setting is what one run measures.
type setting struct {
	subject, transport string
	viewers            int
}

// A result is what one run found, in a window of steady state.
type result struct {
	setting
	round       int     // of those with the same setting
	seconds     float64 // of the window
	cpu         float64 // CPU-ms a second of the server
	readers     float64 // likewise, of this process
	switches    float64 // a second
	memory      memory
	packets     float64 // a second and viewer
	megabits    float64 // likewise
	lost        uint64
	latency     []time.Duration // frame ready to last packet read by the last viewer
	spread      []time.Duration // first viewer to last
	collections int             // of garbage, by need
	allocations float64         // of heap objects for a frame; -1: not known
	captured    int             // pictures of the camera in the window, and not dropped; lensletd's count
	segmented   uint64          // sends of runs of packets for these; lensletd's count
	least, most int             // pictures of a viewer
	missed      int             // pictures that came to a viewer, not to all
}

// picturesLeast is how many pictures a viewer has in a window: one in which the
// machine stands still is longer.
const picturesLeast = 10

// warmUp is between the first packets and the window.
const warmUp = 700 * time.Millisecond

// run starts a subject, lets viewers in and measures.
func (s *stage) run(set setting, window time.Duration) (result, error) {
	fail := func(err error) (result, error) {
		return result{}, fmt.Errorf("%s by %s with %d viewers: %w", set.subject, set.transport, set.viewers, err)
	}
	sub, err := s.start(set.subject)
	if err != nil {
		return fail(err)
	}
	defer sub.stop()
	p, err := join(sub.target, set.transport, set.viewers)
	if err != nil {
		return fail(fmt.Errorf("%w\n%s", err, sub.said.String()))
	}
	defer p.leave()
	if err := p.await(); err != nil {
		return fail(err)
	}
	runtime.GC() // ours, not in the window
	time.Sleep(warmUp)
	var in *insider
	if isLensletd(set.subject) {
		if in, err = newInsider(sub.target); err != nil {
			return fail(err)
		}
		defer in.close()
	}
	res, err := s.measure(sub, p, in, window)
	if err == nil {
		res.allocations, err = in.allocations()
	}
	if err != nil {
		return fail(err)
	}
	res.setting = set
	return res, nil
}

// A meter is what is read at both ends of a window.
type meter struct {
	at          time.Time
	cpu, own    time.Duration
	switches    int64
	collections int
}

func (s *subject) read() (meter, error) {
	m := meter{at: time.Now(), collections: s.collections(), own: ownCPU()}
	var err error
	if m.switches, err = switches(s.cmd.Process.Pid); err != nil {
		return m, err
	}
	m.cpu, err = cpuTime(s.cmd.Process.Pid)
	return m, err
}

func ownCPU() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure is the window.
func (s *stage) measure(sub *subject, p *party, in *insider, window time.Duration) (result, error) {
	var res result
	begun := p.readers.begin()
	before, err := in.counts()
	if err != nil {
		return res, err
	}
	begin, err := sub.read()
	if err != nil {
		return res, err
	}
	time.Sleep(window)
	p.readers.await(patience, func() bool { return p.readers.least() >= picturesLeast })
	seen := p.readers.totals().minus(begun)
	end, err := sub.read()
	if err != nil {
		return res, err
	}
	if res.captured, res.segmented, err = in.since(before, func(captured int) { res.take(p.readers.finish(begun, captured, patience)) }); err != nil {
		return res, err
	}
	if res.memory, err = memoryOf(sub.cmd.Process.Pid, s.clip); err != nil {
		return res, err
	}
	seconds := end.at.Sub(begin.at).Seconds()
	perSecond := func(d time.Duration) float64 { return d.Seconds() * 1000 / seconds }
	res.seconds = seconds
	res.cpu, res.readers = perSecond(end.cpu-begin.cpu), perSecond(end.own-begin.own)
	res.switches = float64(end.switches-begin.switches) / seconds
	res.collections = end.collections - begin.collections
	res.packets = float64(seen.packets) / seconds / float64(seen.viewers)
	res.megabits = float64(seen.bytes) * 8 / 1e6 / seconds / float64(seen.viewers)
	switch {
	case seen.ended > 0:
		return res, fmt.Errorf("%d viewers were cut off", seen.ended)
	case seen.least == 0:
		return res, fmt.Errorf("a viewer got nothing in %.1f s", seconds)
	}
	return res, nil
}

// take notes what came of the window's pictures.
func (r *result) take(y yield) {
	r.lost, r.least, r.most, r.missed = y.lost, y.least, y.most, y.missed
	r.latency, r.spread = latencies(y.arrivals, y.clock), spreads(y.arrivals)
}
