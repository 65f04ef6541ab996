//go:build openh264 && cgo

package encoder

// #cgo LDFLAGS: -lopenh264
// #include <stdlib.h>
// #include "openh264_shim.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"lenslet/capture"
	"lenslet/capture/v4l2"
	"lenslet/encoder/h264"
)

// An OpenH264 encodes by the CPU, with the library of that name. It works in
// the goroutine that calls Encode.
type OpenH264 struct {
	log  *slog.Logger
	shim *C.struct_shim // memory of C; its enc is nil while nothing is configured

	mu       sync.Mutex // one call of the library at a time; guards all below
	settings Settings
	format   capture.Format
	direct   layout     // frames that go in as they are, n is 0 if they must be converted
	convert  *converter // the others
	picture  []byte     // what convert writes, in the layout i420
	i420     layout
	units    unitPool
	deliver  func(*Unit) // nil while stopped
	sets     parameterSets

	key      atomic.Bool // the next frame shall be a key frame
	imported atomic.Uint64
	copied   atomic.Uint64
	encoded  atomic.Uint64
}

// NewOpenH264 makes a software encoder.
func NewOpenH264(log *slog.Logger) (Codec, error) {
	s := (*C.struct_shim)(C.calloc(1, C.sizeof_struct_shim))
	if s == nil {
		return nil, errors.New("OpenH264: out of memory")
	}
	return &OpenH264{log: log, shim: s}, nil
}

// Name tells the version of the library.
func (o *OpenH264) Name() string {
	v := C.WelsGetCodecVersion()
	return fmt.Sprintf("OpenH264 %d.%d.%d", v.uMajor, v.uMinor, v.uRevision)
}

// Imports lists planar 4:2:0, which it reads where it lies.
func (o *OpenH264) Imports() []v4l2.FourCC { return []v4l2.FourCC{v4l2.YU12, v4l2.YV12} }

// Converts lists everything that a converter reads.
func (o *OpenH264) Converts() []v4l2.FourCC { return convertible()[2:] }

// Configure makes an encoder and reads back from its parameter sets what it
// will really do.
func (o *OpenH264) Configure(f capture.Format, s Settings) (capture.Format, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.deliver != nil {
		return capture.Format{}, errors.New("configure OpenH264: it runs")
	}
	if err := o.Check(s); err != nil {
		return capture.Format{}, err
	}
	if err := o.lay(f, s); err != nil {
		return capture.Format{}, err
	}
	if err := o.open(s); err != nil {
		return capture.Format{}, err
	}
	o.format, o.settings = f, s
	f.Width, f.Height = s.Width, s.Height
	if o.direct.n == 0 {
		f.FourCC, f.Stride, f.Size = v4l2.YU12, o.i420.planes[0].stride, o.i420.size
	}
	return f, nil
}

// lay decides how frames become pictures.
func (o *OpenH264) lay(f capture.Format, s Settings) error {
	o.direct, o.convert, o.picture = layout{}, nil, nil
	if f.FourCC == v4l2.YU12 || f.FourCC == v4l2.YV12 {
		l, ok := layoutOf(f, s.Width, s.Height)
		if !ok {
			return fmt.Errorf("configure OpenH264: %dx%d frames cannot give %dx%d pictures", f.Width, f.Height, s.Width, s.Height)
		}
		o.direct = l
		return nil
	}
	o.i420, _ = newLayout(v4l2.YU12, s.Width, s.Height, s.Width, s.Height)
	c, err := newConverter(f, o.i420)
	if err != nil {
		return fmt.Errorf("configure OpenH264: %w", err)
	}
	o.convert, o.picture = c, make([]byte, o.i420.size)
	return nil
}

// open makes a new encoder of the library.
func (o *OpenH264) open(s Settings) error {
	C.shim_close(o.shim)
	p := C.struct_shim_settings{
		width: C.int(s.Width), height: C.int(s.Height), rate: C.float(s.Rate.Float()),
		bitrate: C.int(s.Bitrate), peak: C.int(peak(s)), rc_mode: C.int(rateControl(s.Mode)),
		gop: C.int(min(s.GOP, math.MaxInt32)), profile: 66, level: C.int(s.Level), complexity: C.int(complexity(runtime.NumCPU())),
	}
	switch s.Profile {
	case Main:
		p.profile, p.cabac = 77, 1
	case High:
		p.profile, p.cabac = 100, 1
	}
	if err := C.shim_open(o.shim, &p); err != 0 {
		return fmt.Errorf("configure OpenH264: the library refused the settings (%d)", int(err))
	}
	if err := o.readBack(s, int(p.profile)); err != nil {
		C.shim_close(o.shim)
		return err
	}
	return nil
}

// rateControl chooses among the library's modes. Both meet the average; the
// others do not without skipping frames. In quality mode a picture keeps one
// quality, in bitrate mode it varies within the picture to meet its share.
func rateControl(m Mode) int {
	if m == CBR {
		return C.RC_BITRATE_MODE
	}
	return C.RC_QUALITY_MODE
}

// complexity spends a quarter more time on smaller units where there are
// processors to spare.
func complexity(cpus int) int {
	if cpus >= 4 {
		return C.MEDIUM_COMPLEXITY
	}
	return C.LOW_COMPLEXITY
}

// readBack compares the settings with the parameter sets of the encoder.
func (o *OpenH264) readBack(s Settings, profile int) error {
	if err := C.shim_headers(o.shim); err != 0 {
		return fmt.Errorf("configure OpenH264: no parameter sets (%d)", int(err))
	}
	header := make([]byte, max(1, C.shim_size(o.shim)))
	C.shim_copy(o.shim, (*C.uint8_t)(unsafe.Pointer(&header[0])))
	o.sets = parameterSets{}
	o.sets.take(h264.Split(nil, header))
	if !o.sets.known() {
		return errors.New("configure OpenH264: it gave no parameter sets")
	}
	sps, err := h264.ParseSPS(o.sets.sps[0])
	switch {
	case err != nil:
		return fmt.Errorf("configure OpenH264: %w", err)
	case sps.Width != s.Width || sps.Height != s.Height:
		return &Refused{"resolution", fmt.Sprintf("%dx%d", s.Width, s.Height), fmt.Sprintf("%dx%d", sps.Width, sps.Height)}
	case int(sps.Profile) != profile:
		return &Refused{"profile", string(s.Profile), fmt.Sprintf("profile_idc %d", sps.Profile)}
	case Level(sps.Level) > s.Level && s.Level != Level1b:
		return &Refused{"level", s.Level.String(), Level(sps.Level).String() + " for this size, rate and bit rate"}
	}
	return nil
}

// Start begins.
func (o *OpenH264) Start(deliver func(*Unit), _ func(error)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shim.enc == nil {
		return errors.New("start OpenH264: not configured")
	}
	if o.deliver != nil {
		return errors.New("start OpenH264: it runs")
	}
	o.deliver = deliver
	o.units.open()
	o.key.Store(true) // also after a restart without another Configure
	return nil
}

// Encode encodes the frame and delivers the unit before it returns.
func (o *OpenH264) Encode(f *capture.Frame) (bool, error) {
	defer f.Release()
	o.mu.Lock()
	deliver := o.deliver
	if deliver == nil {
		o.mu.Unlock()
		return false, nil
	}
	u, err := o.encode(f)
	o.mu.Unlock()
	if u == nil {
		return false, err
	}
	deliver(u)
	return true, nil
}

// encode makes a unit of a frame; nil if the frame must be dropped.
func (o *OpenH264) encode(f *capture.Frame) (*Unit, error) {
	data, l := f.Data, &o.direct
	if o.convert != nil {
		if err := o.convert.convert(o.picture, data); err != nil {
			o.log.Debug("a frame cannot be read", "sequence", f.Sequence, "error", err)
			return nil, nil
		}
		data, l = o.picture, &o.i420
	} else if len(data) < l.size {
		o.log.Debug("a frame cannot be read", "sequence", f.Sequence, "error", errShort)
		return nil, nil
	}
	u := o.units.get()
	if u == nil {
		return nil, nil
	}
	if err := o.call(data, l, f.Timestamp); err != nil {
		u.Release()
		return nil, err
	}
	if o.convert != nil {
		o.copied.Add(1)
	} else {
		o.imported.Add(1)
	}
	if !o.fillUnit(u, f.Timestamp) {
		u.Release()
		return nil, nil
	}
	o.encoded.Add(1)
	return &u.Unit, nil
}

// call has the library encode a picture.
func (o *OpenH264) call(data []byte, l *layout, t time.Duration) error {
	cb, cr := 1, 2
	if l.fourcc == v4l2.YV12 {
		cb, cr = 2, 1
	}
	key := C.int(0)
	if o.key.Swap(false) {
		key = 1
	}
	if err := C.shim_encode(o.shim, at(data, l.planes[0].offset), at(data, l.planes[cb].offset), at(data, l.planes[cr].offset),
		C.int(l.planes[0].stride), C.int(l.planes[1].stride), C.int(l.width), C.int(l.height),
		C.longlong(t/time.Millisecond), key); err != 0 {
		return fmt.Errorf("OpenH264: a frame could not be encoded (%d)", int(err))
	}
	return nil
}

func at(b []byte, offset int) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(&b[offset])) }

// fillUnit copies the result of the library, which is valid until its next
// call, into the unit. False: there is no picture in it.
func (o *OpenH264) fillUnit(u *pooledUnit, t time.Duration) bool {
	n := int(C.shim_size(o.shim))
	if n == 0 {
		return false
	}
	u.resize(n)
	C.shim_copy(o.shim, (*C.uint8_t)(unsafe.Pointer(&u.data[0])))
	u.nalus = h264.Split(u.nalus[:0], u.data)
	picture, key := kind(u.nalus)
	if key {
		o.sets.take(u.nalus)
		u.nalus = o.sets.complete(u.nalus)
	}
	u.key, u.timestamp = key, t
	return picture
}

// Set changes bit rate, GOP and frame rate.
func (o *OpenH264) Set(s Settings) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shim.enc == nil {
		return errors.New("set OpenH264: not configured")
	}
	if err := o.settings.fixed(s); err != nil {
		return err
	}
	if err := o.Check(s); err != nil {
		return err
	}
	if err := o.apply(s); err != nil {
		return errors.Join(err, o.apply(o.settings))
	}
	o.settings = s
	return nil
}

func (o *OpenH264) apply(s Settings) error {
	if err := C.shim_set_rate(o.shim, C.float(s.Rate.Float())); err != 0 {
		return &Refused{"framerate", s.Rate.String(), o.settings.Rate.String()}
	}
	if err := C.shim_set_bitrate(o.shim, C.int(s.Bitrate), C.int(peak(s))); err != 0 {
		return &Refused{"bitrate", fmt.Sprint(s.Bitrate), fmt.Sprint(o.settings.Bitrate)}
	}
	if err := C.shim_set_gop(o.shim, C.int(min(s.GOP, math.MaxInt32))); err != 0 {
		return &Refused{"gop", fmt.Sprint(s.GOP), fmt.Sprint(o.settings.GOP)}
	}
	return nil
}

// Settings tells what is in force.
func (o *OpenH264) Settings() Settings {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.settings
}

// ForceKeyFrame makes the next frame a key frame.
func (o *OpenH264) ForceKeyFrame() error {
	o.key.Store(true)
	return nil
}

// Drain has nothing to wait for: Encode returns when its unit is delivered.
func (o *OpenH264) Drain(context.Context) error { return nil }

// Stop waits until no unit is lent.
func (o *OpenH264) Stop(ctx context.Context) error {
	o.mu.Lock()
	o.deliver = nil
	o.mu.Unlock()
	if err := o.units.close(ctx); err != nil {
		return fmt.Errorf("stop OpenH264: %d units are lent: %w", o.units.loans.Out(), err)
	}
	return nil
}

// Close frees the library's memory.
func (o *OpenH264) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.shim != nil {
		C.shim_close(o.shim)
		C.free(unsafe.Pointer(o.shim))
		o.shim = nil
	}
	return nil
}

// Counters tells what it did.
func (o *OpenH264) Counters() Counters {
	return Counters{Imported: o.imported.Load(), Copied: o.copied.Load(), Encoded: o.encoded.Load()}
}
