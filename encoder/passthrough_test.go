package encoder

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A passRig is a pass-through and the camera in front of it.
type passRig struct {
	t      *testing.T
	codec  *Passthrough
	frames []capture.Frame
	free   []int
	units  []*Unit
	asked  int // key frames
}

func newPassRig(t *testing.T) *passRig {
	r := &passRig{t: t, frames: make([]capture.Frame, 6)}
	for i := range r.frames {
		r.frames[i].Index = i
		r.frames[i].Init(func() { r.free = append(r.free, i) })
		r.free = append(r.free, i)
	}
	r.codec = NewPassthrough(func() error { r.asked++; return nil })
	if _, err := r.codec.Configure(capture.Format{FourCC: v4l2.H264, Width: 640, Height: 360, Buffers: 6}, plain(640, 360)); err != nil {
		t.Fatal(err)
	}
	if err := r.codec.Start(func(u *Unit) { r.units = append(r.units, u) }, func(err error) { t.Error(err) }); err != nil {
		t.Fatal(err)
	}
	return r
}

// pass gives the codec a frame of NAL units.
func (r *passRig) pass(at time.Duration, damaged bool, nalus ...[]byte) bool {
	r.t.Helper()
	f := &r.frames[r.free[0]]
	r.free = r.free[1:]
	f.Lend()
	f.Data = nil
	for _, nal := range nalus {
		f.Data = append(append(f.Data, 0, 0, 0, 1), nal...)
	}
	f.Timestamp, f.Damaged = at, damaged
	taken, err := r.codec.Encode(f)
	if err != nil {
		r.t.Error(err)
	}
	return taken
}

func (r *passRig) release() {
	for _, u := range r.units {
		u.Release()
	}
	r.units = nil
}

func TestPassthroughBeginsWithAKeyFrame(t *testing.T) {
	r := newPassRig(t)
	for i, nalus := range [][][]byte{{slice}, {idr}, {sps, pps}, {slice}, nil} {
		if r.pass(time.Duration(i), false, nalus...) {
			t.Errorf("frame %d was passed", i)
		}
	}
	if len(r.free) != 6 {
		t.Errorf("%d of 6 frames came back", len(r.free))
	}
	if !r.pass(10, false, sei, idr) || !r.pass(20, false, slice) || !r.pass(30, false, aud, sps2, pps2, idr) {
		t.Error("a frame was dropped")
	}
	want := []struct {
		key   bool
		nalus [][]byte
	}{{true, [][]byte{sps, pps, sei, idr}}, {false, [][]byte{slice}}, {true, [][]byte{aud, sps2, pps2, idr}}}
	for i, u := range r.units {
		if !bytes.Equal(bytes.Join(u.NALUs(), nil), bytes.Join(want[i].nalus, nil)) || u.Key() != want[i].key ||
			u.Timestamp() != time.Duration(10*(i+1)) {
			t.Errorf("unit %d: %x, key %v, %v", i, u.NALUs(), u.Key(), u.Timestamp())
		}
	}
	if len(r.free) != 3 {
		t.Errorf("%d frames came back before their units", len(r.free))
	}
	r.release()
	if len(r.free) != 6 {
		t.Errorf("%d of 6 frames came back", len(r.free))
	}
	if c := r.codec.Counters(); c != (Counters{Imported: 3, Encoded: 3}) {
		t.Errorf("%+v", c)
	}
}

// What the camera can spare is passed; what is lost is followed by a key frame.
func TestPassthroughLosses(t *testing.T) {
	r := newPassRig(t)
	if r.pass(1, true, sps, pps, idr); r.asked != 0 {
		t.Error("a key frame was asked for before the beginning")
	}
	r.pass(2, false, sps, pps, idr)
	if r.pass(3, true, slice) || r.asked != 1 {
		t.Errorf("a damaged frame: asked %d times", r.asked)
	}
	for range 3 {
		if !r.pass(4, false, slice) {
			t.Error("a frame was dropped")
		}
	}
	if r.pass(5, false, slice) || r.asked != 2 || len(r.free) != 2 {
		t.Errorf("the camera keeps %d buffers, a key frame was asked for %d times", len(r.free), r.asked)
	}
	r.release()
	if !r.pass(6, false, slice) {
		t.Error("a frame was dropped though all units are back")
	}
	r.release()
	if c := r.codec.Counters(); c.Damaged != 2 || c.Encoded != 5 {
		t.Errorf("%+v", c)
	}
}

func TestPassthroughStopWaits(t *testing.T) {
	r := newPassRig(t)
	r.pass(1, false, sps, pps, idr)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := r.codec.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop with a unit on loan: %v", err)
	}
	if r.pass(2, false, idr) {
		t.Error("a frame was passed after Stop")
	}
	r.release()
	if err := r.codec.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if err := r.codec.Start(func(u *Unit) { u.Release() }, nil); err != nil {
		t.Error(err)
	}
	if r.pass(3, false, slice) || !r.pass(4, false, idr) {
		t.Error("it must begin again with a key frame")
	}
}

func TestPassthroughRefuses(t *testing.T) {
	r := newPassRig(t)
	const own = "the camera encodes by itself"
	for name, change := range map[string]func(*Settings){
		"":             func(*Settings) {},
		"bitrate":      func(s *Settings) { s.Bitrate++ },
		"gop":          func(s *Settings) { s.GOP++ },
		"framerate":    func(s *Settings) { s.Rate.Num++ },
		"resolution":   func(s *Settings) { s.Width += 2 },
		"profile":      func(s *Settings) { s.Profile = High },
		"bitrate_mode": func(s *Settings) { s.Mode = CBR },
	} {
		s := plain(640, 360)
		change(&s)
		accepts := own
		if name == "resolution" || name == "profile" || name == "bitrate_mode" {
			accepts = "while it runs"
		}
		checkRefused(t, r.codec.Set(s), name, accepts)
	}
	if err := r.codec.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err := r.codec.Configure(capture.Format{FourCC: v4l2.H264, Width: 1280, Height: 720, Buffers: 6}, plain(640, 360))
	checkRefused(t, err, "resolution", own)
	if _, err := r.codec.Configure(capture.Format{FourCC: v4l2.YUYV, Width: 640, Height: 360}, plain(640, 360)); err == nil {
		t.Error("raw frames were taken")
	}
	checkRefused(t, NewPassthrough(nil).ForceKeyFrame(), "keyframe", "nothing")
	if err := NewPassthrough(nil).Start(nil, nil); err == nil {
		t.Error("started without a format")
	}
}

func TestPassthroughAllocatesNothing(t *testing.T) {
	r := newPassRig(t)
	r.codec.deliver = func(u *Unit) { u.Release() }
	f := &r.frames[0]
	f.Init(func() {})
	f.Data = bytes.Join([][]byte{{}, sps, pps, idr}, []byte{0, 0, 0, 1})
	if n := testing.AllocsPerRun(100, func() {
		f.Lend()
		if taken, _ := r.codec.Encode(f); !taken {
			t.Error("a frame was dropped")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
