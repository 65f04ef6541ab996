package capture

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// A NoCamera says that no camera was found, and why not.
type NoCamera struct {
	Looked []Looked // every node, by number
}

// A Looked is a node that was looked at.
type Looked struct {
	Path string
	Err  error // why it is not used; goes on after the path
}

// Error names every node that was looked at.
func (e *NoCamera) Error() string {
	if len(e.Looked) == 0 {
		return "no camera found: there is no /dev/video node"
	}
	var reasons []string
	for _, l := range e.Looked {
		reasons = append(reasons, l.Path+" "+l.Err.Error())
	}
	return "no camera found: " + strings.Join(reasons, "; ")
}

// Unwrap gives what each node said.
func (e *NoCamera) Unwrap() []error { return Errors(e.Looked) }

// Errors are those of nodes that were looked at.
func Errors(looked []Looked) []error {
	all := make([]error, len(looked))
	for i, l := range looked {
		all[i] = l.Err
	}
	return all
}

// Ill tells whether an error of an opening is that of a device that is there and
// fails, so that to start the service or the board anew may help. Neither helps
// where the node is missing, another program's, not ours to open, or none of the
// kind, which a driver says by ENOTTY or EINVAL.
func Ill(err error) bool {
	switch e := err.(type) {
	case unix.Errno:
		return !slices.Contains([]unix.Errno{unix.ENOENT, unix.ENODEV, unix.ENXIO, unix.EBUSY,
			unix.EACCES, unix.EPERM, unix.ENOTTY, unix.EINVAL, unix.EISDIR, unix.ENOTDIR, unix.ELOOP}, e)
	case interface{ Unwrap() error }:
		return Ill(e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), Ill)
	}
	return false
}

// OpenCamera opens the camera at path, or for "" the first node that is a
// camera by its capabilities, has a usable format and is not in use. None is a
// *NoCamera; a camera that another program streams from is unix.EBUSY.
func OpenCamera(path string, log *slog.Logger) (*Camera, error) {
	if path != "" {
		c, err := openCamera(path, log)
		if err != nil {
			return nil, fmt.Errorf("camera %s %w", path, err)
		}
		return c, nil
	}
	paths, err := v4l2.Devices()
	if err != nil {
		return nil, err
	}
	var none NoCamera
	for _, path := range paths {
		c, err := openCamera(path, log)
		if err == nil {
			return c, nil
		}
		none.Looked = append(none.Looked, Looked{path, err})
	}
	return nil, &none
}

// openCamera opens one node. Its errors go on after the name of the node.
func openCamera(path string, log *slog.Logger) (*Camera, error) {
	dev, err := v4l2.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", errors.Unwrap(err))
	}
	c, err := examine(dev, log)
	if err != nil {
		return nil, errors.Join(err, dev.Close())
	}
	return c, nil
}

// examine makes a Camera of a device, if it is one.
func examine(dev *v4l2.Device, log *slog.Logger) (*Camera, error) {
	is, err := dev.Capability()
	if err != nil {
		return nil, fmt.Errorf("is no V4L2 device: %w", err)
	}
	switch {
	case is.M2M():
		return nil, fmt.Errorf("(%s) is a codec or a converter", is.Card)
	case !is.Capture():
		return nil, fmt.Errorf("(%s) gives no video", is.Card)
	case !is.Streaming():
		return nil, fmt.Errorf("(%s) has no queue of buffers", is.Card)
	}
	c := newCamera(dev, is, log)
	offers, err := c.offers()
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(offers, func(o offer) bool { return usable(o.fourcc) }) {
		return nil, fmt.Errorf("(%s) has no format that can be encoded; it offers %s", is.Card, formatNames(offers))
	}
	// to free no buffers changes nothing, but only the owner may do it
	if _, err := c.queue.Request(0, v4l2.MMAP); errors.Is(err, unix.EBUSY) {
		return nil, fmt.Errorf("(%s) is in use by another program: %w", is.Card, err)
	} else if err != nil {
		return nil, fmt.Errorf("(%s) gives no buffers: %w", is.Card, err)
	}
	c.offered = offers
	return c, nil
}

// usable formats can be encoded or passed on, by one codec or another.
func usable(f v4l2.FourCC) bool {
	switch f {
	case v4l2.YUYV, v4l2.UYVY, v4l2.YVYU, v4l2.VYUY, v4l2.NV12, v4l2.NV21, v4l2.YU12, v4l2.YV12,
		v4l2.RGB24, v4l2.BGR24, v4l2.GREY, v4l2.MJPEG, v4l2.JPEG, v4l2.H264:
		return true
	}
	return false
}
