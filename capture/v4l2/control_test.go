package v4l2

import "testing"

func TestControlKey(t *testing.T) {
	for name, want := range map[string]string{
		"Brightness":                   "brightness",
		"Exposure Time, Absolute":      "exposure_time_absolute",
		"White Balance, Auto & Preset": "white_balance_auto_preset",
		"H264 I-Frame Period":          "h264_i_frame_period",
		"  Gain (dB) ":                 "gain_db",
		"Größe":                        "gr_e",
		"U8 8x16 Matrix":               "u8_8x16_matrix",
		"":                             "",
		"--":                           "",
	} {
		if got := (Control{Name: name}).Key(); got != want {
			t.Errorf("Key of %q is %q, want %q", name, got, want)
		}
	}
}

func TestControlAccess(t *testing.T) {
	for _, c := range []struct {
		c                  Control
		readable, writable bool
	}{
		{Control{Type: Integer}, true, true},
		{Control{Type: Integer, Flags: ControlReadOnly}, true, false},
		{Control{Type: Integer, Flags: ControlWriteOnly}, false, true},
		{Control{Type: Integer, Flags: ControlDisabled}, false, false},
		{Control{Type: Integer, Flags: ControlInactive | ControlGrabbed | ControlVolatile}, true, true},
		{Control{Type: Button}, false, true},
	} {
		if r, w := c.c.Readable(), c.c.Writable(); r != c.readable || w != c.writable {
			t.Errorf("%+v: readable %v, writable %v", c.c, r, w)
		}
	}
}

func TestControlItem(t *testing.T) {
	c := Control{Menu: []MenuItem{{0, "Manual"}, {3, "Aperture Priority"}}}
	if m, ok := c.Item(3); !ok || m.Name != "Aperture Priority" {
		t.Errorf("item 3 is %v, %v", m, ok)
	}
	if m, ok := c.Item(1); ok {
		t.Errorf("item 1 is %v; it is a gap", m)
	}
}

// The numbers of linux/v4l2-controls.h are base + offset.
func TestControlNumbers(t *testing.T) {
	const codec = 0x00990900
	for _, c := range []struct{ got, offset uint32 }{
		{CIDBFrames, 202}, {CIDGOPSize, 203}, {CIDBitrateMode, 206}, {CIDBitrate, 207}, {CIDHeaderMode, 216},
		{CIDRepeatSeqHeader, 226}, {CIDForceKeyFrame, 229}, {CIDMinQP, 353}, {CIDMaxQP, 354},
		{CIDIPeriod, 358}, {CIDLevel, 359}, {CIDProfile, 363},
	} {
		if c.got != codec+c.offset {
			t.Errorf("control %#x, want %#x", c.got, codec+c.offset)
		}
	}
	if Level4_0 != 11 || Level6_2 != 19 {
		t.Errorf("level 4.0 is %d, 6.2 is %d", Level4_0, Level6_2)
	}
}
