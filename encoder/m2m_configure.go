package encoder

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// Configure sets both formats, the rate, and all controls, and reads them back.
// The result is the layout that can be imported.
func (m *M2M) Configure(f capture.Format, s Settings) (capture.Format, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state > ready {
		return capture.Format{}, fmt.Errorf("configure %s: it runs", m.name)
	}
	m.state = unconfigured
	if err := m.Check(s); err != nil {
		return capture.Format{}, err
	}
	in, err := m.setFormats(f, s)
	if err != nil {
		return capture.Format{}, fmt.Errorf("configure %s: %w", m.name, err)
	}
	if err := m.lay(f, in, s); err != nil {
		return capture.Format{}, fmt.Errorf("configure %s: %w", m.name, err)
	}
	if err := m.setRate(&s); err != nil {
		return capture.Format{}, err
	}
	if err := m.setAll(m.knobs(s), &s); err != nil {
		return capture.Format{}, err
	}
	m.frames, m.settings, m.state = f, s, ready
	m.sets = parameterSets{}
	return capture.Format{
		FourCC: in.FourCC, Width: in.Width, Height: in.Height,
		Stride: in.Planes[0].BytesPerLine, Size: in.Planes[0].SizeImage,
		Rate: s.Rate, Colour: in.Colorimetry, Buffers: f.Buffers,
	}, nil
}

// setFormats sets CAPTURE, then OUTPUT, which share one colourspace, and the
// part of the frames that counts. The result is the format of OUTPUT.
func (m *M2M) setFormats(f capture.Format, s Settings) (v4l2.Format, error) {
	if _, err := m.dev.SetFormat(v4l2.VideoCaptureMPlane, v4l2.Format{
		FourCC: v4l2.H264, Width: s.Width, Height: s.Height, Field: v4l2.FieldNone, Colorimetry: f.Colour,
	}); err != nil {
		return v4l2.Format{}, err
	}
	ask := v4l2.Format{FourCC: f.FourCC, Width: f.Width, Height: f.Height, Field: v4l2.FieldNone, Colorimetry: f.Colour}
	ask.Planes[0] = v4l2.PlaneFormat{BytesPerLine: f.Stride, SizeImage: f.Size}
	if !slices.Contains(m.raw, f.FourCC) { // it will be converted
		ask.FourCC, ask.Width, ask.Height, ask.Planes[0] = v4l2.YU12, s.Width, s.Height, v4l2.PlaneFormat{}
	}
	in, err := m.dev.SetFormat(v4l2.VideoOutputMPlane, ask)
	if err != nil {
		return v4l2.Format{}, err
	}
	if in.FourCC != ask.FourCC || in.NumPlanes > 1 || in.Width < s.Width || in.Height < s.Height {
		return v4l2.Format{}, fmt.Errorf("the driver makes %dx%d %s of %dx%d %s", in.Width, in.Height, in.FourCC, ask.Width, ask.Height, ask.FourCC)
	}
	return in, m.crop(in, s)
}

// crop hides the lines and columns that only pad the frames.
func (m *M2M) crop(in v4l2.Format, s Settings) error {
	w, h, err := m.dev.SetCrop(v4l2.VideoOutputMPlane, s.Width, s.Height)
	if (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTTY)) && in.Width == s.Width && in.Height == s.Height {
		return nil // there is nothing to crop
	}
	if err == nil && (w != s.Width || h != s.Height) {
		err = &Refused{"resolution", fmt.Sprintf("%dx%d", s.Width, s.Height), fmt.Sprintf("%dx%d", w, h)}
	}
	return err
}

// lay decides how frames get into the codec.
func (m *M2M) lay(f capture.Format, in v4l2.Format, s Settings) error {
	to, ok := newLayout(in.FourCC, s.Width, s.Height, in.Planes[0].BytesPerLine, in.Height)
	if !ok || to.size > in.Planes[0].SizeImage {
		return fmt.Errorf("the driver's %s buffers of %d bytes with %d per line do not hold %dx%d",
			in.FourCC, in.Planes[0].SizeImage, in.Planes[0].BytesPerLine, s.Width, s.Height)
	}
	m.to, m.from, m.converter, m.canImport = to, layout{}, nil, false
	m.payload = in.Planes[0].SizeImage
	if f.FourCC != in.FourCC {
		c, err := newConverter(f, to)
		m.converter = c
		return err
	}
	if m.from, ok = layoutOf(f, s.Width, s.Height); !ok {
		return fmt.Errorf("%dx%d frames of %d bytes per line cannot give %dx%d pictures", f.Width, f.Height, f.Stride, s.Width, s.Height)
	}
	m.canImport = m.from.planes == to.planes && f.Size >= in.Planes[0].SizeImage
	if !m.canImport {
		m.log.Info("frames must be copied for the encoder", "encoder", m.name, "format", f.FourCC,
			"stride", f.Stride, "size", f.Size, "wants stride", in.Planes[0].BytesPerLine, "wants size", in.Planes[0].SizeImage)
	}
	return nil
}
