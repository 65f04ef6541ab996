package encoder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// An M2M is a stateful H.264 encoder behind a V4L2 mem2mem node with the
// multi-planar API (Documentation/userspace-api/media/v4l/dev-encoder.rst).
//
// The journey of a picture:
//
//  1. Encode queues the frame on OUTPUT: its dmabuf, in the slot of the frame's
//     index, or a copy in the driver's memory (m2m_input.go).
//  2. run waits for the codec and collects what it is done with (m2m_output.go):
//     the raw buffer, whose frame is released,
//  3. and the coded buffer of CAPTURE, which is lent as a Unit.
//  4. The last Release queues the coded buffer again.
type M2M struct {
	log      *slog.Logger
	dev      *v4l2.Device
	name     string
	controls map[uint32]v4l2.Control // those that the driver has
	raw      []v4l2.FourCC           // that it takes, best first
	sizes    []v4l2.SizeRange        // of H.264

	input  *v4l2.Queue // OUTPUT, as the kernel calls it: raw frames
	output *v4l2.Queue // CAPTURE: units

	encoding sync.Mutex // held by Encode, and by who must know that it is not under way

	mu        sync.Mutex // guards all below, and the ioctls of the queues
	state     state
	settings  Settings
	frames    capture.Format // that come
	from, to  layout         // of the frames, of the input's buffers
	payload   int            // bytes that the driver wants to get with each frame
	converter *converter     // frames of formats that the codec does not take; else nil
	canImport bool           // the layouts are equal
	noImport  bool           // an import failed: never try again
	importing bool           // this run imports
	slots     []inputSlot
	busy      int // slots in use
	stamps    stamps
	units     []m2mUnit
	sets      parameterSets
	loans     capture.Loans
	deliver   func(*Unit)
	failed    func(error)
	err       error         // why run ended by itself
	done      chan struct{} // closed by run at its end
	kick      chan struct{} // capacity 1: a buffer was queued; never closed

	reading reading  // belongs to run's goroutine
	copies  unitPool // of units that are slow to read

	imported, copied, encoded, damaged, unitsCopied atomic.Uint64
}

// A state of an M2M.
type state int

const (
	unconfigured state = iota // from the opening, and while Configure fails
	ready                     // configured; nothing is allocated
	running                   // from Start to Drain or Stop
	draining                  // no frame is taken any more, units still come
	stopping                  // what is lent comes back
)

// A NoEncoder says that no encoder was found, and why not.
type NoEncoder struct {
	Looked []capture.Looked // every node, by number
}

// Error names every node that was looked at.
func (e *NoEncoder) Error() string {
	if len(e.Looked) == 0 {
		return "no hardware encoder found: there is no /dev/video node"
	}
	reasons := make([]string, len(e.Looked))
	for i, l := range e.Looked {
		reasons[i] = l.Path + " " + l.Err.Error()
	}
	return "no hardware encoder found: " + strings.Join(reasons, "; ")
}

// Unwrap gives what each node said.
func (e *NoEncoder) Unwrap() []error { return capture.Errors(e.Looked) }

// OpenM2M opens the encoder at path, or for "" the first node that is one by
// its capabilities. None is a *NoEncoder.
func OpenM2M(path string, log *slog.Logger) (*M2M, error) {
	if path != "" {
		m, err := openM2M(path, log)
		if err != nil {
			return nil, fmt.Errorf("encoder %s %w", path, err)
		}
		return m, nil
	}
	paths, err := v4l2.Devices()
	if err != nil {
		return nil, err
	}
	var none NoEncoder
	for _, path := range paths {
		m, err := openM2M(path, log)
		if err == nil {
			return m, nil
		}
		none.Looked = append(none.Looked, capture.Looked{Path: path, Err: err})
	}
	return nil, &none
}

// openM2M opens one node. Its errors go on after the name of the node.
func openM2M(path string, log *slog.Logger) (*M2M, error) {
	dev, err := v4l2.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", errors.Unwrap(err))
	}
	m := &M2M{log: log, dev: dev, kick: make(chan struct{}, 1), reading: reading{took: copyTime}}
	if err := m.examine(); err != nil {
		return nil, errors.Join(err, dev.Close())
	}
	return m, nil
}

// examine finds out whether the device is an encoder, and what it can.
func (m *M2M) examine() error {
	is, err := m.dev.Capability()
	if err != nil {
		return fmt.Errorf("is no V4L2 device: %w", err)
	}
	if !is.M2M() || is.CaptureType() != v4l2.VideoCaptureMPlane || !is.Streaming() {
		return fmt.Errorf("(%s) is no codec with the multi-planar API", is.Card)
	}
	coded, err := m.dev.Formats(v4l2.VideoCaptureMPlane)
	if err != nil {
		return fmt.Errorf("(%s): %w", is.Card, err)
	}
	if !slices.ContainsFunc(coded, func(d v4l2.FormatDesc) bool { return d.FourCC == v4l2.H264 }) {
		return fmt.Errorf("(%s) gives no H.264", is.Card)
	}
	taken, err := m.dev.Formats(v4l2.VideoOutputMPlane)
	if err != nil {
		return fmt.Errorf("(%s): %w", is.Card, err)
	}
	for _, f := range convertible() {
		if slices.ContainsFunc(taken, func(d v4l2.FormatDesc) bool { return d.FourCC == f }) && f != v4l2.MJPEG && f != v4l2.JPEG {
			m.raw = append(m.raw, f)
		}
	}
	if len(m.raw) == 0 {
		return fmt.Errorf("(%s) takes no format that cameras have", is.Card)
	}
	// not every driver lists sizes: Configure learns them then
	m.sizes, _ = m.dev.FrameSizes(v4l2.H264)
	m.name = fmt.Sprintf("%s (%s)", is.Card, m.dev.Path())
	m.input, m.output = m.dev.Queue(v4l2.VideoOutputMPlane), m.dev.Queue(v4l2.VideoCaptureMPlane)
	return m.describe(is.Driver)
}

// describe asks for the controls of an encoder.
func (m *M2M) describe(driver string) error {
	m.controls = make(map[uint32]v4l2.Control)
	for _, id := range []uint32{v4l2.CIDBFrames, v4l2.CIDGOPSize, v4l2.CIDBitrateMode, v4l2.CIDBitrate, v4l2.CIDHeaderMode,
		v4l2.CIDRepeatSeqHeader, v4l2.CIDForceKeyFrame, v4l2.CIDMinQP, v4l2.CIDMaxQP, v4l2.CIDIPeriod, v4l2.CIDLevel, v4l2.CIDProfile} {
		c, err := m.dev.QueryControl(id)
		switch {
		case errors.Is(err, unix.EINVAL):
			m.log.Debug("the encoder lacks a control", "encoder", m.name, "control", fmt.Sprintf("%#x", id))
		case err != nil:
			return err
		default:
			m.controls[id] = c
		}
	}
	if c, ok := m.controls[v4l2.CIDBitrate]; ok && driver == "bcm2835-codec" {
		c.Max -= c.Step // with the very last value it does not start
		m.controls[v4l2.CIDBitrate] = c
	}
	return nil
}

// Name is what the driver says, and the node: "vh264enc (/dev/video11)".
func (m *M2M) Name() string { return m.name }

// Path is the node: "/dev/video11".
func (m *M2M) Path() string { return m.dev.Path() }

// Imports lists the raw formats of the driver.
func (m *M2M) Imports() []v4l2.FourCC { return slices.Clone(m.raw) }

// Converts lists what becomes YU12 by the CPU, if the driver takes that.
func (m *M2M) Converts() []v4l2.FourCC {
	if !slices.Contains(m.raw, v4l2.YU12) {
		return nil
	}
	return slices.DeleteFunc(convertible(), func(f v4l2.FourCC) bool { return slices.Contains(m.raw, f) })
}

// Settings tells what is in force, rounded to what the driver can.
func (m *M2M) Settings() Settings {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings
}

// Counters tells what it did since it was opened.
func (m *M2M) Counters() Counters {
	return Counters{Imported: m.imported.Load(), Copied: m.copied.Load(), Encoded: m.encoded.Load(), Damaged: m.damaged.Load(), UnitsCopied: m.unitsCopied.Load()}
}

// Close closes the device; if it runs it is stopped first.
func (m *M2M) Close() error {
	return errors.Join(m.Stop(context.Background()), m.dev.Close())
}

// stamps remembers the exact times of the frames under way: a codec carries
// them on as microseconds.
type stamps struct {
	times [64]time.Duration
	next  int
}

func (s *stamps) put(t time.Duration) {
	s.times[s.next] = t
	s.next = (s.next + 1) % len(s.times)
}

// find is the exact time of what came back as t, or t itself.
func (s *stamps) find(t time.Duration) time.Duration {
	for i := range s.times {
		exact := s.times[(s.next+len(s.times)-1-i)%len(s.times)]
		if exact != 0 && exact.Truncate(time.Microsecond) == t {
			return exact
		}
	}
	return t
}
