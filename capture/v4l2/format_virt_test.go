//go:build virt

package v4l2

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestVirtFormats(t *testing.T) {
	for _, c := range []struct {
		path string
		typ  BufType
		has  []FourCC
	}{
		{webcam, VideoCapture, []FourCC{YUYV, UYVY, YU12, YV12, NV12, NV21, GREY, RGB24, BGR24}},
		{multi, VideoCaptureMPlane, []FourCC{YUYV, NV12, GREY, ParseFourCC("NM12")}},
		{codec, VideoOutputMPlane, []FourCC{YU12, YV12, NV12, NV21, YUYV, UYVY}},
	} {
		all, err := open(t, c.path).Formats(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.has {
			if !slices.ContainsFunc(all, func(d FormatDesc) bool {
				return d.FourCC == f && d.Description != "" && d.Flags&FormatCompressed == 0
			}) {
				t.Errorf("%s has no %v: %+v", c.path, f, all)
			}
		}
	}
	all, err := open(t, codec).Formats(VideoCaptureMPlane)
	if want := []FormatDesc{{H264, FormatCompressed, "H.264"}}; err != nil || !slices.Equal(all, want) {
		t.Errorf("codec: %+v, %v, want %+v", all, err, want)
	}
	if all, err := open(t, webcam).Formats(VideoOutput); len(all) != 0 || err != nil {
		t.Errorf("a camera takes %v, %v", all, err)
	}
}

func TestVirtFrameSizes(t *testing.T) {
	discrete := func(sizes ...int) (all []SizeRange) {
		for i := 0; i < len(sizes); i += 2 {
			w, h := sizes[i], sizes[i+1]
			all = append(all, SizeRange{w, w, 0, h, h, 0})
		}
		return all
	}
	for _, c := range []struct {
		path string
		f    FourCC
		want []SizeRange
	}{
		{webcam, YUYV, discrete(320, 180, 640, 360, 640, 480, 1280, 720, 1920, 1080, 3840, 2160)},
		{multi, NV12, discrete(320, 180, 640, 360, 640, 480, 1280, 720, 1920, 1080, 3840, 2160)},
		{hdmi, YUYV, []SizeRange{{16, 16384, 2, 16, 8640, 2}}},
		{codec, H264, []SizeRange{{32, 1920, 2, 32, 1920, 2}}},
		{webcam, ParseFourCC("none"), nil},
	} {
		got, err := open(t, c.path).FrameSizes(c.f)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s %v: %+v, %v, want %+v", c.path, c.f, got, err, c.want)
		}
	}
}

func TestVirtFrameIntervals(t *testing.T) {
	d := open(t, webcam)
	var want []IntervalRange
	for _, f := range []Fraction{{1, 1}, {1, 2}, {1, 4}, {1, 5}, {1, 10}, {2, 25}} {
		want = append(want, IntervalRange{f, f, Fraction{}})
	}
	if got, err := d.FrameIntervals(YUYV, 1280, 720); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, err := d.FrameIntervals(YUYV, 1281, 720); err != nil || len(got) != 0 {
		t.Errorf("a size that is not there: %v, %v", got, err)
	}
}

func TestVirtFormatRoundTrip(t *testing.T) {
	for _, c := range []struct {
		path   string
		typ    BufType
		f      FourCC
		planes int
		size   int // bytes of the first memory plane
	}{
		{webcam, VideoCapture, NV12, 1, 640 * 360 * 3 / 2},
		{webcam, VideoCapture, YUYV, 1, 640 * 360 * 2},
		{multi, VideoCaptureMPlane, YUYV, 1, 640 * 360 * 2},
		{multi, VideoCaptureMPlane, ParseFourCC("NM12"), 2, 640 * 360},
	} {
		d := open(t, c.path)
		ask := Format{FourCC: c.f, Width: 640, Height: 360, Field: FieldNone}
		try, err := d.TryFormat(c.typ, ask)
		if err != nil {
			t.Fatal(err)
		}
		set, err := d.SetFormat(c.typ, ask)
		if err != nil {
			t.Fatal(err)
		}
		get, err := d.Format(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		if try != set || set != get {
			t.Errorf("%s %v:\ntry %+v\nset %+v\nget %+v", c.path, c.f, try, set, get)
		}
		if get.FourCC != c.f || get.Width != 640 || get.Height != 360 || get.Field != FieldNone || get.Space == 0 {
			t.Errorf("%s %v became %+v", c.path, c.f, get)
		}
		if get.NumPlanes != c.planes || get.Planes[0].SizeImage != c.size || get.Planes[0].BytesPerLine*360 > c.size {
			t.Errorf("%s %v: %d planes, %+v", c.path, c.f, get.NumPlanes, get.Planes)
		}
	}
}

// The driver answers with what it can do instead.
func TestVirtFormatAdjusted(t *testing.T) {
	f, err := open(t, codec).TryFormat(VideoOutputMPlane, Format{FourCC: NV12, Width: 1001, Height: 5000})
	if err != nil || f.Width != 1000 || f.Height != 1920 || f.Planes[0].BytesPerLine != 1024 {
		t.Errorf("got %+v, %v", f, err)
	}
}

// The CAPTURE side of an encoder takes its colours from the OUTPUT side.
func TestVirtColorimetry(t *testing.T) {
	d := open(t, codec)
	want := Colorimetry{Space: 3, Transfer: 1, Encoding: 2, Quantization: 2} // Rec. 709, limited range
	got, err := d.SetFormat(VideoOutputMPlane, Format{FourCC: NV12, Width: 640, Height: 360, Colorimetry: want})
	if err != nil || got.Colorimetry != want {
		t.Errorf("OUTPUT: %+v, %v, want %+v", got.Colorimetry, err, want)
	}
	if got, err = d.Format(VideoCaptureMPlane); err != nil || got.Colorimetry != want || got.FourCC != H264 {
		t.Errorf("CAPTURE: %+v, %v, want %+v", got.Colorimetry, err, want)
	}
}

func TestVirtFrameInterval(t *testing.T) {
	d := open(t, webcam)
	small(t, d, VideoCapture)
	for _, c := range []struct{ ask, want Fraction }{
		{Fraction{1, 25}, Fraction{1, 25}},
		{Fraction{2, 25}, Fraction{2, 25}},
		{Fraction{1, 1000}, Fraction{1, 60}},
	} {
		got, err := d.SetFrameInterval(VideoCapture, c.ask)
		if err != nil || got != c.want {
			t.Errorf("%v becomes %v, %v, want %v", c.ask, got, err, c.want)
		}
		if now, err := d.FrameInterval(VideoCapture); err != nil || now != c.want {
			t.Errorf("then %v is in force, %v", now, err)
		}
	}
	if _, err := open(t, codec).SetFrameInterval(VideoOutputMPlane, Fraction{}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("the codec takes an interval of 0/0: %v", err)
	}
}

func TestVirtCrop(t *testing.T) {
	d := open(t, codec)
	f, err := d.SetFormat(VideoOutputMPlane, Format{FourCC: NV12, Width: 1920, Height: 1088})
	if err != nil || f.Height != 1088 {
		t.Fatalf("%+v, %v", f, err)
	}
	w, h, err := d.SetCrop(VideoOutputMPlane, 1920, 1080)
	if err != nil || w != 1920 || h != 1080 {
		t.Errorf("got %dx%d, %v", w, h, err)
	}
}
