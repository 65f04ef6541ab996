package capture

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"lenslet/capture/v4l2"
)

// An Identity tells a camera from others, whatever number its node has.
type Identity struct {
	Driver, Card string // what it is
	Bus          string // where it is: "usb-0000:01:00.0-1.2"
	Serial       string // of the USB device; "" where there is none
	Index        string // of the node among those of the same device
	Device       string // directory of sysfs that is the device's, as long as it stays in its place; "": unknown
}

// The grades of a likeness, from none to the same place.
const (
	another  = iota
	sameName // another place, and nothing says that it is another camera
	sameSerial
	sameBus
)

// like tells how sure it is that a camera is the one looked for. Many cameras
// of a kind have one serial number, so that the place counts for more.
func (i Identity) like(other Identity) int {
	switch {
	case i.Driver != other.Driver || i.Card != other.Card || i.Index != other.Index:
		return another
	case i.Bus == other.Bus:
		return sameBus
	case i.Serial != "" && i.Serial == other.Serial:
		return sameSerial
	case i.Serial != other.Serial:
		return another
	}
	return sameName
}

// sysfs is where the kernel tells about video devices.
const sysfs = "/sys/class/video4linux"

func identify(path string, is v4l2.Capability, class string) Identity {
	id := place(path, class)
	id.Driver, id.Card, id.Bus = is.Driver, is.Card, is.Bus
	return id
}

// place is what can be told of a node that is not opened: all but what its driver
// says.
func place(path, class string) (id Identity) {
	read := func(name ...string) string {
		b, _ := os.ReadFile(filepath.Join(name...)) // what is missing is ""
		return strings.TrimSpace(string(b))
	}
	dir := filepath.Join(class, filepath.Base(path))
	id.Index = read(dir, "index")
	// device is the interface, a part of the USB device
	if device, err := filepath.EvalSymlinks(filepath.Join(dir, "device")); err == nil {
		id.Device, id.Serial = device, read(filepath.Dir(device), "serial")
	}
	return id
}

// at tells whether what is known of a node by its place is what is known of the
// camera.
func (i Identity) at(place Identity) bool {
	return i.Device != "" && i.Device == place.Device && i.Index == place.Index
}

// Identity tells which camera it is.
func (c *Camera) Identity() Identity { return c.id }

// replaceAfter is how long a camera must be away before another one takes its
// place.
const replaceAfter = 10 * time.Second

// A Search finds a camera again after it went away, whatever number its node
// has then.
type Search struct {
	id    Identity
	named string // node that the owner named; "" for any
	nodes func() ([]string, error)
	query func(path string) (v4l2.Capability, error)
	open  func(path string, log *slog.Logger) (*Camera, error)
	class string // sysfs

	mu        sync.Mutex // guards all below; not held while a node is asked, which may take for ever
	began     time.Time
	strangers map[Identity]bool    // cameras of the same name that were there all the time
	known     map[string]time.Time // nodes that are another's, and when they were made
}

// NewSearch looks for a camera that was opened as named; "" is the first that
// was found.
func NewSearch(id Identity, named string) *Search {
	return &Search{id: id, named: named, nodes: v4l2.Devices, query: query, open: OpenCamera, class: sysfs}
}

// Open opens the camera. While it is away the error is a *NoCamera, which tells
// what the node in its place said, if there is one; after 10 s of that another
// camera takes its place: the one at the node that was named, or else the first.
func (s *Search) Open(log *slog.Logger) (*Camera, error) {
	paths, err := s.nodes()
	if err != nil {
		return nil, err
	}
	began, first := s.begin()
	best, path := another, ""
	none := &NoCamera{Looked: []Looked{{s.id.Card, fmt.Errorf("(%s) is away", s.id.Bus)}}}
	for _, p := range paths {
		like, err := s.likeness(p, first)
		if like > best {
			best, path = like, p
		}
		if err != nil && s.id.at(place(p, s.class)) {
			none.Looked = []Looked{{p, err}}
		}
	}
	if best > another {
		return s.open(path, log)
	}
	if time.Since(began) > replaceAfter {
		camera, err := s.open(s.named, log)
		if !errors.As(err, new(*NoCamera)) { // what others say is not about this one
			return camera, err
		}
	}
	return nil, none
}

// begin tells when the search began, and whether that is now.
func (s *Search) begin() (began time.Time, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first = s.began.IsZero(); first {
		s.began, s.strangers, s.known = time.Now(), map[Identity]bool{}, map[string]time.Time{}
	}
	return s.began, first
}

// isKnown tells whether the node is known to be another's.
func (s *Search) isKnown(path string, made time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[path].Equal(made)
}

// likeness asks a node, once: to open one may cost its driver much. An error goes
// on after the path; the node is asked again then.
func (s *Search) likeness(path string, first bool) (int, error) {
	node, err := os.Stat(path)
	if err != nil || s.isKnown(path, node.ModTime()) {
		return another, nil
	}
	is, err := s.query(path)
	if err != nil {
		return another, err
	}
	like, id := another, identify(path, is, s.class)
	if is.Capture() {
		like = s.id.like(id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if like == sameName && first {
		s.strangers[id] = true
	}
	if s.strangers[id] {
		like = another
	}
	if like == another {
		s.known[path] = node.ModTime()
	}
	return like, nil
}

// query opens a node to ask what it is. Its errors go on after the path.
func query(path string) (v4l2.Capability, error) {
	dev, err := v4l2.Open(path)
	if err != nil {
		return v4l2.Capability{}, fmt.Errorf("cannot be opened: %w", errors.Unwrap(err))
	}
	is, err := dev.Capability()
	if err = errors.Join(err, dev.Close()); err != nil {
		return is, fmt.Errorf("is no V4L2 device: %w", err)
	}
	return is, nil
}
