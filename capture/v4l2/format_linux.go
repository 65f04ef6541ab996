package v4l2

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Format tells what the queue carries now.
func (d *Device) Format(t BufType) (Format, error) {
	return d.format("VIDIOC_G_FMT", vidiocGFmt, t, Format{})
}

// SetFormat asks for a format and returns what the driver made of it, which is
// in force now. Layout and size of the buffers are the driver's: read them
// there. With buffers allocated the error is unix.EBUSY.
func (d *Device) SetFormat(t BufType, f Format) (Format, error) {
	return d.format("VIDIOC_S_FMT", vidiocSFmt, t, f)
}

// TryFormat tells what SetFormat would return, and changes nothing.
func (d *Device) TryFormat(t BufType, f Format) (Format, error) {
	return d.format("VIDIOC_TRY_FMT", vidiocTryFmt, t, f)
}

func (d *Device) format(op string, req uintptr, t BufType, f Format) (Format, error) {
	if f.NumPlanes < 0 || f.NumPlanes > len(f.Planes) {
		return Format{}, &OpError{op, d.path, unix.EINVAL}
	}
	if !t.MPlane() {
		c := formatSingle{typ: t, pix: single(f)}
		if err := d.ioctl(op, req, unsafe.Pointer(&c)); err != nil {
			return Format{}, err
		}
		return c.pix.format(), nil
	}
	c := formatMPlane{typ: t, pix: mplane(f)}
	if err := d.ioctl(op, req, unsafe.Pointer(&c)); err != nil {
		return Format{}, err
	}
	if n := int(c.pix.numPlanes); n < 1 || n > len(f.Planes) {
		return Format{}, d.fail(op, "the driver has %d memory planes", n)
	}
	return c.pix.format(), nil
}

func single(f Format) pixFormat {
	return pixFormat{
		width: uint32(f.Width), height: uint32(f.Height), pixelFormat: f.FourCC, field: f.Field,
		bytesPerLine: uint32(f.Planes[0].BytesPerLine), sizeImage: uint32(f.Planes[0].SizeImage),
		priv: privMagic, colorspace: f.Space, transfer: f.Transfer, encoding: f.Encoding, quantization: f.Quantization,
	}
}

func (p *pixFormat) format() Format {
	f := Format{
		FourCC: p.pixelFormat, Width: bounded(p.width), Height: bounded(p.height), Field: p.field,
		Colorimetry: Colorimetry{Space: p.colorspace}, NumPlanes: 1,
	}
	if p.priv == privMagic { // otherwise the driver is too old to fill the rest
		f.Colorimetry = Colorimetry{p.colorspace, p.transfer, p.encoding, p.quantization}
	}
	f.Planes[0] = PlaneFormat{bounded(p.bytesPerLine), bounded(p.sizeImage)}
	return f
}

func mplane(f Format) pixFormatMPlane {
	p := pixFormatMPlane{
		width: uint32(f.Width), height: uint32(f.Height), pixelFormat: f.FourCC, field: f.Field,
		numPlanes: uint8(max(1, f.NumPlanes)), colorspace: f.Space,
		transfer: uint8(f.Transfer), encoding: uint8(f.Encoding), quantization: uint8(f.Quantization),
	}
	for i, l := range f.Planes {
		p.planes[i].bytesPerLine, p.planes[i].sizeImage = uint32(l.BytesPerLine), uint32(l.SizeImage)
	}
	return p
}

func (p *pixFormatMPlane) format() Format {
	f := Format{
		FourCC: p.pixelFormat, Width: bounded(p.width), Height: bounded(p.height), Field: p.field, NumPlanes: int(p.numPlanes),
		Colorimetry: Colorimetry{p.colorspace, uint32(p.transfer), uint32(p.encoding), uint32(p.quantization)},
	}
	for i := range f.NumPlanes {
		f.Planes[i] = PlaneFormat{bounded(p.planes[i].bytesPerLine), bounded(p.planes[i].sizeImage)}
	}
	return f
}

// FrameInterval tells the time from a frame to the next that is in force.
func (d *Device) FrameInterval(t BufType) (Fraction, error) {
	p := streamParm{typ: t}
	err := d.ioctl("VIDIOC_G_PARM", vidiocGParm, unsafe.Pointer(&p))
	return p.timePerFrame, err
}

// SetFrameInterval asks for a frame interval and returns the one in force.
func (d *Device) SetFrameInterval(t BufType, f Fraction) (Fraction, error) {
	p := streamParm{typ: t, timePerFrame: f}
	if err := d.ioctl("VIDIOC_S_PARM", vidiocSParm, unsafe.Pointer(&p)); err != nil {
		return Fraction{}, err
	}
	return p.timePerFrame, nil
}

// SetCrop makes the device use w x h pixels of each frame, from the top left
// corner, and returns the size in force. An encoder crops away padding lines
// this way.
func (d *Device) SetCrop(t BufType, w, h int) (int, int, error) {
	const op = "VIDIOC_S_SELECTION"
	s := selection{typ: t.single(), target: selCrop, width: uint32(w), height: uint32(h)}
	if err := d.ioctl(op, vidiocSSelection, unsafe.Pointer(&s)); err != nil {
		return 0, 0, err
	}
	if s.left != 0 || s.top != 0 {
		return 0, 0, d.fail(op, "the driver crops from %d,%d", s.left, s.top)
	}
	return bounded(s.width), bounded(s.height), nil
}

// EncoderStop begins a drain: after the frames already queued the encoder gives
// a buffer with FlagLast.
func (d *Device) EncoderStop() error { return d.encoderCmd(encStop) }

// EncoderStart continues after a drain.
func (d *Device) EncoderStart() error { return d.encoderCmd(encStart) }

func (d *Device) encoderCmd(cmd uint32) error {
	c := encoderCmd{cmd: cmd}
	return d.ioctl("VIDIOC_ENCODER_CMD", vidiocEncoderCmd, unsafe.Pointer(&c))
}
