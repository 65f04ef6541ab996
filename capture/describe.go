package capture

import (
	"errors"
	"fmt"

	"lenslet/capture/v4l2"
)

// A Description is all that a V4L2 device tells about itself.
type Description struct {
	v4l2.Capability
	Formats  []FormatDescription // of what comes from the device, in its order
	Controls []v4l2.Control      // in the order of their IDs
}

// A FormatDescription is a format with its sizes.
type FormatDescription struct {
	v4l2.FormatDesc
	Sizes []SizeDescription // empty if the driver does not tell
}

// A SizeDescription is a size of frames, or a range of them, with the frame
// intervals; those of a range are the intervals of its largest size.
type SizeDescription struct {
	v4l2.SizeRange
	Intervals []v4l2.IntervalRange // empty if the driver does not tell
}

// Describe asks the device at path what it is and what it can do. It changes
// nothing and works while the device is in use.
func Describe(path string) (Description, error) {
	d, err := describe(path)
	if err != nil {
		return Description{}, fmt.Errorf("describe %s: %w", path, err)
	}
	return d, nil
}

// describeOwn is Describe by capture/v4l2 alone.
func describeOwn(path string) (_ Description, err error) {
	dev, err := v4l2.Open(path)
	if err != nil {
		return Description{}, err
	}
	defer func() { err = errors.Join(err, dev.Close()) }()
	var d Description
	if d.Capability, err = dev.Capability(); err != nil {
		return Description{}, err
	}
	formats, err := dev.Formats(d.CaptureType())
	if err != nil {
		return Description{}, err
	}
	for _, f := range formats {
		sizes, err := describeSizes(dev, f.FourCC)
		if err != nil {
			return Description{}, err
		}
		d.Formats = append(d.Formats, FormatDescription{f, sizes})
	}
	d.Controls, err = dev.Controls()
	return d, err
}

func describeSizes(dev *v4l2.Device, f v4l2.FourCC) ([]SizeDescription, error) {
	sizes, err := dev.FrameSizes(f)
	if err != nil {
		return nil, err
	}
	var all []SizeDescription
	for _, s := range sizes {
		intervals, err := dev.FrameIntervals(f, s.MaxWidth, s.MaxHeight)
		if err != nil {
			return nil, err
		}
		all = append(all, SizeDescription{s, intervals})
	}
	return all, nil
}
