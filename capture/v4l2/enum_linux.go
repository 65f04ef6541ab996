package v4l2

import (
	"golang.org/x/sys/unix"
	"unsafe"
)

// maxEntries bounds every list: a driver that never says EINVAL must not keep
// us for ever.
const maxEntries = 1024

// list calls ask with 0, 1, 2... until the driver has no more.
func (d *Device) list(op string, ask func(index uint32) error) error {
	for i := range uint32(maxEntries) {
		err := ask(i)
		// ENOTTY, ENODATA: the driver has no such list, or not for this input
		if err == unix.EINVAL || i == 0 && (err == unix.ENOTTY || err == unix.ENODATA) {
			return nil
		}
		if err != nil {
			return &OpError{op, d.path, err}
		}
	}
	return nil
}

// Formats lists what the queue can carry, in the driver's order.
func (d *Device) Formats(t BufType) ([]FormatDesc, error) {
	var all []FormatDesc
	err := d.list("VIDIOC_ENUM_FMT", func(i uint32) error {
		f := fmtDesc{index: i, typ: t}
		if errno := d.call(vidiocEnumFmt, unsafe.Pointer(&f)); errno != 0 {
			return errno
		}
		all = append(all, FormatDesc{f.pixelFormat, f.flags, text(f.description[:])})
		return nil
	})
	return all, err
}

// FrameSizes lists the sizes of a format. It is empty when the driver does not
// tell: then SetFormat shows.
func (d *Device) FrameSizes(f FourCC) ([]SizeRange, error) {
	var all []SizeRange
	err := d.list("VIDIOC_ENUM_FRAMESIZES", func(i uint32) error {
		e := frameSizeEnum{index: i, pixelFormat: f}
		if errno := d.call(vidiocEnumFrameSizes, unsafe.Pointer(&e)); errno != 0 {
			return errno
		}
		all = append(all, e.sizeRange())
		if e.typ != rangeDiscrete {
			return unix.EINVAL // a range is the only entry
		}
		return nil
	})
	return all, err
}

func (e *frameSizeEnum) sizeRange() SizeRange {
	var n [6]int
	for i, u := range e.size {
		n[i] = bounded(u)
	}
	switch e.typ {
	case rangeDiscrete:
		return SizeRange{n[0], n[0], 0, n[1], n[1], 0}
	case rangeContinuous:
		return SizeRange{n[0], n[1], 1, n[3], n[4], 1}
	}
	return SizeRange{n[0], n[1], max(1, n[2]), n[3], n[4], max(1, n[5])}
}

// FrameIntervals lists the frame intervals of a format and a size, in pixels.
// It is empty when the driver does not tell.
func (d *Device) FrameIntervals(f FourCC, w, h int) ([]IntervalRange, error) {
	var all []IntervalRange
	err := d.list("VIDIOC_ENUM_FRAMEINTERVALS", func(i uint32) error {
		e := frameIntervalEnum{index: i, pixelFormat: f, width: uint32(w), height: uint32(h)}
		if errno := d.call(vidiocEnumFrameIntervals, unsafe.Pointer(&e)); errno != 0 {
			return errno
		}
		all = append(all, e.intervalRange())
		if e.typ != rangeDiscrete {
			return unix.EINVAL // a range is the only entry
		}
		return nil
	})
	return all, err
}

func (e *frameIntervalEnum) intervalRange() IntervalRange {
	v := e.interval
	if e.typ == rangeDiscrete {
		return IntervalRange{v[0], v[0], Fraction{}}
	}
	return IntervalRange{v[0], v[1], v[2]}
}
