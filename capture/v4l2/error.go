package v4l2

import "errors"

// An OpError is an operation that a device refused.
type OpError struct {
	Op     string // as the kernel names it: "VIDIOC_S_FMT"
	Device string // path
	Err    error  // mostly a unix.Errno
}

// Error reads like "VIDIOC_S_FMT of /dev/video11: invalid argument".
func (e *OpError) Error() string { return e.Op + " of " + e.Device + ": " + e.Err.Error() }

// Unwrap gives the cause, for errors.Is(err, unix.EBUSY).
func (e *OpError) Unwrap() error { return e.Err }

// ErrWoken is what Poll returns after Wake.
var ErrWoken = errors.New("woken")
