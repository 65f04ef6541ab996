package main

import "testing"

func TestClosest(t *testing.T) {
	names := []string{"resolution", "framerate", "bitrate", "bitrate_mode", "gop", "profile", "level", "keyframe",
		"brightness", "exposure_time_absolute", "exposure_dynamic_framerate", "viewers", "latency"}
	for given, want := range map[string]string{
		"bitrat":     "bitrate",
		"bit_rate":   "bitrate",
		"Bitrate":    "bitrate",
		"birtate":    "bitrate",
		"resolutoin": "resolution",
		"frame_rate": "framerate",
		"key_frame":  "keyframe",
		"gpo":        "",
		"gob":        "gop",
		"exposure":   "exposure_time_absolute",
		"mode":       "bitrate_mode",
		"zoom":       "",
		"x":          "",
		"":           "",
	} {
		if got := closest(given, names); got != want {
			t.Errorf("%q: got %q, want %q", given, got, want)
		}
	}
	if got := closest("bitrat", nil); got != "" {
		t.Errorf("got %q of no names", got)
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"abc", "abd", 1}, {"abc", "ab", 1}, {"kitten", "sitting", 3}, {"gop", "level", 5},
	}
	for _, test := range tests {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%s, %s: got %d, want %d", test.a, test.b, got, test.want)
		}
		if there, back := distance(test.a, test.b), distance(test.b, test.a); there != back {
			t.Errorf("%s, %s: %d there, %d back", test.a, test.b, there, back)
		}
	}
}
