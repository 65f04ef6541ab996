package rate

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// Whatever is reported, the estimate stays within the bounds.
func FuzzEstimator(f *testing.F) {
	one := func(kind byte, numbers ...uint32) []byte {
		b := []byte{kind}
		for _, n := range numbers {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return append(b, make([]byte, 33-len(b))...)
	}
	good := append(one(0, 1000, 100, 0, 0, 100, 100_000), one(0, 1000, 200, 50, 0, 200, 200_000)...)
	f.Add(good, uint32(250), uint32(6000))
	f.Add(append(good, one(1, 5000)...), uint32(250), uint32(6000))
	f.Add(append(one(2, 1000, 100_000, 50_000), one(2, 1000, 400_000, 60_000, 5000)...), uint32(250), uint32(6000))
	f.Add(append(one(3, 0, math.MaxUint32), one(0, math.MaxUint32, math.MaxUint32, math.MaxUint32)...), uint32(6000), uint32(250))
	f.Fuzz(func(t *testing.T, b []byte, low, high uint32) {
		least, most := int(low), int(high)
		bounds := Bounds{least, most}
		var e Estimator
		for now := time.Duration(0); len(b) >= 33; b = b[33:] {
			n := func(i int) uint32 { return binary.BigEndian.Uint32(b[1+4*i:]) }
			ms := func(i int) time.Duration { return time.Duration(int32(n(i))) * time.Millisecond }
			now += time.Duration(n(0)) * time.Millisecond
			switch b[0] % 4 {
			case 0:
				e.Report(Report{
					At: now, Highest: n(1), Lost: int32(n(2)), Skipped: n(3), Packets: n(4), Bytes: n(5),
					Jitter: ms(6), Lag: ms(7), RoundTrip: ms(6),
				}, bounds)
			case 1:
				e.Tick(now, bounds)
			case 2:
				e.Queue(Queue{At: now, Bytes: uint64(n(1)), Unsent: int(int32(n(2))), Lag: ms(3), Skips: n(4) % 2}, bounds)
			case 3:
				e.Cap(now, math.Float64frombits(uint64(n(1))<<32|uint64(n(2))))
			}
			if got := e.Rate(bounds); got > most || (got < least && got < most) || math.IsNaN(e.rate) || e.rate < 0 {
				t.Fatalf("%d bit/s (%v), bounds %+v", got, e.rate, bounds)
			}
			if e.Carried() < 0 {
				t.Fatalf("%d bit/s carried", e.Carried())
			}
		}
	})
}
