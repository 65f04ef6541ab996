package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// Bounds of a clip.
const (
	clipMaxBytes = 256 << 20
	clipMaxRate  = 240 // frames per second
	clipRate     = 25  // when the SPS tells no rate, or one that makes no sense
	clipBuffers  = 4
	clipPatience = time.Second // of being late, before the schedule moves
)

// A Clip is a source that replays an H.264 file in a loop: one Frame is one
// access unit with its start codes. Of the file only the frames that are lent are
// in memory.
//
// A frame is never left out, for those that follow need it: a reader who is
// late gets them in a burst, and one who is very late delays the replay.
//
// Configure, Start, Stop and Close belong to one goroutine and Next to one;
// everything else can be called by any.
type Clip struct {
	pool     pool
	name     string
	file     *os.File
	units    []clipUnit // the first one can be decoded by itself
	format   Format
	buffers  [clipBuffers][]byte // by frame, as large as it needed so far
	pace     pacer
	at       int    // the next unit
	sequence uint32 // of the next frame; goes on over loops, Stop and Start
}

// OpenClip opens an Annex B file of up to 256 MiB, which must not be changed
// while it is replayed. Its loop begins at the first IDR picture with SPS and
// PPS. The function gets that SPS, without a start code, and tells the size in
// pixels and the rate; the zero Rate, and one outside of 1 to 240, counts as 25.
func OpenClip(path string, rate func(sps []byte) (w, h int, r Rate, err error)) (*Clip, error) {
	file, size, err := openBounded(path)
	if err != nil {
		return nil, fmt.Errorf("clip %s: %w", path, err)
	}
	c := &Clip{name: filepath.Base(path), file: file}
	if err := look(file, size, func(data []byte) error { return c.index(data, rate) }); err != nil {
		return nil, errors.Join(fmt.Errorf("clip %s %w", path, err), file.Close())
	}
	return c, nil
}

// index finds the units in the file. Its errors go on after the name of the file.
func (c *Clip) index(data []byte, rate func(sps []byte) (w, h int, r Rate, err error)) error {
	units, err := splitClip(data)
	if err != nil {
		return fmt.Errorf("is no H.264 file that can be replayed: %w "+
			"(ffmpeg -i IN -c:v copy -an -bsf:v h264_mp4toannexb OUT.264 makes one of a film)", err)
	}
	if units, err = fromKey(units); err != nil {
		return fmt.Errorf("cannot be replayed: %w", err)
	}
	c.units = slices.Clip(units)
	w, h, r, err := rate(bytes.Clone(firstSPS(data, c.units[0])))
	if err != nil {
		return fmt.Errorf("cannot be replayed: its SPS: %w", err)
	}
	if r.Float() < 1 || r.Float() > clipMaxRate {
		r = Rate{clipRate, 1}
	}
	c.format = Format{FourCC: v4l2.H264, Width: w, Height: h, Size: greatest(c.units), Rate: r.reduced(), Buffers: clipBuffers}
	return nil
}

// fromKey drops the units before the first one that needs no other.
func fromKey(units []clipUnit) ([]clipUnit, error) {
	var sps, pps, idr bool
	for i, u := range units {
		if u.sps && u.pps && u.idr {
			return units[i:], nil
		}
		sps, pps, idr = sps || u.sps, pps || u.pps, idr || u.idr
	}
	switch {
	case len(units) == 0:
		return nil, errors.New("there is no picture in it")
	case !sps:
		return nil, errors.New("there is no SPS in it")
	case !pps:
		return nil, errors.New("there is no PPS in it")
	case !idr:
		return nil, errors.New("there is no IDR picture in it, where a loop could begin")
	}
	return nil, errors.New("no IDR picture has SPS and PPS before it, so that a loop could begin there")
}

// firstSPS is the SPS of a unit, without its start code.
func firstSPS(data []byte, u clipUnit) []byte {
	for n, ok := nextNAL(data, u.start); ok; n, ok = nextNAL(data, n.end) {
		if data[n.start]&31 == nalSPS {
			return data[n.start:n.end:n.end]
		}
	}
	return nil
}

// greatest is the length of the longest unit in bytes.
func greatest(units []clipUnit) int {
	n := 0
	for _, u := range units {
		n = max(n, u.end-u.start)
	}
	return n
}

// Name is the name of the file, without its directory.
func (c *Clip) Name() string { return c.name }

// Choices is always the clip as it is; when the wish was another, Reason says
// so. It is a *NotOffered when H.264 is not welcome.
func (c *Clip) Choices(w Wish) ([]Choice, error) {
	if !w.PassH264 {
		return nil, &NotOffered{c.name, "a raw format", "H264"}
	}
	f := c.format
	choice := Choice{FourCC: f.FourCC, Width: f.Width, Height: f.Height, Rate: f.Rate}
	choice.Reason = fmt.Sprintf("%dx%d at %v/s as H264, which needs no encoder", f.Width, f.Height, f.Rate)
	if w.Width > 0 && w.Height > 0 && (w.Width != f.Width || w.Height != f.Height) {
		choice.Reason += fmt.Sprintf("; a clip has its own size, %dx%d cannot be had", w.Width, w.Height)
	}
	if w.Rate.Num > 0 && w.Rate.reduced() != f.Rate {
		choice.Reason += fmt.Sprintf("; a clip has its own rate, %v/s cannot be had", w.Rate)
	}
	return []Choice{choice}, nil
}

// Configure accepts what Choices gave.
func (c *Clip) Configure(choice Choice) (Format, error) {
	f := c.format
	if choice.FourCC != f.FourCC || choice.Width != f.Width || choice.Height != f.Height || choice.Rate != f.Rate {
		return Format{}, &NotOffered{c.name,
			fmt.Sprintf("%dx%d at %v/s as %v", choice.Width, choice.Height, choice.Rate, choice.FourCC),
			fmt.Sprintf("%dx%d at %v/s as %v", f.Width, f.Height, f.Rate, f.FourCC)}
	}
	return f, nil
}

// Start begins the loop at its first picture.
func (c *Clip) Start() error {
	if c.pool.started() {
		return fmt.Errorf("start %s: %w", c.name, errRunning)
	}
	c.at = 0
	c.pace = pacer{epoch: now(), rate: c.format.Rate}
	if err := c.pool.start(clipBuffers); err != nil {
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	return nil
}

// Next waits for the next access unit and lends it. Its Timestamp is the
// instant at which it was due.
func (c *Clip) Next(deadline time.Time) (*Frame, error) {
	if err := c.pool.enter(); err != nil {
		return nil, err
	}
	defer c.pool.leave()
	if err := c.pool.sleep(c.pace.due(), deadline); err != nil {
		return nil, err
	}
	f, err := c.pool.take(deadline)
	if err != nil {
		return nil, err
	}
	if late := now() - c.pace.due(); late > clipPatience {
		c.pace.epoch += late
	}
	if err := c.fill(f, c.units[c.at]); err != nil {
		c.pool.free <- f
		return nil, fmt.Errorf("clip %s: %w", c.name, err)
	}
	f.Timestamp, f.Sequence = c.pace.due(), c.sequence
	c.at = (c.at + 1) % len(c.units)
	c.pace.n++
	c.sequence++
	return c.pool.lend(f)
}

// fill reads a unit into the buffer of a frame, which grows to what it needs.
func (c *Clip) fill(f *Frame, u clipUnit) (err error) {
	buf := &c.buffers[f.Index]
	if n := u.end - u.start; cap(*buf) < n {
		*buf = make([]byte, min(n+n/4, c.format.Size))
	}
	f.Data, err = u.read(c.file, *buf)
	return err
}

// Stop ends the replay, and waits until nothing is lent.
func (c *Clip) Stop(ctx context.Context) error {
	if err := c.pool.stop(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", c.name, err)
	}
	return nil
}

// SetRate refuses any rate but the clip's own.
func (c *Clip) SetRate(r Rate) (Rate, error) {
	own := c.format.Rate
	if r.Num <= 0 || r.Den <= 0 || r.reduced() != own {
		return own, &NotOffered{c.name, fmt.Sprintf("%v frames per second", r), own.String()}
	}
	return own, nil
}

// Controls is empty: a clip has none.
func (c *Clip) Controls() ([]v4l2.Control, error) { return nil, nil }

// Control is always unix.EINVAL.
func (c *Clip) Control(id uint32) (int64, error) {
	return 0, fmt.Errorf("control %#x of %s: %w", id, c.name, unix.EINVAL)
}

// SetControl is always unix.EINVAL.
func (c *Clip) SetControl(id uint32, _ int64) error {
	_, err := c.Control(id)
	return err
}

// Dropped is 0: a clip drops nothing.
func (c *Clip) Dropped() uint64 { return 0 }

// Close stops it, if it runs, waits until nothing is lent, and closes the file.
func (c *Clip) Close() error {
	err := c.Stop(context.Background())
	if e := c.file.Close(); !errors.Is(e, os.ErrClosed) { // closing again does nothing
		err = errors.Join(err, e)
	}
	return err
}
