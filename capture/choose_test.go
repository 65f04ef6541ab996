package capture

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lenslet/capture/v4l2"
)

// only is a list of sizes that a driver enumerates one by one.
func only(sizes ...size) []v4l2.SizeRange {
	var all []v4l2.SizeRange
	for _, s := range sizes {
		all = append(all, v4l2.SizeRange{MinWidth: s.w, MaxWidth: s.w, MinHeight: s.h, MaxHeight: s.h})
	}
	return all
}

// upTo is a range of sizes.
func upTo(w, h, step int) []v4l2.SizeRange {
	return []v4l2.SizeRange{{MinWidth: 32, MaxWidth: w, StepWidth: step, MinHeight: 32, MaxHeight: h, StepHeight: step}}
}

// at tells the same rates for every size.
func at(rates ...Rate) func(int, int) []v4l2.IntervalRange {
	return func(int, int) []v4l2.IntervalRange {
		var all []v4l2.IntervalRange
		for _, r := range rates {
			all = append(all, v4l2.IntervalRange{Min: r.interval(), Max: r.interval()})
		}
		return all
	}
}

var (
	vga  = size{640, 480}
	nhd  = size{640, 360}
	hd   = size{1280, 720}
	full = size{1920, 1080}
)

// wish is what a pipeline with an encoder asks for.
func wish(w, h, rate int) Wish {
	return Wish{
		Width: w, Height: h, Rate: Rate{rate, 1}, PassH264: true,
		Import:  []v4l2.FourCC{v4l2.YU12, v4l2.NV12, v4l2.YUYV, v4l2.UYVY},
		Convert: []v4l2.FourCC{v4l2.MJPEG, v4l2.GREY},
	}
}

// brief writes choices as "YUYV 640x480@30".
func brief(choices []Choice) string {
	var all []string
	for _, c := range choices {
		all = append(all, fmt.Sprintf("%v %dx%d@%v", c.FourCC, c.Width, c.Height, c.Rate))
	}
	return strings.Join(all, ", ")
}

func TestChooseRanks(t *testing.T) {
	webcam := []offer{
		{fourcc: v4l2.YUYV, sizes: only(vga, nhd, hd), intervals: func(w, h int) []v4l2.IntervalRange {
			if w == 1280 {
				return at(Rate{10, 1}, Rate{5, 1})(w, h)
			}
			return at(Rate{30, 1}, Rate{15, 1})(w, h)
		}},
		{fourcc: v4l2.MJPEG, sizes: only(vga, nhd, hd, full), intervals: at(Rate{30, 1}, Rate{60, 1}, Rate{15, 1})},
	}
	h264 := offer{fourcc: v4l2.H264, sizes: only(hd, full), intervals: at(Rate{25, 1}, Rate{30, 1})}
	raw := func(f v4l2.FourCC) offer {
		return offer{fourcc: f, sizes: upTo(1920, 1080, 2), intervals: at(Rate{30, 1})}
	}
	noH264 := wish(1280, 720, 30)
	noH264.PassH264 = false

	tests := []struct {
		name   string
		offers []offer
		wish   Wish
		want   string
	}{
		{"a raw format before one to convert", webcam, wish(640, 480, 30), "YUYV 640x480@30, MJPG 640x480@30"},
		{"what reaches the rate before what makes less work", webcam, wish(1280, 720, 30), "MJPG 1280x720@30, YUYV 1280x720@10"},
		{"the raw one again, when the rate suffices", webcam, wish(1280, 720, 10), "YUYV 1280x720@10, MJPG 1280x720@15"},
		{"the lowest rate not below the wish", webcam, wish(640, 480, 20), "YUYV 640x480@30, MJPG 640x480@30"},
		{"neither reaches: the faster one", webcam, wish(1280, 720, 90), "MJPG 1280x720@60, YUYV 1280x720@10"},
		{"only one has the size", webcam, wish(1920, 1080, 30), "MJPG 1920x1080@30"},
		{"H264 first", append(webcam, h264), wish(1280, 720, 25), "H264 1280x720@25, MJPG 1280x720@30, YUYV 1280x720@10"},
		{"H264 that is not welcome", append(webcam, h264), noH264, "MJPG 1280x720@30, YUYV 1280x720@10"},
		{"H264 that is too slow", append(webcam, h264), wish(1280, 720, 60), "MJPG 1280x720@60, H264 1280x720@30, YUYV 1280x720@10"},
		{"few bytes before many, then the codec's order", []offer{raw(v4l2.UYVY), raw(v4l2.YUYV), raw(v4l2.NV12), raw(v4l2.YU12)},
			wish(640, 480, 30), "YU12 640x480@30, NV12 640x480@30, YUYV 640x480@30, UYVY 640x480@30"},
		{"MJPEG before a larger format to convert", []offer{raw(v4l2.GREY), raw(v4l2.MJPEG)}, wish(640, 480, 30), "MJPG 640x480@30, GREY 640x480@30"},
		{"formats without use are left out", []offer{raw(v4l2.BGR24), raw(v4l2.YUYV), raw(v4l2.HEVC)}, wish(640, 480, 30), "YUYV 640x480@30"},
		{"any size: 1280x720", webcam, wish(0, 0, 10), "YUYV 1280x720@10, MJPG 1280x720@15"},
		{"any size and rate", webcam, Wish{Import: []v4l2.FourCC{v4l2.YUYV}}, "YUYV 1280x720@10"},
		{"a height alone is any size", webcam, wish(0, 480, 10), "YUYV 1280x720@10, MJPG 1280x720@15"},
		{"no rate is told: first those that tell", []offer{
			{fourcc: v4l2.YU12, sizes: only(vga)},
			{fourcc: v4l2.YUYV, sizes: only(vga), intervals: at(Rate{15, 1})},
			{fourcc: v4l2.UYVY, sizes: only(vga), intervals: at(Rate{25, 1})}},
			wish(640, 480, 25), "UYVY 640x480@25, YU12 640x480@25, YUYV 640x480@15"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := choose("cam", tt.offers, tt.wish)
			if err != nil || brief(got) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", brief(got), err, tt.want)
			}
		})
	}
}

func TestChooseTriesWhatIsNotEnumerated(t *testing.T) {
	mute := []offer{{fourcc: v4l2.YUYV, try: func(w, h int) (int, int) {
		return min(w, 800) &^ 15, min(h, 600) &^ 15
	}}}
	tests := []struct {
		name string
		wish Wish
		want string
	}{
		{"taken as it is", wish(640, 480, 30), "YUYV 640x480@30"},
		{"any: what the driver makes of the usual size", wish(0, 0, 30), "YUYV 800x592@30"},
	}
	for _, tt := range tests {
		got, err := choose("cam", mute, tt.wish)
		if err != nil || brief(got) != tt.want {
			t.Errorf("%s: got %s, %v; want %s", tt.name, brief(got), err, tt.want)
		}
	}
	_, err := choose("cam", mute, wish(641, 480, 30))
	if want := "cam does not offer 641x480; it offers 800x592"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	_, err = choose("cam", []offer{{fourcc: v4l2.YUYV}}, wish(0, 0, 30))
	if want := "cam does not offer frames of any size; it offers no size at all"; err == nil || err.Error() != want {
		t.Errorf("a driver that takes no size: got %v, want %q", err, want)
	}
}

func TestChooseRefuses(t *testing.T) {
	mixed := []offer{
		{fourcc: v4l2.YUYV, sizes: only(hd, vga)},
		{fourcc: v4l2.MJPEG, sizes: only(vga, full)},
		{fourcc: v4l2.BGR24, sizes: only(size{1000, 1000})},
	}
	tests := []struct {
		name   string
		offers []offer
		wish   Wish
		want   string
	}{
		{"another size, also if a format without use has it", mixed, wish(1000, 1000, 30), "cam does not offer 1000x1000; it offers 640x480, 1280x720, 1920x1080"},
		{"off the steps", []offer{{fourcc: v4l2.YUYV, sizes: upTo(1920, 1080, 16)}}, wish(642, 480, 30),
			"cam does not offer 642x480; it offers 32x32 to 1920x1080 in steps of 16x16"},
		{"too large", []offer{{fourcc: v4l2.YUYV, sizes: upTo(1920, 1080, 1)}}, wish(1921, 1080, 30),
			"cam does not offer 1921x1080; it offers 32x32 to 1920x1080 in steps of 1x1"},
		{"too small", []offer{{fourcc: v4l2.YUYV, sizes: upTo(1920, 1080, 1)}}, wish(31, 32, 30),
			"cam does not offer 31x32; it offers 32x32 to 1920x1080 in steps of 1x1"},
		{"no use for its formats", []offer{{fourcc: v4l2.ParseFourCC("RGGB")}, {fourcc: v4l2.ParseFourCC("BA81")}}, wish(640, 480, 30),
			"cam does not offer a format that can be encoded; it offers RGGB, BA81"},
		{"no format", nil, wish(640, 480, 30), "cam does not offer a format that can be encoded; it offers no format at all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := choose("cam", tt.offers, tt.wish)
			var no *NotOffered
			if !errors.As(err, &no) || err.Error() != tt.want {
				t.Errorf("got %s, %v\nwant %s", brief(got), err, tt.want)
			}
		})
	}
}

func TestUsualSize(t *testing.T) {
	tests := []struct {
		name  string
		sizes []v4l2.SizeRange
		want  size
	}{
		{"1280x720 in a list", only(full, vga, hd, nhd), hd},
		{"1280x720 in a range", upTo(1920, 1080, 2), hd},
		{"the greatest within it", only(full, nhd, vga), vga},
		{"the greatest within it of a range", upTo(800, 600, 2), size{800, 600}},
		{"on the steps of a range", upTo(1920, 1080, 100), size{1232, 632}},
		{"no height fits: the smallest", only(size{1280, 960}, full), size{1280, 960}},
		{"all too large: the smallest", only(full, size{1600, 1200}, size{3840, 2160}), size{1600, 1200}},
	}
	for _, tt := range tests {
		w, h := usualSize([]candidate{{offer: offer{sizes: tt.sizes}}})
		if got := (size{w, h}); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestRates(t *testing.T) {
	f := func(num, den uint32) v4l2.Fraction { return v4l2.Fraction{Num: num, Den: den} }
	single := func(num, den uint32) v4l2.IntervalRange {
		return v4l2.IntervalRange{Min: f(num, den), Max: f(num, den)}
	}
	anyRate := v4l2.IntervalRange{Min: f(1, 60), Max: f(1, 2)}
	stepped := v4l2.IntervalRange{Min: f(1, 100), Max: f(1, 10), Step: f(1, 100)}
	tests := []struct {
		name   string
		ranges []v4l2.IntervalRange
		wish   Rate
		want   Rate
		reach  int
	}{
		{"the very rate", []v4l2.IntervalRange{single(1, 60), single(1, 30), single(1, 15)}, Rate{30, 1}, Rate{30, 1}, reached},
		{"the next above", []v4l2.IntervalRange{single(1, 60), single(1, 30), single(1, 15)}, Rate{20, 1}, Rate{30, 1}, reached},
		{"the highest below", []v4l2.IntervalRange{single(1, 5), single(1, 15), single(1, 10)}, Rate{20, 1}, Rate{15, 1}, missed},
		{"29.97 counts as 30", []v4l2.IntervalRange{single(1, 60), single(1001, 30000)}, Rate{30, 1}, Rate{30000, 1001}, reached},
		{"but 30 is nearer", []v4l2.IntervalRange{single(1001, 30000), single(1, 30), single(1, 60)}, Rate{30, 1}, Rate{30, 1}, reached},
		{"100 ns units", []v4l2.IntervalRange{single(333333, 10000000)}, Rate{30, 1}, Rate{10000000, 333333}, reached},
		{"numbers too large for a Rate", []v4l2.IntervalRange{single(133333333, 4000000000)}, Rate{30, 1}, Rate{30, 1}, reached},
		{"a range has every rate", []v4l2.IntervalRange{anyRate}, Rate{30000, 1001}, Rate{30000, 1001}, reached},
		{"up to its end", []v4l2.IntervalRange{anyRate}, Rate{90, 1}, Rate{60, 1}, missed},
		{"down to its end", []v4l2.IntervalRange{anyRate}, Rate{1, 1}, Rate{2, 1}, reached},
		{"drivers write 1/1 for every rate", []v4l2.IntervalRange{{Min: f(1, 60), Max: f(1, 2), Step: f(1, 1)}}, Rate{50, 2}, Rate{25, 1}, reached},
		{"steps: on one", []v4l2.IntervalRange{stepped}, Rate{25, 1}, Rate{25, 1}, reached},
		{"steps: the shorter interval", []v4l2.IntervalRange{stepped}, Rate{30, 1}, Rate{100, 3}, reached},
		{"nothing told", nil, Rate{30, 1}, Rate{30, 1}, untold},
		{"nonsense told", []v4l2.IntervalRange{single(0, 30), single(1, 0)}, Rate{30, 1}, Rate{30, 1}, untold},
		{"nonsense among others", []v4l2.IntervalRange{single(0, 0), single(1, 10)}, Rate{30, 1}, Rate{10, 1}, missed},
	}
	for _, tt := range tests {
		o := offer{intervals: func(int, int) []v4l2.IntervalRange { return tt.ranges }}
		if got, reach := o.rate(640, 480, tt.wish); got != tt.want || reach != tt.reach {
			t.Errorf("%s: %v (%d), want %v (%d)", tt.name, got, reach, tt.want, tt.reach)
		}
	}
}

func TestRateFromWhatADriverTells(t *testing.T) {
	tests := []struct {
		in   v4l2.Fraction
		want Rate
	}{
		{v4l2.Fraction{Num: 1, Den: 30}, Rate{30, 1}},
		{v4l2.Fraction{Num: 2, Den: 50}, Rate{25, 1}},
		{v4l2.Fraction{Num: 0, Den: 30}, Rate{}},
		{v4l2.Fraction{Num: 1, Den: 0}, Rate{}},
		{v4l2.Fraction{Num: 1<<32 - 1, Den: 1<<32 - 2}, Rate{1, 1}},
		{v4l2.Fraction{Num: 1<<32 - 1, Den: 1}, Rate{}},
		{v4l2.Fraction{Num: 1, Den: 1<<32 - 1}, Rate{}},
	}
	for _, tt := range tests {
		if got := rateFrom(tt.in); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.in, got, tt.want)
		}
	}
	if got := (Rate{30000, 1001}).interval(); got != (v4l2.Fraction{Num: 1001, Den: 30000}) {
		t.Errorf("the interval of 30000/1001 is %v", got)
	}
}

func TestReasons(t *testing.T) {
	yuyv := offer{fourcc: v4l2.YUYV, sizes: only(vga), intervals: at(Rate{15, 1})}
	mute := offer{fourcc: v4l2.YUYV, sizes: only(vga)}
	mjpeg := offer{fourcc: v4l2.MJPEG, sizes: only(vga), intervals: at(Rate{30, 1})}
	h264 := func(s size, r int) offer {
		return offer{fourcc: v4l2.H264, sizes: only(s), intervals: at(Rate{r, 1})}
	}
	raw := wish(640, 480, 15)
	raw.PassH264 = false
	tests := []struct {
		offers []offer
		wish   Wish
		want   string
	}{
		{[]offer{yuyv}, raw, "640x480 at 15/s as YUYV, which the encoder takes without a copy"},
		{[]offer{yuyv}, wish(640, 480, 15), "640x480 at 15/s as YUYV, which the encoder takes without a copy; H264 not offered"},
		{[]offer{yuyv, h264(hd, 30)}, wish(640, 480, 15), "640x480 at 15/s as YUYV, which the encoder takes without a copy; H264 not offered at this size"},
		{[]offer{yuyv, h264(vga, 10)}, wish(640, 480, 15), "640x480 at 15/s as YUYV, which the encoder takes without a copy; H264 only at 10/s"},
		{[]offer{yuyv}, wish(640, 480, 30), "640x480 at 15/s as YUYV, which the encoder takes without a copy; 30/s is not offered; H264 not offered"},
		{[]offer{mute}, raw, "640x480 at 15/s as YUYV, which the encoder takes without a copy; which rates there are the driver does not tell"},
		{[]offer{yuyv, mjpeg}, wish(640, 480, 30), "640x480 at 30/s as MJPG, which has to be converted; H264 not offered"},
		{[]offer{yuyv, h264(vga, 30)}, wish(640, 480, 30), "640x480 at 30/s as H264, which needs no encoder"},
	}
	for _, tt := range tests {
		got, err := choose("cam", tt.offers, tt.wish)
		if err != nil || got[0].Reason != tt.want {
			t.Errorf("got  %q, %v\nwant %q", got[0].Reason, err, tt.want)
		}
	}
}

// Whatever a driver enumerates: a choice has the size that was asked for, which
// is offered, and a rate that makes sense.
func FuzzChoose(f *testing.F) {
	f.Add(uint16(640), uint16(480), uint16(30), uint16(32), uint16(1920), uint16(2), uint32(1), uint32(60), uint32(1), uint32(5), uint32(1), uint32(1))
	f.Add(uint16(0), uint16(0), uint16(0), uint16(16), uint16(640), uint16(0), uint32(0), uint32(0), uint32(1), uint32(1), uint32(1), uint32(120))
	f.Fuzz(func(t *testing.T, w, h, rate, least, most, step uint16, a, b, c, d, e, g uint32) {
		o := offer{
			fourcc: v4l2.YUYV,
			sizes: []v4l2.SizeRange{{MinWidth: int(least), MaxWidth: int(most), StepWidth: int(step),
				MinHeight: int(least), MaxHeight: int(most), StepHeight: int(step)}},
			intervals: func(int, int) []v4l2.IntervalRange {
				return []v4l2.IntervalRange{{Min: v4l2.Fraction{Num: a, Den: b}, Max: v4l2.Fraction{Num: c, Den: d}, Step: v4l2.Fraction{Num: e, Den: g}}}
			},
		}
		choices, err := choose("cam", []offer{o}, wish(int(w), int(h), int(rate)))
		if err != nil {
			return
		}
		got := choices[0]
		if w != 0 && h != 0 && (got.Width != int(w) || got.Height != int(h)) {
			t.Errorf("asked for %dx%d, got %dx%d", w, h, got.Width, got.Height)
		}
		if !o.has(got.Width, got.Height) {
			t.Errorf("%dx%d is not offered", got.Width, got.Height)
		}
		if got.Rate.Num <= 0 || got.Rate.Den <= 0 {
			t.Errorf("rate %#v", got.Rate)
		}
	})
}
