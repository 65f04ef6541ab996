package encoder

import (
	"testing"

	"lenslet/capture"
)

func TestLowered(t *testing.T) {
	s := DefaultSettings()
	s.Width, s.Height = 1280, 720 // 18,432 bits a picture at least
	for _, test := range []struct {
		bps, bitrate int
		rate         capture.Rate
		gop          int
	}{
		{3_000_000, 2_000_000, capture.Rate{Num: 30, Den: 1}, 60},
		{2_000_000, 2_000_000, capture.Rate{Num: 30, Den: 1}, 60},
		{1_999_999, 1_975_000, capture.Rate{Num: 30, Den: 1}, 60},
		{555_000, 550_000, capture.Rate{Num: 15, Den: 1}, 30},
		{270_000, 250_000, capture.Rate{Num: 10, Den: 1}, 20},
		{100_000, 100_000, capture.Rate{Num: 30, Den: 4}, 15},
		{1, 25_000, capture.Rate{Num: 30, Den: 4}, 15},
	} {
		got := s.lowered(test.bps)
		if got.Bitrate != test.bitrate || got.Rate != test.rate || got.GOP != test.gop {
			t.Errorf("%d bit/s: %+v", test.bps, got)
		}
		if !s.sameStream(got) {
			t.Errorf("%d bit/s need a codec begun anew", test.bps)
		}
	}
	s.GOP, s.Rate = 1, capture.Rate{Num: 30000, Den: 1001}
	if got := s.lowered(100_000); got.GOP != 1 || got.Rate != (capture.Rate{Num: 7500, Den: 1001}) {
		t.Errorf("%+v", got)
	}
}

// The network may lower what the codec has, and not what the owner set.
func TestPipelineAdapts(t *testing.T) {
	r := newRig(t)
	if err := r.set("bitrate=2000000", "bitrate_min=300000"); err != nil {
		t.Fatal(err)
	}
	check := func(when, bitrate string, now int, rate string, gop int) {
		t.Helper()
		got, err := r.Get("bitrate")
		s, began := r.codec.inForce()
		if got != bitrate || err != nil || r.BitrateNow() != now || s.Rate.String() != rate || s.GOP != gop || began != 1 {
			t.Errorf("%s: set are %s (%v), now are %d, %+v, begun %d times", when, got, err, r.BitrateNow(), s, began)
		}
	}
	r.Adapt(1_000_000)
	check("lowered", "2000000", 1_000_000, "30", 60)
	r.Adapt(100_000)
	check("lowered further", "2000000", 100_000, "15", 30)
	if err := r.set("brightness=43"); err != nil {
		t.Fatal(err)
	}
	check("after another change", "2000000", 100_000, "15", 30)
	r.Adapt(5_000_000)
	check("as set", "2000000", 2_000_000, "30", 60)
	r.Adapt(1_000_000)
	if err := r.set("bitrate=3000000"); err != nil {
		t.Fatal(err)
	}
	check("when the owner sets another", "3000000", 3_000_000, "30", 60)
	if got, err := r.Get("bitrate_min"); got != "300000" || err != nil {
		t.Errorf("bitrate_min is %s, %v", got, err)
	}
	r.changing.Lock()
	r.Adapt(1_000_000)
	r.changing.Unlock()
	check("while something changes", "3000000", 3_000_000, "30", 60)
}

func TestNothingToAdapt(t *testing.T) {
	r := newRig(t)
	r.stop(t)
	r.Adapt(1_000_000)
	if r.BitrateNow() != 0 {
		t.Error("a pipeline that ended has a bit rate")
	}
}
