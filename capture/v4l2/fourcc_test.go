package v4l2

import "testing"

func TestFourCC(t *testing.T) {
	for _, c := range []struct {
		f    FourCC
		want string
	}{
		{YUYV, "YUYV"}, {UYVY, "UYVY"}, {YVYU, "YVYU"}, {VYUY, "VYUY"},
		{NV12, "NV12"}, {NV21, "NV21"}, {YU12, "YU12"}, {YV12, "YV12"},
		{RGB24, "RGB3"}, {BGR24, "BGR3"}, {GREY, "GREY"},
		{MJPEG, "MJPG"}, {JPEG, "JPEG"}, {H264, "H264"}, {HEVC, "HEVC"}, {VP8, "VP80"},
		{0x20363159, "Y16"}, {0xa0363159, "Y16-BE"},
		{0, "0x00000000"}, {0x80000000, "0x80000000"}, {1, "0x00000001"}, {0x20202020, "0x20202020"},
	} {
		if got := c.f.String(); got != c.want {
			t.Errorf("String of %#x is %q, want %q", uint32(c.f), got, c.want)
		}
	}
	// the values of linux/videodev2.h
	if YUYV != 0x56595559 || H264 != 0x34363248 {
		t.Errorf("YUYV is %#x, H264 %#x", uint32(YUYV), uint32(H264))
	}
}

func TestParseFourCC(t *testing.T) {
	for s, want := range map[string]FourCC{
		"YUYV": YUYV, "H264": H264, "Y16": 0x20363159, "Y16 ": 0x20363159, "Y16-BE": 0xa0363159,
		"": 0, "-BE": 0, "YUYV2": 0, "YU\x00V": 0, "YU\xffV": 0, "ü": 0,
	} {
		if got := ParseFourCC(s); got != want {
			t.Errorf("ParseFourCC(%q) is %#x, want %#x", s, uint32(got), uint32(want))
		}
	}
}

func FuzzFourCC(f *testing.F) {
	f.Add("YUYV")
	f.Add("Y16-BE")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, s string) {
		v := ParseFourCC(s)
		if v&^bigEndian == 0 || v&^bigEndian == 0x20202020 {
			return // not a format
		}
		if again := ParseFourCC(v.String()); again != v {
			t.Errorf("%q is %#x, written %q, read again %#x", s, uint32(v), v, uint32(again))
		}
	})
}
