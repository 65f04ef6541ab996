package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// A Notifier sends states to the service manager, sd_notify(3). The zero
// Notifier, and one made where no manager listens, sends nothing and never
// fails. It may be used from many goroutines.
type Notifier struct{ socket string }

// NewNotifier takes the manager's socket from NOTIFY_SOCKET: a path, or after
// an '@' a name in the abstract namespace. The variable stays: children may
// see it, and NotifyAccess=main makes the manager deaf to them.
func NewNotifier(getenv func(string) string) Notifier {
	return Notifier{getenv("NOTIFY_SOCKET")}
}

// Ready says that the service is up: READY=1.
func (n Notifier) Ready() error { return n.send("READY=1", time.Time{}) }

// Stopping says that the service is going down because it was asked to:
// STOPPING=1.
func (n Notifier) Stopping() error { return n.send("STOPPING=1", time.Time{}) }

// patience is how long a manager that has enough to read may hold up who repeats
// the message anyway.
const patience = 10 * time.Millisecond

// Watchdog says that the service is well: WATCHDOG=1. See WatchdogInterval.
func (n Notifier) Watchdog() error { return n.send("WATCHDOG=1", time.Now().Add(patience)) }

// Extend says that the service, which is not ready yet, needs that much more time
// from now: EXTEND_TIMEOUT_USEC. It never shortens what it has.
func (n Notifier) Extend(d time.Duration) error {
	return n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds()), time.Now().Add(patience))
}

// send waits until the deadline; the zero one is none.
func (n Notifier) send(state string, deadline time.Time) error {
	if n.socket == "" {
		return nil
	}
	// A leading '@' is the abstract namespace to package net, too.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

// WatchdogInterval is the time within which the manager expects Watchdog to be
// called, from WATCHDOG_USEC and WATCHDOG_PID; half of it, or less, is a good period. It
// is 0 where no watchdog runs, or where it watches another process.
func WatchdogInterval(getenv func(string) string) (time.Duration, error) {
	usec := getenv("WATCHDOG_USEC")
	if usec == "" {
		return 0, nil
	}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(1<<63-1)/1000 {
		return 0, fmt.Errorf("WATCHDOG_USEC=%s is not a number of microseconds", usec)
	}
	return time.Duration(n) * time.Microsecond, nil
}
