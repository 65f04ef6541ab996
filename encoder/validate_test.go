package encoder

import (
	"errors"
	"strings"
	"testing"

	"lenslet/capture"
)

// plain settings that every codec takes.
func plain(width, height int) Settings {
	return Settings{Width: width, Height: height, Rate: capture.Rate{Num: 30, Den: 1},
		Bitrate: 2_000_000, Mode: VBR, GOP: 30, Profile: ConstrainedBaseline, Level: 40}
}

func TestValidate(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Settings)
		accept string // empty: no refusal
	}{
		{"", func(*Settings) {}, ""},
		{"", func(s *Settings) { s.Width, s.Height = 1920, 1080 }, ""},
		{"", func(s *Settings) { s.Mode, s.Profile, s.Level = CBR, High, 62 }, ""},
		{"resolution", func(s *Settings) { s.Width = 641 }, "even"},
		{"resolution", func(s *Settings) { s.Height = 0 }, "even"},
		{"resolution", func(s *Settings) { s.Width = -2 }, "even"},
		{"resolution", func(s *Settings) { s.Width, s.Height = 3840, 2160 }, "8192 macroblocks of 16x16 at level 4.0"},
		{"framerate", func(s *Settings) { s.Rate = capture.Rate{} }, "above 0"},
		{"framerate", func(s *Settings) { s.Rate = capture.Rate{Num: 2000, Den: 1} }, "1000"},
		{"framerate", func(s *Settings) { s.Width, s.Height, s.Rate.Num = 1920, 1080, 60 }, "up to 30.12 at 1920x1080 and level 4.0"},
		{"bitrate", func(s *Settings) { s.Bitrate = 0 }, "above 0"},
		{"bitrate", func(s *Settings) { s.Bitrate = 20_000_001 }, "up to 20000000 at level 4.0"},
		{"gop", func(s *Settings) { s.GOP = 0 }, "1 or more"},
		{"bitrate_mode", func(s *Settings) { s.Mode = "cq" }, "vbr, cbr"},
		{"profile", func(s *Settings) { s.Profile = "" }, "main, high"},
		{"level", func(s *Settings) { s.Level = 0 }, "1b"},
	}
	for _, c := range cases {
		s := plain(640, 360)
		c.change(&s)
		checkRefused(t, s.Validate(), c.name, c.accept)
	}
}

func TestFixedWhileRunning(t *testing.T) {
	s := plain(640, 360)
	cases := []struct {
		name   string
		change func(*Settings)
	}{
		{"", func(s *Settings) { s.Bitrate, s.GOP, s.Rate.Num = 1, 2, 3 }},
		{"resolution", func(s *Settings) { s.Height = 362 }},
		{"bitrate_mode", func(s *Settings) { s.Mode = CBR }},
		{"profile", func(s *Settings) { s.Profile = High }},
		{"level", func(s *Settings) { s.Level = 41 }},
	}
	for _, c := range cases {
		next := s
		c.change(&next)
		checkRefused(t, s.fixed(next), c.name, "")
	}
}

func TestMenusOfV4L2(t *testing.T) {
	for p, want := range map[Profile]int64{Baseline: 0, ConstrainedBaseline: 1, Main: 2, High: 4} {
		if got := p.menu(); got != want {
			t.Errorf("profile %s: %d, want %d", p, got, want)
		}
		if got, err := ParseProfile(strings.ToUpper(string(p))); err != nil || got != p {
			t.Errorf("profile %s came back as %s, %v", p, got, err)
		}
	}
	for m, want := range map[Mode]int64{VBR: 0, CBR: 1} {
		if got := m.menu(); got != want {
			t.Errorf("mode %s: %d, want %d", m, got, want)
		}
	}
}

// checkRefused wants a *Refused of that name whose words hold accepts, or no
// error where name is empty.
func checkRefused(t *testing.T, err error, name, accepts string) {
	t.Helper()
	var refused *Refused
	switch {
	case name == "" && err != nil:
		t.Errorf("refused: %v", err)
	case name == "":
	case !errors.As(err, &refused):
		t.Errorf("got %v, want a refusal of %s", err, name)
	case refused.Name != name || !strings.Contains(refused.Accepts, accepts):
		t.Errorf("got %v, want a refusal of %s with %q", err, name, accepts)
	}
}
