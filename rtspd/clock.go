package rtspd

import (
	"time"

	"golang.org/x/sys/unix"
)

// clockZero is when Go's own monotonic clock was 0 by CLOCK_MONOTONIC, counted
// from clockOrigin: the two run alike, and Go's is read without a system call.
var (
	clockOrigin = time.Now()
	clockZero   = measureZero()
)

// monotonic is CLOCK_MONOTONIC, the clock of the capture timestamps.
func monotonic() time.Duration { return clockZero + time.Since(clockOrigin) }

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
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("CLOCK_MONOTONIC: " + err.Error()) // no Linux is without it
	}
	return time.Duration(t.Nano())
}
