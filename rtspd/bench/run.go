package main

import (
	"fmt"
	"runtime"
	"strconv"
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
	segmented   uint64          // sends of runs of packets, in all; lensletd's count
}

// limits of a run.
const (
	warmUp      = 700 * time.Millisecond
	sampleTime  = 400 * time.Millisecond
	sampleCount = 4
)

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
	res, err := s.measure(sub, p, window)
	if err != nil {
		return fail(err)
	}
	if set.subject == lensletd {
		if res.allocations, res.segmented, err = inside(sub.target); err != nil {
			return fail(err)
		}
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
func (s *stage) measure(sub *subject, p *party, window time.Duration) (result, error) {
	res := result{allocations: -1}
	begin, err := sub.read()
	if err != nil {
		return res, err
	}
	begun := p.readers.begin()
	time.Sleep(window)
	seen, arrivals, clock := p.readers.finish(begun)
	end, err := sub.read()
	if err != nil {
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
	res.lost = seen.lost
	res.latency, res.spread = latencies(arrivals, clock), spreads(arrivals)
	switch {
	case seen.ended > 0:
		return res, fmt.Errorf("%d viewers were cut off", seen.ended)
	case seen.least == 0:
		return res, fmt.Errorf("a viewer got nothing in %.1f s", seconds)
	}
	return res, nil
}

// inside asks lensletd what only it knows: how many heap objects it makes for a
// frame, and how many segmented sends there were. What reports and other things
// make now and then is not in the least of some short samples, what every frame
// makes is in all of them; what asking makes is taken off, to an object or two.
func inside(t target) (allocations float64, segmented uint64, err error) {
	c, err := dial(t.address, t.path)
	if err != nil {
		return 0, 0, err
	}
	defer c.conn.Close()
	ask := func() (objects, frames int64) {
		if err != nil {
			return 0, 0
		}
		var v map[string]string
		v, err = c.parameters("heap_allocations", "frames_captured", "sends_segmented")
		objects, _ = strconv.ParseInt(v["heap_allocations"], 10, 64)
		frames, _ = strconv.ParseInt(v["frames_captured"], 10, 64)
		segmented, _ = strconv.ParseUint(v["sends_segmented"], 10, 64)
		return objects, frames
	}
	asking, least := int64(1<<62), -1.0
	for range 10 {
		before, _ := ask()
		after, _ := ask()
		asking = min(asking, after-before)
	}
	for range sampleCount {
		before, first := ask()
		time.Sleep(sampleTime)
		after, last := ask()
		if last > first {
			if made := max(0, float64(after-before-asking)/float64(last-first)); least < 0 || made < least {
				least = made
			}
		}
	}
	return least, segmented, err
}
