package h264

import (
	"encoding/hex"
	"strings"
	"testing"
)

// Parameter sets that encoders wrote, and what ffprobe says of their streams.
var realSPS = []struct {
	name, hex string
	want      SPS
}{
	{"x264 high 1080p", "67640028acd940780227e5c044000003000400000300f03c60c658",
		SPS{Profile: 100, Level: 40, Width: 1920, Height: 1080, RefFrames: 4, RateNum: 30, RateDen: 1}},
	{"x264 baseline, cropped", "6742c01ed900a42fe224c044000003000400000300c83c58b920",
		SPS{Profile: 66, Constraints: 0xc0, Level: 30, Width: 642, Height: 362, RefFrames: 3, RateNum: 25, RateDen: 1}},
	{"x264 main, 30000/1001", "674d401eeca05017fcb808800001f480007530078b16cb",
		SPS{Profile: 77, Constraints: 0x40, Level: 30, Width: 640, Height: 360, RefFrames: 4, RateNum: 30000, RateDen: 1001}},
	{"x264 4:2:2, cropped", "677a0016bcd940a42fe227c044000003000400000300783c58b658",
		SPS{Profile: 122, Level: 22, Width: 642, Height: 362, RefFrames: 4, RateNum: 15, RateDen: 1}},
	{"x264 4:4:4, cropped", "67f4000c919b282a10f1f1f80880000003008000000a078a14cb",
		SPS{Profile: 244, Level: 12, Width: 322, Height: 242, RefFrames: 4, RateNum: 10, RateDen: 1}},
	{"x264 interlaced 1080", "67640028acd94078044fde0220000003002000000783e2c5b2c0",
		SPS{Profile: 100, Level: 40, Width: 1920, Height: 1080, Interlaced: true, RefFrames: 4, RateNum: 30, RateDen: 1}},
	{"x264 interlaced 576", "6764001eacd940b424d8088000000300800000190f8a14cb",
		SPS{Profile: 100, Level: 30, Width: 720, Height: 576, Interlaced: true, RefFrames: 4, RateNum: 25, RateDen: 1}},
	{"x264 high 10", "676e001fa6cd9405005bb0110000030001000003003c0f183196",
		SPS{Profile: 110, Level: 31, Width: 1280, Height: 720, RefFrames: 4, RateNum: 30, RateDen: 1}},
	{"x264 level 1b", "6742d00bd902c4ec0440000003004000000783c48992",
		SPS{Profile: 66, Constraints: 0xd0, Level: 11, Width: 176, Height: 144, RefFrames: 3, RateNum: 15, RateDen: 1}},
	{"x264 colours and aspect ratio", "6764001eacd940a03db01b7010101a50000003001000000303c0f162d960",
		SPS{Profile: 100, Level: 30, Width: 640, Height: 480, RefFrames: 4, RateNum: 30, RateDen: 1}},
	{"x264 monochrome", "6764001ef3650280f6c05b20000003002000000781e2c5b2c0",
		SPS{Profile: 100, Level: 30, Width: 640, Height: 480, RefFrames: 4, RateNum: 30, RateDen: 1}},
	{"x264 with HRD, 60/s", "67640020acd9405005bb011000000300100000078626000f424001e84e4d38078c18cb",
		SPS{Profile: 100, Level: 32, Width: 1280, Height: 720, RefFrames: 4, RateNum: 60, RateDen: 1}},
	{"openh264 baseline", "6742c0288c8d402802dd00f08846a0",
		SPS{Profile: 66, Constraints: 0xc0, Level: 40, Width: 1280, Height: 720, RefFrames: 1}},
	{"openh264 baseline, cropped", "6742c0288c8d405217f112403c2211a8",
		SPS{Profile: 66, Constraints: 0xc0, Level: 40, Width: 642, Height: 362, RefFrames: 1}},
	{"openh264 main", "674d4c288c8d405017fcb00f08846a",
		SPS{Profile: 77, Constraints: 0x4c, Level: 40, Width: 640, Height: 360, RefFrames: 1}},
	{"openh264 high 1080p", "67640c28ac191a80780227e58078442350",
		SPS{Profile: 100, Constraints: 0x0c, Level: 40, Width: 1920, Height: 1080, RefFrames: 1}},
}

func TestParseSPSOfRealEncoders(t *testing.T) {
	for _, c := range realSPS {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseSPS(unhex(t, c.hex))
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestRate(t *testing.T) {
	w, h, num, den, err := Rate(unhex(t, realSPS[2].hex))
	if err != nil || w != 640 || h != 360 || num != 30000 || den != 1001 {
		t.Errorf("got %dx%d %d/%d, %v", w, h, num, den, err)
	}
	if _, _, _, _, err := Rate([]byte{0x68, 0xce}); err == nil {
		t.Error("a PPS was taken for an SPS")
	}
}

func TestParseSPSWritten(t *testing.T) {
	for _, c := range writtenSPS {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseSPS(c.spec.nal())
			if err != nil {
				t.Fatal(err)
			}
			if got != c.spec.SPS {
				t.Errorf("got  %+v\nwant %+v", got, c.spec.SPS)
			}
		})
	}
}

// Every prefix of a parameter set must be refused up to the last bit that the
// size needs, and must never panic.
func TestParseSPSCutOff(t *testing.T) {
	for _, c := range realSPS {
		whole := unhex(t, c.hex)
		for n := range 8 {
			if s, err := ParseSPS(whole[:n]); err == nil {
				t.Errorf("%s: %d bytes give %+v", c.name, n, s)
			}
		}
		for n := range whole {
			if s, err := ParseSPS(whole[:n]); err == nil && (s.Width != c.want.Width || s.Height != c.want.Height) {
				t.Errorf("%s: %d bytes give %d x %d", c.name, n, s.Width, s.Height)
			}
		}
	}
}

func TestParseSPSRefuses(t *testing.T) {
	good := SPS{Profile: 66, Level: 30, Width: 640, Height: 480}
	cases := []struct {
		name, want string
		nal        []byte
	}{
		{"no bytes", "type 0", nil},
		{"a PPS", "type 8", []byte{0x68, 0xce, 0x3c, 0x80}},
		{"id", "id 32", spsSpec{SPS: with(good, func(s *SPS) { s.ID = 32 })}.nal()},
		{"width", "macroblocks", spsSpec{SPS: with(good, func(s *SPS) { s.Width = 1056 * 16 })}.nal()},
		{"height", "macroblocks", spsSpec{SPS: with(good, func(s *SPS) { s.Height = 1056 * 16 })}.nal()},
		{"cropping", "leaves", spsSpec{SPS: good, moreCrop: 400}.nal()},
		{"order cycle", "256 reference frames", spsSpec{SPS: good, poc: 1, cycle: 256}.nal()},
	}
	for _, c := range cases {
		if _, err := ParseSPS(c.nal); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestTimingThatMakesNoSenseIsUnknown(t *testing.T) {
	for _, rate := range [][2]uint32{{0, 0}, {1, 0}, {0, 1}, {4_000_000_000, 1}} {
		s := spsSpec{SPS: SPS{Profile: 66, Level: 30, Width: 640, Height: 480}, timing: true, scale: rate[0], units: rate[1]}
		got, err := ParseSPS(s.nal())
		if err != nil || got.RateNum != 0 || got.RateDen != 0 {
			t.Errorf("time_scale %d, units %d: %d/%d, %v", rate[0], rate[1], got.RateNum, got.RateDen, err)
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func with(s SPS, change func(*SPS)) SPS {
	change(&s)
	return s
}
