//go:build cgo

package capture

import (
	"errors"
	"math"

	go4vl "github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// describe has go4vl describe the device, and takes from capture/v4l2 what
// go4vl v0.3.0 cannot tell or tells wrong; each place says why.
func describe(path string) (Description, error) {
	own, err := describeOwn(path)
	if err != nil {
		return Description{}, err
	}
	var d Description
	done := make(chan struct{}) // closed by the goroutine at its end
	go func() {
		defer close(done)
		steady(func() { d, err = describeGo4VL(path, own) })
	}()
	<-done
	return d, err
}

// steady runs f on a stack that does not move. go4vl turns the address of a
// variable on its stack into an integer, and then calls functions that hand the
// integer to the kernel. If the stack moves in between, because it must grow or
// because the garbage collector makes it smaller, the kernel writes to where
// the variable was. A frame of 40 KiB below f prevents both: the stack becomes
// at least 64 KiB, of which 24 are left for f; and a stack in use by a quarter
// or more is not made smaller. It must run on a goroutine of its own, so that
// its stack begins small and ends with it.
//
//go:noinline
func steady(f func()) byte {
	var ballast [40 << 10]byte
	f()
	return ballast[len(ballast)-1]
}

func describeGo4VL(path string, own Description) (_ Description, err error) {
	// go4vl's Device would start to stream; its functions on a descriptor do not.
	fd, err := go4vl.OpenDevice(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return Description{}, err
	}
	defer func() { err = errors.Join(err, go4vl.CloseDevice(fd)) }()
	// Its texts come by C.GoString, which reads up to a zero: it relies on the
	// kernel, which always writes one.
	c, err := go4vl.GetCapability(fd)
	if err != nil {
		return Description{}, err
	}
	d := Description{Capability: v4l2.Capability{
		Driver: c.Driver, Card: c.Card, Bus: c.BusInfo, Version: c.Version, Caps: c.GetCapabilities(),
	}}
	if d.Formats, err = formatsGo4VL(fd, own); err != nil {
		return Description{}, err
	}
	d.Controls, err = controlsGo4VL(fd, own)
	return d, err
}

// ends tells whether an error is the end of a list.
func ends(err error) bool {
	return errors.Is(err, go4vl.ErrorBadArgument) || errors.Is(err, go4vl.ErrorUnsupported) || errors.Is(err, unix.ENODATA)
}

func formatsGo4VL(fd uintptr, own Description) ([]FormatDescription, error) {
	if own.CaptureType() == v4l2.VideoCaptureMPlane {
		return own.Formats, nil // go4vl asks for the formats of the single-planar API only
	}
	formats, err := go4vl.GetAllFormatDescriptions(fd)
	if err != nil && !ends(err) {
		return nil, err
	}
	var all []FormatDescription
	for _, f := range formats {
		d := FormatDescription{FormatDesc: v4l2.FormatDesc{
			FourCC: v4l2.FourCC(f.PixelFormat), Flags: f.Flags, Description: f.Description,
		}}
		sizes, err := go4vl.GetFormatFrameSizes(fd, f.PixelFormat)
		if err != nil && !ends(err) {
			return nil, err
		}
		for _, s := range sizes {
			intervals, err := intervalsGo4VL(fd, s, own)
			if err != nil {
				return nil, err
			}
			d.Sizes = append(d.Sizes, SizeDescription{sizeGo4VL(s), intervals})
		}
		all = append(all, d)
	}
	return all, nil
}

// sizeGo4VL bounds what the driver says, and gives a range a step.
func sizeGo4VL(s go4vl.FrameSizeEnum) v4l2.SizeRange {
	n := func(u uint32) int { return int(min(u, math.MaxInt32)) }
	r := v4l2.SizeRange{
		MinWidth: n(s.Size.MinWidth), MaxWidth: n(s.Size.MaxWidth), StepWidth: n(s.Size.StepWidth),
		MinHeight: n(s.Size.MinHeight), MaxHeight: n(s.Size.MaxHeight), StepHeight: n(s.Size.StepHeight),
	}
	switch s.Type {
	case go4vl.FrameSizeTypeContinuous:
		r.StepWidth, r.StepHeight = 1, 1
	case go4vl.FrameSizeTypeStepwise:
		r.StepWidth, r.StepHeight = max(1, r.StepWidth), max(1, r.StepHeight)
	}
	return r
}

func intervalsGo4VL(fd uintptr, s go4vl.FrameSizeEnum, own Description) ([]v4l2.IntervalRange, error) {
	var all []v4l2.IntervalRange
	for i := range uint32(1024) {
		e, err := go4vl.GetFormatFrameInterval(fd, i, s.PixelFormat, s.Size.MaxWidth, s.Size.MaxHeight)
		if ends(err) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if e.Type != go4vl.FrameIntervalTypeDiscrete {
			// go4vl reads a range 8 bytes too late: its Min is the driver's Max
			return own.intervals(v4l2.FourCC(s.PixelFormat), sizeGo4VL(s)), nil
		}
		f := v4l2.Fraction{Num: e.Interval.Min.Numerator, Den: e.Interval.Min.Denominator}
		all = append(all, v4l2.IntervalRange{Min: f, Max: f})
	}
	return all, nil
}

// intervals finds those of a format and a size.
func (d Description) intervals(f v4l2.FourCC, size v4l2.SizeRange) []v4l2.IntervalRange {
	for _, fd := range d.Formats {
		for _, s := range fd.Sizes {
			if fd.FourCC == f && s.SizeRange == size {
				return s.Intervals
			}
		}
	}
	return nil
}

func controlsGo4VL(fd uintptr, own Description) ([]v4l2.Control, error) {
	controls, err := go4vl.QueryAllControls(fd)
	if err != nil && !ends(err) {
		return nil, err
	}
	known := make(map[uint32]v4l2.Control, len(own.Controls))
	for _, c := range own.Controls {
		known[c.ID] = c
	}
	var all []v4l2.Control
	for _, c := range controls {
		k, ok := known[c.ID]
		if !ok {
			continue // headings and texts, which Controls leaves out
		}
		d := v4l2.Control{
			ID: c.ID, Name: c.Name, Type: v4l2.ControlType(c.Type),
			Min: int64(c.Minimum), Max: int64(c.Maximum), Step: int64(c.Step), Default: int64(c.Default),
			Flags: k.Flags, // go4vl keeps them to itself
		}
		if d.Type == v4l2.Integer64 || d.Type == v4l2.Bitmask {
			// go4vl has 32 signed bits: nothing of the one, a wrong sign of the other
			d.Min, d.Max, d.Step, d.Default = k.Min, k.Max, k.Step, k.Default
		}
		if c.IsMenu() {
			items, err := c.GetMenuItems()
			if err != nil {
				return nil, err
			}
			for _, m := range items {
				d.Menu = append(d.Menu, v4l2.MenuItem{Index: int64(m.Index), Name: m.Name})
			}
		}
		all = append(all, d)
	}
	return all, nil
}
