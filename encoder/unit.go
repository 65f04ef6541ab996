package encoder

import (
	"time"

	"lenslet/capture"
)

// A Unit is one access unit on loan: the NAL units of one coded picture. Their
// bytes lie in the memory of the codec, or of the camera that made them, and
// are valid until the last Release.
type Unit struct {
	capture.Loan
	nalus     [][]byte
	key       bool
	timestamp time.Duration
}

// NALUs are the NAL units in order, without start codes. The slices are valid
// until the last Release and must not be written to.
func (u *Unit) NALUs() [][]byte { return u.nalus }

// Key tells whether decoding can begin here: an IDR picture.
func (u *Unit) Key() bool { return u.key }

// Timestamp is the time of the capture, CLOCK_MONOTONIC.
func (u *Unit) Timestamp() time.Duration { return u.timestamp }
