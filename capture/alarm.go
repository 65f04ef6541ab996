package capture

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An alarm wakes one goroutine at instants of CLOCK_MONOTONIC. It is a timer of
// the kernel (timerfd_create(2)) that Go's poller watches as it does sockets: the
// thread that waits for these runs the goroutine. A timer of Go's wakes two more
// threads each time: one to look for more to run, and the runtime's monitor.
type alarm struct {
	file  *os.File
	conn  syscall.RawConn
	check func(fd uintptr) bool // made once: a closure for each wait would allocate
	next  unix.ItimerSpec
	set   bool
	err   error // of check
}

// newAlarm makes an alarm, which close ends.
func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("timerfd_create: %w", err)
	}
	a := &alarm{file: os.NewFile(uintptr(fd), "timerfd")}
	a.check = a.gone
	if a.conn, err = a.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, a.file.Close())
	}
	return a, nil
}

// wait returns at an instant, or once cut is called. One goroutine calls it.
func (a *alarm) wait(until time.Duration) error {
	a.next.Value = unix.NsecToTimespec(max(1, int64(until))) // 0 would stop the timer
	a.set, a.err = false, nil
	err := a.conn.Read(a.check)
	if errors.Is(err, os.ErrDeadlineExceeded) { // cut
		return nil
	}
	return errors.Join(err, a.err)
}

// gone sets the timer when called first, then tells whether it has gone off. The
// poller says so when it does; nothing need be read for that.
func (a *alarm) gone(fd uintptr) bool {
	if !a.set {
		a.set = true
		a.err = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME, &a.next, nil)
		return a.err != nil
	}
	var left unix.ItimerSpec
	a.err = unix.TimerfdGettime(int(fd), &left)
	return a.err != nil || left.Value == unix.Timespec{}
}

// cut ends the wait under way, and all that follow.
func (a *alarm) cut() error { return a.file.SetReadDeadline(time.Unix(1, 0)) }

// close gives the timer back.
func (a *alarm) close() error { return a.file.Close() }
