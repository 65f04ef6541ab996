package encoder

import (
	"errors"
	"strings"
	"testing"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

func TestKnobFits(t *testing.T) {
	bitrate := v4l2.Control{ID: v4l2.CIDBitrate, Type: v4l2.Integer, Min: 25_000, Max: 25_000_000, Step: 25_000}
	uneven := v4l2.Control{Type: v4l2.Integer, Min: 1, Max: 10, Step: 4} // 1, 5, 9
	profile := v4l2.Control{ID: v4l2.CIDProfile, Type: v4l2.Menu, Max: 4, Menu: []v4l2.MenuItem{{Index: 0}, {Index: 4}}}
	cases := []struct {
		c       v4l2.Control
		value   int64
		want    int64
		accepts string // of a refusal
	}{
		{bitrate, 25_000, 25_000, ""},
		{bitrate, 37_499, 25_000, ""},
		{bitrate, 37_500, 50_000, ""},
		{bitrate, 24_990_000, 25_000_000, ""},
		{bitrate, 24_999, 0, "25000 to 25000000 in steps of 25000"},
		{bitrate, 25_000_001, 0, "25000 to 25000000 in steps of 25000"},
		{uneven, 10, 9, ""},
		{uneven, 7, 9, ""},
		{v4l2.Control{Type: v4l2.Integer, Min: 1, Max: 60}, 61, 0, "1 to 60"},
		{v4l2.Control{Type: v4l2.Integer, Min: 1, Max: 60}, 60, 60, ""},
		{profile, 4, 4, ""},
		{profile, 1, 0, "baseline, high"},
	}
	for _, c := range cases {
		k := knob{value: c.value, name: "thing", asked: "it"}
		got, err := k.fit(c.c)
		name := ""
		if c.accepts != "" {
			name = "thing"
		}
		checkRefused(t, err, name, c.accepts)
		if got != c.want {
			t.Errorf("%d became %d, want %d", c.value, got, c.want)
		}
	}
}

func TestMenuNames(t *testing.T) {
	cases := map[string]v4l2.Control{
		"3.1, 4.0":             {ID: v4l2.CIDLevel, Menu: []v4l2.MenuItem{{Index: 9, Name: "3.1"}, {Index: 11, Name: "4"}}},
		"vbr, cbr":             {ID: v4l2.CIDBitrateMode, Menu: []v4l2.MenuItem{{Index: 0, Name: "Variable"}, {Index: 1, Name: "Constant"}}},
		"Joined":               {ID: v4l2.CIDHeaderMode, Menu: []v4l2.MenuItem{{Index: 1, Name: "Joined"}}},
		"baseline, main":       {ID: v4l2.CIDProfile, Menu: []v4l2.MenuItem{{Index: 0}, {Index: 2}, {Index: 3, Name: "Extended"}}},
		"constrained_baseline": {ID: v4l2.CIDProfile, Menu: []v4l2.MenuItem{{Index: 1}}},
	}
	for want, c := range cases {
		if got := menuNames(c); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	sizes := []v4l2.SizeRange{
		{MinWidth: 32, MaxWidth: 1920, StepWidth: 2, MinHeight: 32, MaxHeight: 1920, StepHeight: 2},
		{MinWidth: 3840, MaxWidth: 3840, MinHeight: 2160, MaxHeight: 2160},
	}
	for size, want := range map[[2]int]bool{
		{640, 360}: true, {32, 1920}: true, {30, 32}: false, {641, 360}: false, {640, 361}: false, {1922, 1080}: false,
		{3840, 2160}: true, {3840, 2158}: false,
	} {
		if got := sizeAllowed(sizes, size[0], size[1]); got != want {
			t.Errorf("%v: %v", size, got)
		}
	}
	if !sizeAllowed(nil, 640, 360) {
		t.Error("a driver that lists no sizes refuses all")
	}
	if got := sizeNames(sizes); got != "32x32 to 1920x1920 in steps of 2x2, 3840x2160" {
		t.Error(got)
	}
}

func TestCheckKnowsOnlyTheControlsThatAreThere(t *testing.T) {
	m := &M2M{}
	if err := m.Check(plain(640, 360)); err != nil {
		t.Error(err)
	}
	m.controls = map[uint32]v4l2.Control{v4l2.CIDGOPSize: {ID: v4l2.CIDGOPSize, Type: v4l2.Integer, Min: 1, Max: 20}}
	checkRefused(t, m.Check(plain(640, 360)), "gop", "1 to 20")
	checkRefused(t, m.ForceKeyFrame(), "keyframe", "nothing")
}

func TestNoEncoderSaysWhatItLookedAt(t *testing.T) {
	if got := (&NoEncoder{}).Error(); !strings.Contains(got, "no /dev/video node") {
		t.Error(got)
	}
	e := &NoEncoder{Looked: []capture.Looked{{Path: "/dev/video0", Err: errors.New("(cam) is no codec")}, {Path: "/dev/video1", Err: errors.New("is busy")}}}
	if got := e.Error(); got != "no hardware encoder found: /dev/video0 (cam) is no codec; /dev/video1 is busy" {
		t.Error(got)
	}
}

func TestLayouts(t *testing.T) {
	cases := []struct {
		f                  v4l2.FourCC
		w, h, stride, rows int
		planes             []plane
		size               int
	}{
		{v4l2.YU12, 640, 360, 640, 360, []plane{{0, 640, 640, 360}, {230400, 320, 320, 180}, {288000, 320, 320, 180}}, 345600},
		{v4l2.YV12, 642, 362, 704, 368, []plane{{0, 704, 642, 362}, {259072, 352, 321, 181}, {323840, 352, 321, 181}}, 323840 + 352*180 + 321},
		{v4l2.NV12, 642, 362, 672, 362, []plane{{0, 672, 642, 362}, {243264, 672, 642, 181}}, 243264 + 672*180 + 642},
		{v4l2.YUYV, 642, 362, 1284, 362, []plane{{0, 1284, 1284, 362}}, 1284 * 362},
		{v4l2.RGB24, 10, 4, 32, 4, []plane{{0, 32, 30, 4}}, 3*32 + 30},
		{v4l2.GREY, 10, 4, 16, 4, []plane{{0, 16, 10, 4}}, 3*16 + 10},
	}
	for _, c := range cases {
		l, ok := newLayout(c.f, c.w, c.h, c.stride, c.rows)
		if !ok || l.n != len(c.planes) || l.size != c.size {
			t.Errorf("%s: %+v, %v; want size %d", c.f, l, ok, c.size)
			continue
		}
		for i, want := range c.planes {
			if l.planes[i] != want {
				t.Errorf("%s: plane %d is %+v, want %+v", c.f, i, l.planes[i], want)
			}
		}
	}
	for _, c := range []struct {
		f               v4l2.FourCC
		w, stride, rows int
	}{{v4l2.YU12, 640, 638, 360}, {v4l2.YU12, 640, 640, 358}, {v4l2.YUYV, 640, 640, 360}, {v4l2.MJPEG, 640, 0, 360}} {
		if l, ok := newLayout(c.f, c.w, 360, c.stride, c.rows); ok {
			t.Errorf("%+v became %+v", c, l)
		}
	}
}

func TestLayoutCopy(t *testing.T) {
	for _, f := range []v4l2.FourCC{v4l2.YU12, v4l2.NV21, v4l2.UYVY} {
		from, _ := newLayout(f, 18, 10, 40, 12)
		to, _ := newLayout(f, 18, 10, 64, 16)
		back, _ := newLayout(f, 18, 10, 40, 12)
		src := noise(from.size)
		dst, again := make([]byte, to.size), make([]byte, back.size)
		from.copyTo(&to, dst, src)
		to.copyTo(&back, again, dst)
		for p := range from.n {
			for y := range from.planes[p].lines {
				if string(back.line(again, p, y)) != string(from.line(src, p, y)) {
					t.Errorf("%s: line %d of plane %d differs", f, y, p)
				}
			}
		}
	}
}
