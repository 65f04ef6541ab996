//go:build virt

package encoder

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lenslet/capture"
	"lenslet/capture/v4l2"
	"lenslet/encoder/h264"
)

// hdmiCamera is the node of the virtual board that takes every even size.
const hdmiCamera = "/dev/video2"

// patience is how long a device may take on a slow machine.
const patience = 60 * time.Second

// An m2mRig feeds a codec from the camera, or from frames in ordinary memory.
type m2mRig struct {
	t      testing.TB
	closed bool
	cam    *capture.Camera // nil: frames come from memory
	codec  *M2M
	format capture.Format
	units  chan *Unit // that were delivered; lent
	failed chan error
	fails  atomic.Int32
	taken  atomic.Int64 // frames that Encode took
	denied atomic.Int64 // frames that Encode dropped
	quit   chan struct{}
	fed    chan struct{} // closed when the feeding has ended
}

// openM2MRig opens the encoder, found by capability, and the camera.
func openM2MRig(t testing.TB) *m2mRig {
	t.Helper()
	r := newM2MRig(t)
	var err error
	if r.cam, err = capture.OpenCamera(hdmiCamera, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return r
}

// newM2MRig opens the encoder alone.
func newM2MRig(t testing.TB) *m2mRig {
	t.Helper()
	codec, err := OpenM2M("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &m2mRig{t: t, codec: codec}
	t.Cleanup(r.close)
	return r
}

// close is called at the end of the test, and before it where a test needs the
// devices back.
func (r *m2mRig) close() {
	if r.closed {
		return
	}
	r.closed = true
	r.stop()
	if r.cam != nil {
		if err := r.cam.Close(); err != nil {
			r.t.Error(err)
		}
	}
	if err := r.codec.Close(); err != nil {
		r.t.Error(err)
	}
}

// configure sets camera and codec to a format and settings.
func (r *m2mRig) configure(f v4l2.FourCC, s Settings) capture.Format {
	r.t.Helper()
	format, err := r.cam.Configure(capture.Choice{FourCC: f, Width: s.Width, Height: s.Height, Rate: s.Rate})
	if err != nil {
		r.t.Fatal(err)
	}
	r.format = format
	layout, err := r.codec.Configure(format, s)
	if err != nil {
		r.t.Fatal(err)
	}
	return layout
}

// start starts the codec and feeds it from the camera.
func (r *m2mRig) start() {
	r.t.Helper()
	r.startCodec()
	if err := r.cam.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.quit, r.fed = make(chan struct{}), make(chan struct{})
	go r.feed()
}

// startCodec starts the codec alone.
func (r *m2mRig) startCodec() {
	r.t.Helper()
	r.units, r.failed = make(chan *Unit, 1000), make(chan error, 10)
	r.fails.Store(0)
	if err := r.codec.Start(func(u *Unit) { r.units <- u }, func(err error) {
		r.fails.Add(1)
		r.failed <- err
	}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *m2mRig) feed() {
	defer close(r.fed)
	for {
		select {
		case <-r.quit:
			return
		default:
		}
		f, err := r.cam.Next(time.Now().Add(100 * time.Millisecond))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err != nil {
			r.t.Errorf("the camera: %v", err)
			return
		}
		taken, err := r.codec.Encode(f)
		if err != nil {
			return
		}
		if taken {
			r.taken.Add(1)
		} else {
			r.denied.Add(1)
		}
	}
}

// stopFeeding ends the feeding; what the codec has stays there.
func (r *m2mRig) stopFeeding() {
	if r.quit != nil {
		close(r.quit)
		<-r.fed
		r.quit = nil
	}
}

// stop ends everything; units that nobody took are released.
func (r *m2mRig) stop() {
	r.t.Helper()
	r.stopFeeding()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	drop := make(chan struct{})
	go func() {
		for u := range r.units {
			u.Release()
		}
		close(drop)
	}()
	if err := r.codec.Stop(ctx); err != nil {
		r.t.Error(err)
	}
	if r.units != nil {
		close(r.units)
		<-drop
		r.units = nil
	}
	if r.cam != nil {
		if err := r.cam.Stop(ctx); err != nil {
			r.t.Error(err)
		}
	}
}

// next is the next unit, lent.
func (r *m2mRig) next() *Unit {
	r.t.Helper()
	select {
	case u := <-r.units:
		return u
	case err := <-r.failed:
		r.t.Fatal(err)
	case <-time.After(patience):
		r.t.Fatal("no unit came")
	}
	return nil
}

// A seen is what a test keeps of a unit.
type seen struct {
	key  bool
	sets bool // SPS and PPS are in it
	size int  // bytes
	sps  h264.SPS
	time time.Duration
}

// see takes the next unit, looks at it and releases it.
func (r *m2mRig) see() seen {
	r.t.Helper()
	u := r.next()
	defer u.Release()
	s := seen{key: u.Key(), time: u.Timestamp()}
	var sps, pps bool
	for _, nal := range u.NALUs() {
		s.size += len(nal)
		switch h264.TypeOf(nal) {
		case h264.TypeSPS:
			sps = true
			var err error
			if s.sps, err = h264.ParseSPS(nal); err != nil {
				r.t.Error(err)
			}
		case h264.TypePPS:
			pps = true
		}
	}
	s.sets = sps && pps
	return s
}

// await waits until a key frame comes, at most n units from now, and tells how
// many came before it.
func (r *m2mRig) await(n int) int {
	r.t.Helper()
	for i := range n {
		if r.see().key {
			return i
		}
	}
	r.t.Fatalf("no key frame among %d units", n)
	return 0
}

// parameter sets a parameter of the virtual encoder until the test ends.
func parameter(t testing.TB, name, value string) {
	t.Helper()
	path := "/sys/module/vh264enc/parameters/" + name
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(path, []byte(strings.TrimSpace(string(old))), 0o600); err != nil {
			t.Error(err)
		}
	})
}

// move makes the camera's picture move.
func (r *m2mRig) move() {
	r.t.Helper()
	controls, err := r.cam.Controls()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, c := range controls {
		if c.Key() == "horizontal_movement" {
			if err := r.cam.SetControl(c.ID, c.Max); err != nil {
				r.t.Fatal(err)
			}
			r.t.Cleanup(func() { _ = r.cam.SetControl(c.ID, c.Default) })
			return
		}
	}
	r.t.Fatal("the camera has no horizontal_movement")
}
