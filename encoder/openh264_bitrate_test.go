//go:build cgo && openh264

package encoder

import (
	"log/slog"
	"testing"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A running encoder goes from any bit rate to any other, also to many times as
// much.
func TestOpenH264RaisesTheBitrate(t *testing.T) {
	for _, mode := range []Mode{VBR, CBR} {
		o, err := NewOpenH264(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		s := DefaultSettings()
		s.Width, s.Height, s.Rate, s.Bitrate, s.Mode = 320, 240, capture.Rate{Num: 15, Den: 1}, 200_000, mode
		if _, err := o.Configure(capture.Format{FourCC: v4l2.YU12, Width: 320, Height: 240, Stride: 320, Rate: s.Rate}, s); err != nil {
			t.Fatal(err)
		}
		for _, bitrate := range []int{410_000, 100_000, 5_000_000, 50_000, 151_000, 20_000_000, 300_000} {
			s = o.Settings()
			s.Bitrate = bitrate
			if err := o.Set(s); err != nil || o.Settings().Bitrate != bitrate {
				t.Errorf("%s: %d: %v", mode, bitrate, err)
			}
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What Check takes Configure takes as well, at the level that is chosen for it:
// else a change of the resolution would find its own way back blocked.
func TestOpenH264TakesWhatItSays(t *testing.T) {
	o, err := NewOpenH264(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	taken := 0
	for _, size := range [][2]int{{32, 32}, {176, 144}, {320, 240}, {640, 360}, {1280, 720}, {1920, 1080}} {
		for _, bitrate := range []int{25_000, 64_000, 76_800, 150_000, 153_600, 2_000_000, 12_500_000, 20_000_000, 24_000_000, 24_000_001, 25_000_000,
			40_000_000, 60_000_000, 62_500_000, 90_000_000, 162_000_000, 168_750_000, 288_000_000, 288_000_001, 1 << 30} {
			for i, profile := range []Profile{ConstrainedBaseline, Main, High} {
				s := DefaultSettings()
				s.Width, s.Height, s.Bitrate, s.Profile = size[0], size[1], bitrate, profile
				s.Rate, s.Mode = capture.Rate{Num: 15 * (i + 1), Den: 1}, []Mode{VBR, CBR}[i%2]
				lowest, ok := LevelFor(s.Width, s.Height, s.Rate, s.Bitrate, s.Profile)
				for _, s.Level = range []Level{lowest, max(lowest, s.Level)} {
					if o.Check(s) != nil || !ok {
						continue
					}
					taken++
					if _, err := o.Configure(capture.Format{FourCC: v4l2.YU12, Width: s.Width, Height: s.Height, Stride: s.Width, Rate: s.Rate}, s); err != nil {
						t.Errorf("%+v: %v", s, err)
					}
				}
			}
		}
	}
	if taken < 300 {
		t.Errorf("only %d were taken", taken)
	}
}

// What is too much is named, and not the level that it would need.
func TestOpenH264NamesWhatIsTooMuch(t *testing.T) {
	o := &OpenH264{}
	for name, change := range map[string]func(*Settings){
		"bitrate":    func(s *Settings) { s.Bitrate = 500_000_000 },
		"resolution": func(s *Settings) { s.Width, s.Height = 3840, 3840 },
		"framerate":  func(s *Settings) { s.Width, s.Height, s.Rate.Num = 3840, 2400, 60 },
	} {
		s := DefaultSettings()
		s.Width, s.Height, s.Rate = 640, 360, capture.Rate{Num: 30, Den: 1}
		change(&s)
		s.Level, _ = LevelFor(s.Width, s.Height, s.Rate, s.Bitrate, s.Profile)
		checkRefused(t, o.Check(s), name, "level 5.2")
	}
	s := DefaultSettings()
	s.Width, s.Height, s.Rate, s.Bitrate = 640, 360, capture.Rate{Num: 30, Den: 1}, 24_500_000
	checkRefused(t, o.Check(s), "bitrate", "25000 to 24000000 at level 4.0")
}
