package v4l2

import (
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Poll waits with poll(2) until one of the events (unix.POLLIN, POLLOUT,
// POLLPRI) or an error (unix.POLLERR, POLLHUP) is there, and returns those that
// are. After the deadline the error is os.ErrDeadlineExceeded; the zero Time
// is no deadline. After Wake it is ErrWoken.
//
// POLLERR comes at once from a queue that does not stream, or that got no
// buffer yet. A device that is gone shows POLLERR or POLLHUP too, and Dequeue
// tells.
func (d *Device) Poll(events int16, deadline time.Time) (int16, error) {
	fds := [2]unix.PollFd{{Fd: int32(d.fd), Events: events}, {Fd: int32(d.wake), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds[:], timeout(deadline))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, &OpError{"poll", d.path, err}
		case fds[1].Revents != 0:
			var count [8]byte
			// EAGAIN: another Poll was quicker
			_, _ = unix.Read(d.wake, count[:])
			return 0, ErrWoken
		case fds[0].Revents&unix.POLLNVAL != 0:
			return 0, &OpError{"poll", d.path, unix.EBADF}
		case n > 0:
			return fds[0].Revents, nil
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return 0, os.ErrDeadlineExceeded
		}
	}
}

// timeout in ms for poll(2), rounded up so that it never ends early; -1 is
// endless.
func timeout(deadline time.Time) int {
	if deadline.IsZero() {
		return -1
	}
	left := max(0, time.Until(deadline))
	ms := left / time.Millisecond
	if left%time.Millisecond != 0 {
		ms++
	}
	return int(min(ms, math.MaxInt32))
}

// Wake makes the Poll under way, or else the next one, return ErrWoken. Several
// calls before that Poll count as one. After Close it does nothing.
func (d *Device) Wake() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wake < 0 {
		return
	}
	one := [8]byte{1, 1, 1, 1, 1, 1, 1, 1} // not zero in either byte order
	// EAGAIN: so many calls are pending that one more changes nothing
	_, _ = unix.Write(d.wake, one[:])
}
