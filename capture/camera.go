package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// cameraBuffers is asked for where the Choice leaves it open: what the codec
// holds, what the driver fills, and some for a reader who is late.
const cameraBuffers = 6

// A Camera is a V4L2 capture device. Its frames lie in the memory of the
// driver and come as dmabuf too, where the driver can.
//
// Configure, Start, Stop and Close belong to one goroutine and Next to one;
// everything else can be called by any.
type Camera struct {
	log     *slog.Logger
	name    string
	id      Identity
	dev     *v4l2.Device
	typ     v4l2.BufType
	queue   *v4l2.Queue
	format  Format // of Configure; FourCC is 0 before
	ask     int    // buffers
	started bool   // until the buffers are free again
	frames  []Frame
	offered []offer // found when it was opened, for the first Choices

	loans   Loans
	reading sync.Mutex // held by Next
	running atomic.Bool
	tally   tally
}

func newCamera(dev *v4l2.Device, is v4l2.Capability, log *slog.Logger) *Camera {
	typ := is.CaptureType()
	return &Camera{
		log: log, name: fmt.Sprintf("%s (%s)", is.Card, dev.Path()),
		id:  identify(dev.Path(), is, sysfs),
		dev: dev, typ: typ, queue: dev.Queue(typ),
	}
}

// Name is what the driver calls the device, and its node: "vivid (/dev/video0)".
func (c *Camera) Name() string { return c.name }

// Path is the device node: "/dev/video0".
func (c *Camera) Path() string { return c.dev.Path() }

// Choices asks the driver what it offers and weighs it. A size or a format that
// is not offered is a *NotOffered.
func (c *Camera) Choices(w Wish) ([]Choice, error) {
	offers := c.offered
	if c.offered = nil; offers == nil {
		var err error
		if offers, err = c.offers(); err != nil {
			return nil, err
		}
	}
	return choose(c.name, offers, w)
}

// offers is what the driver tells about its formats.
func (c *Camera) offers() ([]offer, error) {
	formats, err := c.dev.Formats(c.typ)
	if err != nil {
		return nil, err
	}
	var all []offer
	for _, f := range formats {
		sizes, err := c.dev.FrameSizes(f.FourCC)
		if err != nil {
			return nil, err
		}
		all = append(all, offer{
			fourcc: f.FourCC,
			sizes:  sizes,
			intervals: func(w, h int) []v4l2.IntervalRange {
				ranges, err := c.dev.FrameIntervals(f.FourCC, w, h)
				if err != nil {
					c.log.Debug("camera does not tell its rates", "camera", c.name, "error", err)
				}
				return ranges
			},
			try: func(w, h int) (int, int) { return c.tryFormat(f.FourCC, w, h) },
		})
	}
	return all, nil
}

// tryFormat is the size that the driver makes of the one asked for.
func (c *Camera) tryFormat(f v4l2.FourCC, w, h int) (int, int) {
	got, err := c.dev.TryFormat(c.typ, v4l2.Format{FourCC: f, Width: w, Height: h, Field: v4l2.FieldNone})
	if err != nil || got.FourCC != f {
		return 0, 0
	}
	return got.Width, got.Height
}

// Configure sets format and rate and makes the buffers. A camera that another
// program streams from is unix.EBUSY; a driver that sets another size than it
// offered is a *NotOffered.
func (c *Camera) Configure(choice Choice) (Format, error) {
	if c.started {
		return Format{}, fmt.Errorf("configure %s: %w", c.name, errRunning)
	}
	c.format = Format{}
	if _, err := c.queue.Request(0, v4l2.MMAP); err != nil {
		return Format{}, c.explain(err)
	}
	want := v4l2.Format{FourCC: choice.FourCC, Width: choice.Width, Height: choice.Height, Field: v4l2.FieldNone}
	want.Planes[0].BytesPerLine = choice.Stride
	got, err := c.dev.SetFormat(c.typ, want)
	if err != nil {
		return Format{}, c.explain(err)
	}
	if got.FourCC != want.FourCC || got.Width != want.Width || got.Height != want.Height {
		return Format{}, &NotOffered{c.name, fmt.Sprintf("%v %dx%d", want.FourCC, want.Width, want.Height),
			fmt.Sprintf("%v %dx%d instead", got.FourCC, got.Width, got.Height)}
	}
	if got.NumPlanes != 1 {
		return Format{}, &NotOffered{c.name, fmt.Sprintf("%v in one memory plane", got.FourCC), fmt.Sprintf("%d planes", got.NumPlanes)}
	}
	if got.Field != v4l2.FieldNone {
		c.log.Warn("camera gives fields, not whole frames", "camera", c.name, "field", got.Field)
	}
	c.format = Format{
		FourCC: got.FourCC, Width: got.Width, Height: got.Height, Size: got.Planes[0].SizeImage,
		Rate: c.configureRate(choice.Rate), Colour: got.Colorimetry,
	}
	if bitsPerPixel(got.FourCC) > 0 {
		c.format.Stride = got.Planes[0].BytesPerLine
	}
	c.ask = cmp.Or(choice.Buffers, cameraBuffers)
	if err := c.allocate(); err != nil {
		return Format{}, err
	}
	return c.format, nil
}

// configureRate sets the rate where the driver can, and tells what is in force:
// what was asked for, if the driver does not tell.
func (c *Camera) configureRate(want Rate) Rate {
	if want.Num > 0 && want.Den > 0 {
		if got, err := c.SetRate(want); err == nil && got.Num > 0 {
			return got
		}
	}
	interval, err := c.dev.FrameInterval(c.typ)
	if err != nil || rateFrom(interval).Num == 0 {
		c.log.Debug("camera does not tell its rate", "camera", c.name, "error", err)
		return want
	}
	return rateFrom(interval)
}

// allocate makes the buffers, unless they exist.
func (c *Camera) allocate() error {
	if c.queue.Len() > 0 {
		return nil
	}
	n, err := c.queue.RequestUpTo(c.ask, v4l2.MMAP)
	if err != nil {
		return c.explain(err)
	}
	if n < c.ask {
		c.log.Warn("memory is short: the camera works with fewer buffers", "camera", c.name, "buffers", n)
	}
	c.format.Buffers = n
	return nil
}

// explain says in words what a refusal of the driver means.
func (c *Camera) explain(err error) error {
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%s is in use by another program: %w", c.name, err)
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// Start hands all buffers to the driver and lets it fill them.
func (c *Camera) Start() error {
	switch {
	case c.started:
		return fmt.Errorf("start %s: %w", c.name, errRunning)
	case c.format.FourCC == 0:
		return fmt.Errorf("start %s: %w", c.name, errNoFormat)
	}
	if err := c.allocate(); err != nil {
		return err
	}
	c.makeFrames()
	if err := c.stream(); err != nil {
		return errors.Join(c.explain(err), c.halt())
	}
	c.tally.begin()
	c.started = true
	c.loans.Open()
	c.running.Store(true)
	return nil
}

// makeFrames makes one Frame per buffer, which goes back to the driver after
// its last release.
func (c *Camera) makeFrames() {
	c.frames = make([]Frame, c.queue.Len())
	for i := range c.frames {
		f := &c.frames[i]
		fd, err := c.queue.Export(i)
		if err != nil {
			fd = -1
			c.log.Debug("camera cannot share its buffers", "camera", c.name, "error", err)
		}
		f.Index, f.DMABuf = i, fd
		f.Init(func() {
			if c.running.Load() {
				c.requeue(i)
			}
			c.loans.Done()
		})
	}
}

func (c *Camera) stream() error {
	for i := range c.frames {
		if err := c.queue.Enqueue(v4l2.Buffer{Index: i}); err != nil {
			return err
		}
	}
	return c.queue.StreamOn()
}

// halt ends the stream and frees the buffers. A device that is gone has done
// that by itself.
func (c *Camera) halt() error {
	c.started, c.frames = false, nil
	err := c.queue.StreamOff()
	if _, e := c.queue.Request(0, v4l2.MMAP); err == nil {
		err = e
	}
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// Stop ends the frames, waits until none is lent, and frees the buffers. When
// ctx ends first, the buffers stay, and Stop can be called again.
func (c *Camera) Stop(ctx context.Context) error {
	if c.running.Swap(false) {
		c.dev.Wake()
	}
	if err := c.loans.Close(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", c.name, err)
	}
	c.reading.Lock() // the reader has left, or is about to
	defer c.reading.Unlock()
	if !c.started {
		return nil
	}
	return c.halt()
}

// SetRate changes the rate, also while it runs, and tells the one now in force.
// A driver that cannot change it while it runs answers unix.EBUSY.
func (c *Camera) SetRate(r Rate) (Rate, error) {
	got, err := c.dev.SetFrameInterval(c.typ, r.interval())
	return rateFrom(got), err
}

// Controls lists the knobs of the camera.
func (c *Camera) Controls() ([]v4l2.Control, error) { return c.dev.Controls() }

// Control is the value of a control.
func (c *Camera) Control(id uint32) (int64, error) { return c.dev.Control(id) }

// SetControl sets a control.
func (c *Camera) SetControl(id uint32, v int64) error { return c.dev.SetControl(id, v) }

// Dropped is the number of frames that the driver left out, marked as faulty or
// delivered empty, since the camera was opened.
func (c *Camera) Dropped() uint64 { return c.tally.dropped.Load() }

// closeLimit is what Close waits for the frames on loan before it gives the
// device back without them.
const closeLimit = 300 * time.Millisecond

// Close stops the camera, if it runs, and gives the device back. It returns
// when nothing is lent any more. Frames that an ill codec keeps for long do not
// keep the device, which another can open by then; their memory stays as it is
// until they are back.
func (c *Camera) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	err := c.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return c.leave()
	}
	if c.queue.Len() > 0 {
		err = errors.Join(err, c.halt())
	}
	return errors.Join(err, c.dev.Close())
}

// leave gives the device back while frames are lent, and frees their memory
// when they are not any more.
func (c *Camera) leave() error {
	c.reading.Lock() // Stop has woken the reader
	defer c.reading.Unlock()
	err := c.queue.StreamOff()
	if err == nil {
		err = c.queue.Orphan() // mapped memory keeps the file open, and with it the buffers
	}
	if errors.Is(err, unix.ENODEV) {
		err = nil
	}
	err = errors.Join(err, c.dev.Close(), c.loans.Close(context.Background()))
	_, _ = c.queue.Request(0, v4l2.MMAP) // unmaps; the driver is not there to be asked
	return err
}
