package capture

import (
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

func TestPatternChoices(t *testing.T) {
	tests := []struct {
		wish Wish
		want string
	}{
		{wish(0, 0, 0), "YU12 1280x720@30"},
		{wish(32, 32, 1), "YU12 32x32@1"},
		{wish(3840, 2160, 120), "YU12 3840x2160@120"},
		{wish(642, 362, 25), "YU12 642x362@25"},
		{Wish{Width: 640, Height: 360, Rate: Rate{30000, 1001}, Convert: []v4l2.FourCC{v4l2.YU12}}, "YU12 640x360@30000/1001"},
		{wish(640, 360, 200), "YU12 640x360@120"},
		{Wish{Width: 640, Height: 360, Rate: Rate{1, 2}, Import: []v4l2.FourCC{v4l2.YU12}}, "YU12 640x360@1"},
	}
	for _, tt := range tests {
		got, err := NewPattern().Choices(tt.wish)
		if err != nil || brief(got) != tt.want {
			t.Errorf("%v: got %s, %v; want %s", tt.wish, brief(got), err, tt.want)
		}
	}
	const range_ = "; it offers 32x32 to 3840x2160 in steps of 2x2"
	for want, w := range map[string]Wish{
		"test pattern does not offer 641x360" + range_:                             wish(641, 360, 25),
		"test pattern does not offer 640x361" + range_:                             wish(640, 361, 25),
		"test pattern does not offer 30x32" + range_:                               wish(30, 32, 25),
		"test pattern does not offer 3842x2160" + range_:                           wish(3842, 2160, 25),
		"test pattern does not offer a format that can be encoded; it offers YU12": {Import: []v4l2.FourCC{v4l2.NV12}, PassH264: true},
	} {
		if got, err := NewPattern().Choices(w); err == nil || err.Error() != want {
			t.Errorf("got %v, %v; want %s", got, err, want)
		}
	}
}

func TestPatternFormat(t *testing.T) {
	p := NewPattern()
	got := configured(t, p, wish(642, 362, 25))
	want := Format{
		FourCC: v4l2.YU12, Width: 642, Height: 362, Stride: 642, Size: 642 * 362 * 3 / 2, Rate: Rate{25, 1},
		Colour: v4l2.Colorimetry{Space: 1, Transfer: 1, Encoding: 1, Quantization: 2}, Buffers: patternBuffers,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var no *NotOffered
	for _, c := range []Choice{
		{},
		{FourCC: v4l2.NV12, Width: 640, Height: 360, Rate: Rate{25, 1}},
		{FourCC: v4l2.YU12, Width: 641, Height: 360, Rate: Rate{25, 1}},
		{FourCC: v4l2.YU12, Width: 640, Height: 360},
		{FourCC: v4l2.YU12, Width: 640, Height: 360, Rate: Rate{121, 1}},
		{FourCC: v4l2.YU12, Width: 640, Height: 360, Rate: Rate{1, 2}},
	} {
		if f, err := p.Configure(c); !errors.As(err, &no) || f != (Format{}) {
			t.Errorf("Configure(%+v): %+v, %v", c, f, err)
		}
	}
}

// What a viewer's picture says agrees with the frame.
func TestPatternShowsItsNumberAndTime(t *testing.T) {
	p := NewPattern()
	started(t, p, wish(320, 240, 60))
	for range 20 {
		before := time.Now()
		age := now()
		f := next(t, p)
		if n, ok := ReadMarker(f.Data, 320, 320, 240); !ok || n != f.Sequence {
			t.Errorf("frame %d: marker %d, %v", f.Sequence, n, ok)
		}
		shown, err := time.ParseInLocation(clockLayout, textIn(p.scene, f.Data, 0, clockChars), time.Local)
		if err != nil {
			t.Fatal(err)
		}
		instant := before.Add(f.Timestamp - age)
		if d := shown.Sub(instant); d < -time.Second || d > time.Second {
			t.Errorf("frame %d: the clock shows %v, the frame is of %v", f.Sequence, shown, instant)
		}
		f.Release()
	}
}

// While all buffers are lent, time goes on: those frames are missing then.
func TestPatternDropsWhatNobodyFetched(t *testing.T) {
	p := NewPattern()
	started(t, p, wish(160, 90, 100))
	var held []*Frame
	for range patternBuffers {
		held = append(held, next(t, p))
	}
	last := held[len(held)-1]
	if got := p.Dropped(); uint64(last.Sequence) != patternBuffers-1+got {
		t.Errorf("frame %d with %d dropped", last.Sequence, got)
	}
	before := p.Dropped()
	p.pace.epoch -= time.Second + 20*time.Millisecond // as if they had been held for a second
	held[0].Release()
	f := next(t, p)
	dropped := p.Dropped() - before
	if dropped < 100 || f.Sequence != last.Sequence+1+uint32(dropped) {
		t.Errorf("frame %d after %d, %d dropped, want 100 or more", f.Sequence, last.Sequence, dropped)
	}
	if age := now() - f.Timestamp; age > 20*time.Second {
		t.Errorf("the frame is %v old", age)
	}
	f.Release()
	for _, f := range held[1:] {
		f.Release()
	}
}

// A reader who is late by less than the buffers that are free loses nothing: a
// camera would have filled them.
func TestPatternForgivesAShortDelay(t *testing.T) {
	p := NewPattern()
	started(t, p, wish(160, 90, 1))
	next(t, p).Release()
	p.pace.epoch -= 5 * time.Second
	for i := range 5 {
		f := next(t, p)
		if int(f.Sequence) != i+1 {
			t.Errorf("frame %d instead of %d", f.Sequence, i+1)
		}
		f.Release()
	}
	if p.Dropped() != 0 {
		t.Errorf("%d dropped", p.Dropped())
	}
}

func TestPatternChangesItsRate(t *testing.T) {
	p := NewPattern()
	started(t, p, wish(160, 90, 10))
	f := next(t, p)
	last := f.Timestamp
	f.Release()
	if r, err := p.SetRate(Rate{200, 2}); r != (Rate{100, 1}) || err != nil {
		t.Fatalf("SetRate: %v, %v", r, err)
	}
	f = next(t, p)
	if d := f.Timestamp - last; d < 10*time.Millisecond {
		t.Errorf("the frame after the change is due %v after the last one", d)
	}
	last, n := f.Timestamp, f.Sequence
	f.Release()
	for range 5 {
		f = next(t, p)
		if d := f.Timestamp - last; d != time.Duration(f.Sequence-n)*10*time.Millisecond {
			t.Errorf("frame %d is due %v after frame %d", f.Sequence, d, n)
		}
		last, n = f.Timestamp, f.Sequence
		f.Release()
	}
	var no *NotOffered
	for _, rate := range []Rate{{121, 1}, {1, 2}, {}, {-1, 1}} {
		if r, err := p.SetRate(rate); r != (Rate{100, 1}) || !errors.As(err, &no) {
			t.Errorf("SetRate(%#v): %v, %v", rate, r, err)
		}
	}
}

func TestPatternHasABrightness(t *testing.T) {
	p := NewPattern()
	all, err := p.Controls()
	if err != nil || len(all) != 1 {
		t.Fatalf("controls %v, %v", all, err)
	}
	c := all[0]
	if c.ID != CIDBrightness || c.Key() != "brightness" || c.Min != -128 || c.Max != 127 || c.Step != 1 || c.Default != 0 || c.Type != v4l2.Integer {
		t.Errorf("%+v", c)
	}
	started(t, p, wish(160, 90, 120))
	luma := func() int {
		f := next(t, p)
		defer f.Release()
		return int(f.Data[(p.scene.laneY-1)*160]) // the white bar
	}
	for _, v := range []int64{0, 50, -50, -128, 0} {
		if err := p.SetControl(CIDBrightness, v); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Control(CIDBrightness); got != v || err != nil {
			t.Errorf("read back %d, %v; set %d", got, err, v)
		}
		if got, want := luma(), 180+int(v); got != want {
			t.Errorf("brightness %d: the white bar is %d, want %d", v, got, want)
		}
	}
	for _, v := range []int64{-129, 128, 1 << 40} {
		if err := p.SetControl(CIDBrightness, v); !errors.Is(err, unix.ERANGE) {
			t.Errorf("brightness %d: %v", v, err)
		}
	}
	if err := p.SetControl(CIDBrightness+1, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a control that does not exist: %v", err)
	}
	if _, err := p.Control(0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a control that does not exist: %v", err)
	}
}

// Frames that are lent at the same time are different pictures.
func TestPatternLendsSeveralPictures(t *testing.T) {
	p := NewPattern()
	started(t, p, wish(160, 90, 120))
	var held []*Frame
	var numbers []uint32
	for range patternBuffers {
		held = append(held, next(t, p))
	}
	for _, f := range held {
		n, ok := ReadMarker(f.Data, 160, 160, 90)
		if !ok || n != f.Sequence || slices.Contains(numbers, n) {
			t.Errorf("frame %d shows %d, %v", f.Sequence, n, ok)
		}
		numbers = append(numbers, n)
		f.Release()
	}
}
