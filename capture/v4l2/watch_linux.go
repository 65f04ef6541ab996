package v4l2

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A NodeWatch hears of nodes /dev/video* that come, and of those whose owner,
// group or mode changes: what is made by the kernel may be opened when udev was
// there.
type NodeWatch struct {
	events *os.File
	buf    [16 << 10]byte
}

// WatchNodes begins to listen.
func WatchNodes() (*NodeWatch, error) { return watchNodes("/dev") }

func watchNodes(dir string) (*NodeWatch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify of "+dir)
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_ATTRIB|unix.IN_ONLYDIR); err != nil {
		_ = events.Close()
		return nil, fmt.Errorf("watch %s: %w", dir, err)
	}
	return &NodeWatch{events: events}, nil
}

// Next waits for news. After Close the error is os.ErrClosed.
func (w *NodeWatch) Next() error {
	for {
		n, err := w.events.Read(w.buf[:])
		if err != nil {
			return err
		}
		if ofVideo(w.buf[:n]) {
			return nil
		}
	}
}

// ofVideo tells whether one of the events (inotify(7)) is of a video node, or
// some were lost.
func ofVideo(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		mask, size := binary.NativeEndian.Uint32(events[4:]), int(binary.NativeEndian.Uint32(events[12:]))
		events = events[unix.SizeofInotifyEvent:]
		if mask&unix.IN_Q_OVERFLOW != 0 || size <= len(events) && strings.HasPrefix(string(events[:size]), "video") {
			return true
		}
		events = events[min(size, len(events)):]
	}
	return false
}

// Close ends it, and wakes who waits.
func (w *NodeWatch) Close() error { return w.events.Close() }
