//go:build virt

package encoder

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

func TestVirtFindsTheEncoder(t *testing.T) {
	r := newM2MRig(t)
	if got := r.codec.Name(); got != "vh264enc (/dev/video11)" {
		t.Errorf("found %s", got)
	}
	if got := r.codec.Imports(); len(got) != 6 || got[0] != v4l2.YU12 {
		t.Errorf("imports %v", got)
	}
	for _, f := range r.codec.Converts() {
		if f == v4l2.YU12 || f == v4l2.UYVY {
			t.Errorf("%s is said to need a conversion", f)
		}
	}
	_, err := OpenM2M(hdmiCamera, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), hdmiCamera) || !strings.Contains(err.Error(), "no codec") {
		t.Errorf("a camera as encoder: %v", err)
	}
	if _, err := OpenM2M("/dev/video99", slog.New(slog.DiscardHandler)); !errors.Is(err, unix.ENOENT) {
		t.Errorf("a missing node: %v", err)
	}
}

func TestVirtSaysWhatItLookedAt(t *testing.T) {
	unbind(t)
	_, err := OpenM2M("", slog.New(slog.DiscardHandler))
	var none *NoEncoder
	if !errors.As(err, &none) || len(none.Looked) < 3 || !strings.Contains(err.Error(), "/dev/video0 (vivid) is no codec") {
		t.Errorf("without an encoder: %v", err)
	}
}

func TestVirtImportsFrames(t *testing.T) {
	for _, f := range []v4l2.FourCC{v4l2.YU12, v4l2.YUYV, v4l2.NV12} {
		t.Run(f.String(), func(t *testing.T) {
			r := openM2MRig(t)
			r.configure(f, plain(640, 360))
			r.start()
			last := time.Duration(0)
			for i := range 40 {
				s := r.see()
				if i == 0 && (!s.key || s.sps.Width != 640 || s.sps.Height != 360) {
					t.Errorf("the first unit: %+v", s)
				}
				if s.key && !s.sets {
					t.Error("a key frame without parameter sets")
				}
				if s.time <= last {
					t.Errorf("unit %d: %v after %v", i, s.time, last)
				}
				last = s.time
			}
			r.stop()
			if c := r.codec.Counters(); c.Imported != uint64(r.taken.Load()) || c.Copied != 0 || c.Encoded < 40 || c.Damaged != 0 {
				t.Errorf("%d frames taken: %+v", r.taken.Load(), c)
			}
		})
	}
}

func TestVirtConfiguresAgain(t *testing.T) {
	r := openM2MRig(t)
	for _, size := range [][2]int{{640, 360}, {1280, 720}, {642, 362}, {640, 360}} {
		layout := r.configure(v4l2.YU12, plain(size[0], size[1]))
		if layout.Stride < size[0] || layout.Size < size[0]*size[1]*3/2 {
			t.Errorf("%v: layout %+v", size, layout)
		}
		if layout.Stride != r.format.Stride { // ask the camera for what the codec wants
			f, err := r.cam.Configure(capture.Choice{FourCC: v4l2.YU12, Width: size[0], Height: size[1],
				Rate: r.format.Rate, Stride: layout.Stride})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.codec.Configure(f, plain(size[0], size[1])); err != nil {
				t.Fatal(err)
			}
		}
		before := r.codec.Counters()
		r.start()
		if s := r.see(); !s.key || s.sps.Width != size[0] || s.sps.Height != size[1] || s.sps.Level != 40 {
			t.Errorf("%v: %+v", size, s)
		}
		for range 5 {
			r.see()
		}
		r.stop()
		if c := r.codec.Counters(); c.Imported == before.Imported || c.Copied != before.Copied {
			t.Errorf("%v: %+v, before %+v", size, c, before)
		}
	}
}

func TestVirtFollowsTheBitrate(t *testing.T) {
	r := openM2MRig(t)
	s := plain(640, 360)
	s.Bitrate = 4_000_000
	r.configure(v4l2.YU12, s)
	r.move()
	r.start()
	for _, bitrate := range []int{4_000_000, 1_000_000, 3_010_000} {
		s.Bitrate = bitrate
		if err := r.codec.Set(s); err != nil {
			t.Fatal(err)
		}
		for range 15 { // under way before the change
			r.see()
		}
		bytes := 0
		for range 60 {
			bytes += r.see().size
		}
		got, want := bytes*8/60*30, r.codec.Settings().Bitrate
		if want%25_000 != 0 || want < bitrate-25_000 || want > bitrate+25_000 {
			t.Errorf("%d bit/s became %d", bitrate, want)
		}
		if got < want*8/10 || got > want*12/10 {
			t.Errorf("asked for %d bit/s, got %d", want, got)
		}
	}
}

func TestVirtKeyFrames(t *testing.T) {
	r := openM2MRig(t)
	s := plain(320, 180)
	s.GOP = 10
	r.configure(v4l2.YU12, s)
	r.start()
	r.await(1)
	for range 3 {
		if n := r.await(20); n != 9 {
			t.Errorf("%d units between two key frames, not 9", n)
		}
	}
	s.GOP = 100_000
	if err := r.codec.Set(s); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		r.see() // those of the old period
	}
	if err := r.codec.ForceKeyFrame(); err != nil {
		t.Fatal(err)
	}
	r.await(12)
	for i := range 40 {
		if r.see().key {
			t.Errorf("a key frame %d units after the forced one", i)
		}
	}
}

func TestVirtDrainDeliversAll(t *testing.T) {
	r := openM2MRig(t)
	parameter(t, "latency_ms", "40")
	r.configure(v4l2.YU12, plain(320, 180))
	for range 3 {
		r.taken.Store(0)
		r.start()
		r.see()
		r.stopFeeding()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		drained := make(chan error, 1)
		go func() { drained <- r.codec.Drain(ctx) }()
		units := int64(1)
		for open := true; open; {
			select {
			case u := <-r.units:
				u.Release()
				units++
			case err := <-drained:
				if err != nil {
					t.Fatal(err)
				}
				open = false
			}
		}
		cancel()
		units += int64(len(r.units))
		if taken := r.taken.Load(); units != taken {
			t.Errorf("%d frames, %d units", taken, units)
		}
		r.stop()
	}
	if err := r.codec.Drain(context.Background()); err != nil {
		t.Errorf("drain while stopped: %v", err)
	}
}

func TestVirtRefusals(t *testing.T) {
	r := newM2MRig(t)
	cases := []struct {
		name    string
		change  func(*Settings)
		accepts string
	}{
		{"", func(s *Settings) { s.Bitrate = 25_000 }, ""},
		{"bitrate", func(s *Settings) { s.Bitrate = 24_999 }, "25000 to 25000000 in steps of 25000"},
		{"bitrate", func(s *Settings) { s.Bitrate, s.Level = 25_000_001, 51 }, "25000 to 25000000 in steps of 25000"},
		{"resolution", func(s *Settings) { s.Width = 30 }, "32x32 to 1920x1920 in steps of 2x2"},
		{"resolution", func(s *Settings) { s.Width, s.Level = 1922, 51 }, "32x32 to 1920x1920"},
		{"level", func(s *Settings) { s.Level = 52 }, "5.0, 5.1"},
		{"framerate", func(s *Settings) { s.Level = 30; s.Rate.Num = 300 }, "level 3.0"},
		{"", func(s *Settings) { s.Profile, s.Mode = High, CBR }, ""},
	}
	f := capture.Format{FourCC: v4l2.YU12, Width: 640, Height: 360, Stride: 640, Size: 640 * 540, Buffers: 4}
	for _, c := range cases {
		s := plain(640, 360)
		c.change(&s)
		checkRefused(t, r.codec.Check(s), c.name, c.accepts)
		if c.name != "resolution" {
			_, err := r.codec.Configure(f, s)
			checkRefused(t, err, c.name, c.accepts)
		}
	}
	s := plain(640, 360)
	s.Bitrate = 1_012_499
	if _, err := r.codec.Configure(f, s); err != nil {
		t.Fatal(err)
	}
	if got := r.codec.Settings().Bitrate; got != 1_000_000 {
		t.Errorf("1012499 bit/s became %d", got)
	}
	s.Bitrate = 1
	checkRefused(t, r.codec.Set(s), "bitrate", "25000 to")
	if got := r.codec.Settings().Bitrate; got != 1_000_000 {
		t.Errorf("after a refusal %d bit/s are in force", got)
	}
	if _, err := r.codec.Configure(capture.Format{FourCC: v4l2.H264, Width: 640, Height: 360, Buffers: 4}, plain(640, 360)); err == nil {
		t.Error("H.264 was taken as raw frames")
	}
}

// Every control must be in the driver as it was asked for.
func TestVirtControlsInTheDriver(t *testing.T) {
	r := newM2MRig(t)
	s := plain(640, 360)
	s.Mode, s.Profile, s.Level, s.GOP, s.Bitrate = CBR, Main, 31, 77, 3_000_000
	f := capture.Format{FourCC: v4l2.NV12, Width: 640, Height: 360, Stride: 640, Size: 640 * 540, Buffers: 4}
	if _, err := r.codec.Configure(f, s); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[uint32]int64{
		v4l2.CIDBitrateMode: v4l2.BitrateCBR, v4l2.CIDProfile: v4l2.ProfileMain, v4l2.CIDLevel: v4l2.Level3_1,
		v4l2.CIDIPeriod: 77, v4l2.CIDGOPSize: 77, v4l2.CIDBitrate: 3_000_000, v4l2.CIDRepeatSeqHeader: 1,
		v4l2.CIDHeaderMode: v4l2.HeaderJoined, v4l2.CIDMinQP: 20, v4l2.CIDMaxQP: 51, v4l2.CIDBFrames: 0,
	} {
		if got, err := r.codec.dev.Control(id); err != nil || got != want {
			t.Errorf("control %#x is %d, %v; want %d", id, got, err, want)
		}
	}
	got, err := r.codec.dev.FrameInterval(v4l2.VideoOutputMPlane)
	if err != nil || got != (v4l2.Fraction{Num: 1, Den: 30}) {
		t.Errorf("frame interval %v, %v", got, err)
	}
}

func TestVirtAllocatesNothing(t *testing.T) {
	r := openM2MRig(t)
	r.configure(v4l2.YU12, plain(320, 180))
	r.start()
	for range 10 {
		r.see()
	}
	// what see itself allocates for key frames must not count
	s := plain(320, 180)
	s.GOP = 100_000
	if err := r.codec.Set(s); err != nil {
		t.Fatal(err)
	}
	for range 35 {
		r.see()
	}
	if n := testing.AllocsPerRun(60, func() { (<-r.units).Release() }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// A change of the frame rate is followed: each unit gets its share of the bits.
func TestVirtFollowsTheRate(t *testing.T) {
	r := openM2MRig(t)
	s := plain(640, 360)
	s.Bitrate = 2_000_000
	r.configure(v4l2.YU12, s)
	r.move()
	r.start()
	for _, rate := range []capture.Rate{{Num: 30, Den: 1}, {Num: 10, Den: 1}, {Num: 30000, Den: 1001}} {
		s.Rate = rate
		if err := r.codec.Set(s); err != nil {
			t.Fatal(err)
		}
		if got := r.codec.Settings().Rate; got != rate {
			t.Errorf("rate %s became %s", rate, got)
		}
		for range 15 {
			r.see()
		}
		bytes := 0
		for range 60 {
			bytes += r.see().size
		}
		share := float64(s.Bitrate) / 8 / rate.Float()
		if got := float64(bytes) / 60; got < share*0.8 || got > share*1.2 {
			t.Errorf("at %s frames/s a unit has %.0f bytes, not %.0f", rate, got, share)
		}
	}
}

// A change that the driver refuses half-way leaves everything as it was.
func TestVirtSetIsAllOrNothing(t *testing.T) {
	r := newM2MRig(t)
	f := capture.Format{FourCC: v4l2.YU12, Width: 640, Height: 360, Stride: 640, Size: 640 * 540, Buffers: 4}
	old := plain(640, 360)
	if _, err := r.codec.Configure(f, old); err != nil {
		t.Fatal(err)
	}
	// let the codec believe in finer steps than the driver has
	c := r.codec.controls[v4l2.CIDBitrate]
	c.Step = 1
	r.codec.controls[v4l2.CIDBitrate] = c
	next := old
	next.GOP, next.Rate, next.Bitrate = 7, capture.Rate{Num: 15, Den: 1}, 1_510_000
	checkRefused(t, r.codec.Set(next), "bitrate", "the driver made it")
	if got := r.codec.Settings(); got != old {
		t.Errorf("in force: %+v", got)
	}
	if got, err := r.codec.dev.FrameInterval(v4l2.VideoOutputMPlane); err != nil || got != (v4l2.Fraction{Num: 1, Den: 30}) {
		t.Errorf("frame interval %v, %v", got, err)
	}
	if got, err := r.codec.dev.Control(v4l2.CIDGOPSize); err != nil || got != int64(old.GOP) {
		t.Errorf("GOP %d, %v", got, err)
	}
}
