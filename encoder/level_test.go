package encoder

import (
	"errors"
	"strings"
	"testing"

	"lenslet/capture"
)

func TestLevelNamesRoundTrip(t *testing.T) {
	for _, row := range limits() {
		got, err := ParseLevel(row.level.String())
		if err != nil || got != row.level {
			t.Errorf("%d -> %s -> %d, %v", row.level, row.level, got, err)
		}
	}
}

func TestParseLevel(t *testing.T) {
	for s, want := range map[string]Level{"4.0": 40, "4": 40, "1b": 9, "1B": 9, "3.1": 31, "1": 10, "6.2": 62} {
		if got, err := ParseLevel(s); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", ".", "4.", "40", "0.9", "9", "4.00", "04.0", "4.5", "-4", "+4", "x", "4.0.0", "1.b", "70"} {
		got, err := ParseLevel(s)
		var refused *Refused
		if !errors.As(err, &refused) {
			t.Errorf("%q: %d, %v; want a refusal", s, got, err)
		} else if refused.Name != "level" || !strings.Contains(refused.Accepts, "1b, 1.1") {
			t.Errorf("%q: refused as %v", s, refused)
		}
	}
}

// The menu of V4L2 and table A-1 both ascend, without a gap.
func TestLimitsAscend(t *testing.T) {
	rows := limits()
	for i, row := range rows {
		if row.menu != int64(i) {
			t.Errorf("level %s is entry %d of the menu, not %d", row.level, i, row.menu)
		}
		if i > 0 && (row.mbRate < rows[i-1].mbRate || row.frameMBs < rows[i-1].frameMBs || row.maxBR < rows[i-1].maxBR) {
			t.Errorf("level %s allows less than level %s", row.level, rows[i-1].level)
		}
	}
}

func TestLevelFor(t *testing.T) {
	cases := []struct {
		width, height int
		rate          capture.Rate
		bitrate       int
		profile       Profile
		want          Level
	}{
		{176, 144, capture.Rate{Num: 15, Den: 1}, 64_000, Baseline, 10},
		{176, 144, capture.Rate{Num: 15, Den: 1}, 128_000, Baseline, Level1b},
		{352, 288, capture.Rate{Num: 30, Den: 1}, 384_000, Baseline, 13},
		{640, 480, capture.Rate{Num: 30, Den: 1}, 2_000_000, Main, 30},
		{1280, 720, capture.Rate{Num: 30, Den: 1}, 2_000_000, High, 31},
		{1280, 720, capture.Rate{Num: 30, Den: 1}, 14_000_001, Main, 32},
		{1280, 720, capture.Rate{Num: 30, Den: 1}, 17_500_000, High, 31},
		{1920, 1080, capture.Rate{Num: 30, Den: 1}, 8_000_000, High, 40},
		{1920, 1080, capture.Rate{Num: 30000, Den: 1001}, 25_000_000, High, 40},
		{1920, 1080, capture.Rate{Num: 30, Den: 1}, 25_000_001, High, 41},
		{1920, 1080, capture.Rate{Num: 60, Den: 1}, 8_000_000, High, 42},
		{3840, 2160, capture.Rate{Num: 30, Den: 1}, 8_000_000, High, 51},
		{32, 8000, capture.Rate{Num: 1, Den: 1}, 64_000, High, 51}, // long and thin: the side counts
	}
	for _, c := range cases {
		got, ok := LevelFor(c.width, c.height, c.rate, c.bitrate, c.profile)
		if !ok || got != c.want {
			t.Errorf("%dx%d at %s, %d bit/s, %s: level %s, %v; want %s",
				c.width, c.height, c.rate, c.bitrate, c.profile, got, ok, c.want)
		}
	}
	if l, ok := LevelFor(20000, 32, capture.Rate{Num: 1, Den: 1}, 1, High); ok {
		t.Errorf("level %s takes a side of 20000 pixels", l)
	}
}
