package capture

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lenslet/capture/v4l2"
)

// An Identity tells a camera from others, whatever number its node has.
type Identity struct {
	Driver, Card string // what it is
	Bus          string // where it is: "usb-0000:01:00.0-1.2"
	Serial       string // of the USB device; "" where there is none
	Index        string // of the node among those of the same device
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
	dir := filepath.Join(class, filepath.Base(path))
	read := func(name ...string) string {
		b, _ := os.ReadFile(filepath.Join(append([]string{dir}, name...)...)) // what is missing is ""
		return strings.TrimSpace(string(b))
	}
	id := Identity{Driver: is.Driver, Card: is.Card, Bus: is.Bus, Index: read("index")}
	// device is the interface, a part of the USB device
	if device, err := filepath.EvalSymlinks(filepath.Join(dir, "device")); err == nil {
		b, _ := os.ReadFile(filepath.Join(filepath.Dir(device), "serial"))
		id.Serial = strings.TrimSpace(string(b))
	}
	return id
}

// Identity tells which camera it is.
func (c *Camera) Identity() Identity { return c.id }

// replaceAfter is how long a camera must be away before another one takes its
// place.
const replaceAfter = 10 * time.Second

// A Search finds a camera again after it went away, whatever number its node
// has then.
type Search struct {
	id        Identity
	named     string // node that the owner named; "" for any
	began     time.Time
	strangers map[Identity]bool    // cameras of the same name that were there all the time
	known     map[string]time.Time // nodes that are another's, and when they were made
}

// NewSearch looks for a camera that was opened as named; "" is the first that
// was found.
func NewSearch(id Identity, named string) *Search { return &Search{id: id, named: named} }

// Open opens the camera. While it is away the error is a *NoCamera; after 10 s
// of that another camera takes its place: the one at the node that was named,
// or else the first.
func (s *Search) Open(log *slog.Logger) (*Camera, error) {
	paths, err := v4l2.Devices()
	if err != nil {
		return nil, err
	}
	first := s.began.IsZero()
	if first {
		s.began, s.strangers, s.known = time.Now(), map[Identity]bool{}, map[string]time.Time{}
	}
	best, path := another, ""
	for _, p := range paths {
		if like := s.likeness(p, first); like > best {
			best, path = like, p
		}
	}
	switch {
	case best > another:
		return OpenCamera(path, log)
	case time.Since(s.began) > replaceAfter:
		return OpenCamera(s.named, log)
	}
	return nil, &NoCamera{Looked: []Looked{{s.id.Card, fmt.Sprintf("(%s) is away", s.id.Bus)}}}
}

// likeness asks a node, once: to open one may cost its driver much.
func (s *Search) likeness(path string, first bool) int {
	node, err := os.Stat(path)
	if err != nil || s.known[path].Equal(node.ModTime()) {
		return another
	}
	dev, err := v4l2.Open(path)
	if err != nil {
		return another // at the moment
	}
	is, err := dev.Capability()
	if errors.Join(err, dev.Close()) != nil {
		return another
	}
	like, id := another, identify(path, is, sysfs)
	if is.Capture() {
		like = s.id.like(id)
	}
	if like == sameName && first {
		s.strangers[id] = true
	}
	if s.strangers[id] {
		like = another
	}
	if like == another {
		s.known[path] = node.ModTime()
	}
	return like
}
