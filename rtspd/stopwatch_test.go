package rtspd

import (
	"testing"
	"time"
)

// A tick of a stopwatch is this long, and what is longer was no fault of who is timed.
const watchTick = 5 * time.Millisecond

// stopwatch begins to measure, and its result ends that and tells how long it took,
// without what the machine itself stood still: a goroutine that only sleeps notices,
// whoever else waits for something.
func stopwatch() (took func() time.Duration) {
	begun, stop, still := time.Now(), make(chan struct{}), make(chan time.Duration)
	go func() {
		var sum time.Duration
		for over := false; !over; {
			from := time.Now()
			select {
			case <-stop:
				over = true
			case <-time.After(watchTick):
			}
			if late := time.Since(from) - watchTick; late > watchTick {
				sum += late
			}
		}
		still <- sum
	}()
	return func() time.Duration {
		close(stop)
		return time.Since(begun) - <-still
	}
}

// Who waits is timed.
func TestStopwatch(t *testing.T) {
	took := stopwatch()
	time.Sleep(100 * time.Millisecond)
	if d := took(); d <= 0 || d > patience {
		t.Errorf("%v", d)
	}
}
