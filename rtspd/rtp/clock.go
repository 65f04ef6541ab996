package rtp

import (
	"math/bits"
	"time"
)

// ClockRate is the number of RTP ticks in a second for video (RFC 6184 section
// 8.2.1).
const ClockRate = 90000

// A Clock turns CLOCK_MONOTONIC into RTP time. The zero Clock begins at 0.
type Clock struct {
	offset uint32
}

// NewClock adds offset, which RFC 3550 section 5.1 wants to be random, to every
// time.
func NewClock(offset uint32) Clock { return Clock{offset} }

// RTP is the RTP time of an instant that is not negative, modulo 2^32. It is
// computed from the whole of t, so that no rounding adds up, and rounds down.
func (c Clock) RTP(t time.Duration) uint32 {
	hi, lo := bits.Mul64(uint64(t), ClockRate)
	ticks, _ := bits.Div64(hi, lo, uint64(time.Second))
	return c.offset + uint32(ticks)
}
