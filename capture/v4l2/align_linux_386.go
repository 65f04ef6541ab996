package v4l2

// eventHole: C aligns 64-bit members to 4 here, so that v4l2_event has no holes.
const eventHole = 0
