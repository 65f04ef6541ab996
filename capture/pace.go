package capture

import (
	"math/bits"
	"time"

	"golang.org/x/sys/unix"
)

// clockZero is when Go's own monotonic clock was 0 by CLOCK_MONOTONIC, counted
// from clockOrigin: the two run alike, and Go's is read without a system call.
var (
	clockOrigin = time.Now()
	clockZero   = measureZero()
)

// now is the time of CLOCK_MONOTONIC, the clock of V4L2 timestamps.
func now() time.Duration { return clockZero + time.Since(clockOrigin) }

// measureZero compares the clocks a few times, for it may be interrupted: what
// comes between the two readings makes the difference smaller only.
func measureZero() (zero time.Duration) {
	for range 5 {
		at := kernelClock()
		zero = max(zero, at-time.Since(clockOrigin))
	}
	return zero
}

func kernelClock() time.Duration {
	var ts unix.Timespec
	// this clock exists on every Linux
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// A pacer says when each frame is due. The time is computed from the epoch,
// never from the frame before, so that nothing adds up.
type pacer struct {
	epoch time.Duration // when frame 0 was due, CLOCK_MONOTONIC
	rate  Rate
	n     uint64 // the next frame
}

// due is the instant of the next frame.
func (p *pacer) due() time.Duration { return p.epoch + p.rate.span(p.n) }

// span is the time that n frames take.
func (r Rate) span(n uint64) time.Duration {
	hi, lo := bits.Mul64(n, uint64(time.Second)*uint64(r.Den))
	ns, _ := bits.Div64(hi, lo, uint64(r.Num))
	return time.Duration(ns)
}

// behind is the number of frames that are due by now, besides the next one.
func (p *pacer) behind(now time.Duration) uint64 {
	late := now - p.due()
	if late <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(late), uint64(p.rate.Num))
	n, _ := bits.Div64(hi, lo, uint64(time.Second)*uint64(p.rate.Den))
	return n
}

// setRate goes on at another rate: the next frame is due one new interval after
// the last one, but not before now.
func (p *pacer) setRate(r Rate, now time.Duration) {
	if r == p.rate {
		return
	}
	if p.n > 0 {
		p.epoch = max(p.epoch+p.rate.span(p.n-1)+r.Interval(), now)
	}
	p.rate, p.n = r, 0
}
