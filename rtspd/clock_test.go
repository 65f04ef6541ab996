package rtspd

import (
	"testing"
	"time"
)

// The clock is the kernel's: a driver's timestamps are held against it.
func TestMonotonicIsTheKernelsClock(t *testing.T) {
	for range 1000 {
		before := kernelClock()
		now := monotonic()
		if after := kernelClock(); now < before-time.Millisecond || now > after+time.Millisecond {
			t.Fatalf("%v is not between %v and %v", now, before, after)
		}
	}
}

func BenchmarkMonotonic(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		monotonic()
	}
}
