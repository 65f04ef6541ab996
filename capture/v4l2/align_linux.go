//go:build !386

package v4l2

// eventHole is what the C compiler leaves before the union of v4l2_event, and
// at its end: its 64-bit members begin at multiples of 8. Go aligns them to 4
// on 32-bit ARM, where C does not.
const eventHole = 4
