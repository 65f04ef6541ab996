package v4l2

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Device is an open V4L2 node.
type Device struct {
	path string
	fd   int

	mu   sync.Mutex // guards wake against Close
	wake int        // eventfd, -1 after Close
}

// Devices lists the nodes /dev/video*, by number. None is no error.
func Devices() ([]string, error) { return devices("/dev") }

func devices(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list video devices: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), "video")
		if n, err := strconv.ParseUint(digits, 10, 16); ok && err == nil && strconv.FormatUint(n, 10) == digits {
			numbers = append(numbers, int(n))
		}
	}
	sort.Slice(numbers, func(i, j int) bool { return numbers[i] < numbers[j] })
	var paths []string
	for _, n := range numbers {
		paths = append(paths, filepath.Join(dir, "video"+strconv.Itoa(n)))
	}
	return paths, nil
}

// Open opens a node for reading and writing. It neither reserves nor changes
// anything; a device in use can be opened too.
//
// The descriptor is not registered with Go's poller: epoll on a node without
// buffers would start the driver's emulation of read().
func Open(path string) (*Device, error) {
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		_ = unix.Close(fd) // it was never used
		return nil, &os.PathError{Op: "eventfd for", Path: path, Err: err}
	}
	return &Device{path: path, fd: fd, wake: wake}, nil
}

// Close gives the node back. Streaming ends, buffers that the driver still has
// are dropped; mappings stay until Request(0) of their queue.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wake < 0 {
		return &os.PathError{Op: "close", Path: d.path, Err: os.ErrClosed}
	}
	err := unix.Close(d.fd)
	if e := unix.Close(d.wake); err == nil {
		err = e
	}
	d.fd, d.wake = -1, -1
	if err != nil {
		return &os.PathError{Op: "close", Path: d.path, Err: err}
	}
	return nil
}

// Path is the name that the device was opened by.
func (d *Device) Path() string { return d.path }

// A Capability tells what a device is (struct v4l2_capability).
type Capability struct {
	Driver  string // "uvcvideo"
	Card    string // name of the device
	Bus     string // where it is: "usb-0000:01:00.0-1.2"
	Version uint32 // of the kernel: 0x060100 is 6.1.0
	Caps    uint32 // V4L2_CAP_*, of this node where the driver tells
}

// Bits of Capability.Caps (V4L2_CAP_*).
const (
	capVideoCapture       = 0x00000001
	capVideoOutput        = 0x00000002
	capVideoCaptureMPlane = 0x00001000
	capVideoOutputMPlane  = 0x00002000
	capVideoM2MMPlane     = 0x00004000
	capVideoM2M           = 0x00008000
	capStreaming          = 0x04000000
	capDeviceCaps         = 0x80000000
)

// Streaming tells whether the device has queues of buffers.
func (c Capability) Streaming() bool { return c.Caps&capStreaming != 0 }

// Capture tells whether the device is a source of frames and nothing else.
func (c Capability) Capture() bool {
	const sink = capVideoOutput | capVideoOutputMPlane
	return c.Caps&(capVideoCapture|capVideoCaptureMPlane) != 0 && c.Caps&sink == 0 && !c.M2M()
}

// M2M tells whether frames go in and come out: a codec or a converter.
func (c Capability) M2M() bool { return c.Caps&(capVideoM2M|capVideoM2MMPlane) != 0 }

// CaptureType is the type of the queue from the device.
func (c Capability) CaptureType() BufType {
	if c.Caps&(capVideoCaptureMPlane|capVideoM2MMPlane) != 0 {
		return VideoCaptureMPlane
	}
	return VideoCapture
}

// OutputType is the type of the queue to the device.
func (c Capability) OutputType() BufType {
	if c.Caps&(capVideoOutputMPlane|capVideoM2MMPlane) != 0 {
		return VideoOutputMPlane
	}
	return VideoOutput
}

// Capability asks the device what it is. A node that is no V4L2 device gives
// unix.ENOTTY.
func (d *Device) Capability() (Capability, error) {
	var c capability
	if err := d.ioctl("VIDIOC_QUERYCAP", vidiocQueryCap, unsafe.Pointer(&c)); err != nil {
		return Capability{}, err
	}
	caps := c.capabilities
	if caps&capDeviceCaps != 0 {
		caps = c.deviceCaps
	}
	return Capability{text(c.driver[:]), text(c.card[:]), text(c.busInfo[:]), c.version, caps}, nil
}

// ioctl repeats the call when a signal interrupts it. Arg stays a pointer up to
// the call itself, so that it may lie on a stack, which can move until then.
func (d *Device) ioctl(op string, req uintptr, arg unsafe.Pointer) error {
	if errno := d.call(req, arg); errno != 0 {
		return &OpError{op, d.path, errno}
	}
	return nil
}

func (d *Device) call(req uintptr, arg unsafe.Pointer) syscall.Errno {
	for {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(d.fd), req, uintptr(arg))
		if errno != syscall.EINTR {
			return errno
		}
	}
}

// fail is for what a driver answered that cannot be.
func (d *Device) fail(op, format string, args ...any) error {
	return &OpError{op, d.path, fmt.Errorf(format, args...)}
}

func retry[T any](f func() (T, error)) (T, error) {
	for {
		if v, err := f(); err != unix.EINTR {
			return v, err
		}
	}
}

// text reads a field of the kernel: up to the first zero, or all of it.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.ToValidUTF8(string(b), "?")
}

// bounded keeps what a driver says an int on 32 bits too.
func bounded(u uint32) int { return int(min(u, math.MaxInt32)) }
