package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstFD is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstFD = 3

// maxFDs bounds a number that comes from outside; the manager passes few.
const maxFDs = 4096

// A Listener is a stream socket that the manager opened for us.
type Listener struct {
	net.Listener
	Name string // FileDescriptorName= of its socket unit; "" if unknown
}

// Listeners takes over the sockets passed by socket activation, in the order they
// are passed in, which of several units is any: LISTEN_FDS of them, if LISTEN_PID is us. No socket passed is no
// error. The descriptors are close-on-exec, and LISTEN_PID, LISTEN_FDS and
// LISTEN_FDNAMES are unset in any case: a second call finds none, and children
// inherit nothing. If one is not a listening stream socket, all are closed.
func Listeners() ([]Listener, error) {
	fds, names, err := passed(os.Getenv, os.Getpid())
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // fails for an empty name only
	}
	if err != nil {
		return nil, err
	}
	return takeOver(fds, names)
}

// passed reads the environment: which descriptors came, and their names.
func passed(getenv func(string) string, self int) (fds []int, names []string, err error) {
	if getenv("LISTEN_PID") != strconv.Itoa(self) {
		return nil, nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > maxFDs {
		return nil, nil, fmt.Errorf("LISTEN_FDS=%s is not a number of sockets", getenv("LISTEN_FDS"))
	}
	names = make([]string, n)
	if list := getenv("LISTEN_FDNAMES"); list != "" {
		given := strings.Split(list, ":")
		if len(given) != n {
			return nil, nil, fmt.Errorf("LISTEN_FDNAMES=%s names %d sockets, but %d were passed", list, len(given), n)
		}
		copy(names, given)
	}
	for i := range n {
		fds = append(fds, firstFD+i)
	}
	return fds, names, nil
}

// takeOver owns the descriptors: each becomes a listener, or all are closed.
func takeOver(fds []int, names []string) ([]Listener, error) {
	var ls []Listener
	var failed error
	for i, fd := range fds {
		l, err := listener(fd)
		if err != nil {
			failed = fmt.Errorf("socket %d (%s) passed by the service manager: %w", fd, names[i], err)
			continue
		}
		ls = append(ls, Listener{l, names[i]})
	}
	if failed != nil {
		for _, l := range ls {
			l.Close()
		}
		return nil, failed
	}
	return ls, nil
}

// listener takes fd over.
func listener(fd int) (net.Listener, error) {
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	// A connected socket would pass as a listener and fail at its first Accept.
	if on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil {
		return nil, err
	} else if on == 0 {
		return nil, errors.New("not a listening socket")
	}
	return net.FileListener(f) // a duplicate, close-on-exec as well
}
