package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"lenslet/rtspd/wire"
)

// A valueTest is what a parameter's value becomes on the wire, "" if refused.
type valueTest struct{ name, in, want string }

func wireValues(t *testing.T, tests []valueTest) {
	for _, test := range tests {
		t.Run(test.name+"="+test.in, func(t *testing.T) {
			got, err := wireValue(test.name, test.in)
			if got != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
			if err != nil && exitCode(err) != 2 {
				t.Errorf("%v is not bad usage", err)
			}
		})
	}
}

func TestBitrate(t *testing.T) {
	wireValues(t, []valueTest{
		{"bitrate", "2000000", "2000000"},
		{"bitrate", "500k", "500000"},
		{"bitrate", "500K", "500000"},
		{"bitrate_min", "300k", "300000"},
		{"bitrate", "2M", "2000000"},
		{"bitrate", "1.5M", "1500000"},
		{"bitrate", "1.1M", "1100000"}, // 1100000.0000000001 in floating point
		{"bitrate", ".5M", "500000"},
		{"bitrate", "0.0000004M", ""},
		{"bitrate", "1", "1"},
		{"bitrate", "0", ""},
		{"bitrate", "-2M", ""},
		{"bitrate", "+2M", ""},
		{"bitrate", "1.5", ""},
		{"bitrate", "M", ""},
		{"bitrate", "1.2.3M", ""},
		{"bitrate", "2MB", ""},
		{"bitrate", "2 M", ""},
		{"bitrate", "1e6", ""},
		{"bitrate", "0x10", ""},
		{"bitrate", "inf", ""},
		{"bitrate", "NaN", ""},
		{"bitrate", "9999999M", ""},
		{"bitrate", "720p", ""},
	})
}

func TestResolution(t *testing.T) {
	wireValues(t, []valueTest{
		{"resolution", "1280x720", "1280x720"},
		{"resolution", "1280X720", "1280x720"},
		{"resolution", "642x362", "642x362"},
		{"resolution", "360p", "640x360"},
		{"resolution", "480p", "854x480"},
		{"resolution", "720p", "1280x720"},
		{"resolution", "1080P", "1920x1080"},
		{"resolution", "2160p", "3840x2160"},
		{"resolution", "4K", "3840x2160"},
		{"resolution", "720", ""},
		{"resolution", "0x720", ""},
		{"resolution", "1280x", ""},
		{"resolution", "x720", ""},
		{"resolution", "1280x720x3", ""},
		{"resolution", "-1280x720", ""},
		{"resolution", "70000x720", ""},
		{"resolution", "2M", ""},
	})
}

func TestOtherValues(t *testing.T) {
	wireValues(t, []valueTest{
		{"framerate", "30000/1001", "30000/1001"},
		{"gop", "2M", "2M"}, // units fit nothing else: the camera judges
		{"level", "720p", "720p"},
		{"title", "Front door", "Front door"},
		{"title", "a\nb", ""},
		{"title", "a\xff", ""},
	})
}

func TestAssignments(t *testing.T) {
	got, err := assignments([]string{"bitrate=1.5M", "resolution=480p", "title=a=b"})
	want := []wire.Parameter{{Name: "bitrate", Value: "1500000"}, {Name: "resolution", Value: "854x480"}, {Name: "title", Value: "a=b"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"bitrate": true, "exposure_time_absolute": true, "*": true,
		"": false, "a b": false, "a:b": false, "a\r\nb": false, "a\xff": false, "\x1b[2J": false,
	} {
		if err := checkName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// What is sent is a whole number, or a size, and reads back as itself.
func FuzzWireValue(f *testing.F) {
	for _, s := range []string{"2M", "1.5M", "500k", "720p", "1280x720", "4k", "", "1e5", "٣M"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" {
			return // NAME= was refused before
		}
		if v, err := wireValue("bitrate", s); err == nil {
			if n, err := strconv.ParseInt(v, 10, 64); err != nil || n <= 0 {
				t.Errorf("bitrate %q became %q", s, v)
			}
			if again, err := wireValue("bitrate", v); err != nil || again != v {
				t.Errorf("bitrate %q became %q, then %q, %v", s, v, again, err)
			}
		}
		if v, err := wireValue("resolution", s); err == nil {
			if again, err := wireValue("resolution", v); err != nil || again != v || strings.Count(v, "x") != 1 {
				t.Errorf("resolution %q became %q, then %q, %v", s, v, again, err)
			}
		}
	})
}
