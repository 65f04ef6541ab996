package v4l2

import (
	"slices"
	"strings"
)

// A ControlType says what values a control has (enum v4l2_ctrl_type).
type ControlType uint32

// The types that Controls lists.
const (
	Integer     ControlType = 1
	Boolean     ControlType = 2 // 0 or 1
	Menu        ControlType = 3 // the index of an item
	Button      ControlType = 4 // setting it does something; it has no value
	Integer64   ControlType = 5
	Bitmask     ControlType = 8
	IntegerMenu ControlType = 9 // the index of an item, whose name is a number

	controlClass ControlType = 6 // a heading
)

// Flags of a Control (V4L2_CTRL_FLAG_*).
const (
	ControlDisabled  uint32 = 0x0001 // it does nothing
	ControlGrabbed   uint32 = 0x0002 // not changeable now, while streaming for example
	ControlReadOnly  uint32 = 0x0004
	ControlInactive  uint32 = 0x0010 // without effect now, under automatic exposure for example
	ControlWriteOnly uint32 = 0x0040
	ControlVolatile  uint32 = 0x0080 // changes by itself

	controlPayload uint32 = 0x0100 // its value is no number
)

// Controls of encoders (linux/v4l2-controls.h, V4L2_CID_MPEG_VIDEO_*). Camera
// controls are found by Controls and need no names here.
const (
	CIDBFrames         uint32 = 0x009909ca // B frames between two others
	CIDGOPSize         uint32 = 0x009909cb // frames from one key frame to the next
	CIDBitrateMode     uint32 = 0x009909ce // BitrateVBR, BitrateCBR
	CIDBitrate         uint32 = 0x009909cf // bit/s
	CIDHeaderMode      uint32 = 0x009909d8 // HeaderSeparate, HeaderJoined
	CIDRepeatSeqHeader uint32 = 0x009909e2 // 1: parameter sets before each key frame
	CIDForceKeyFrame   uint32 = 0x009909e5 // button
	CIDMinQP           uint32 = 0x00990a61 // H.264, 0 to 51
	CIDMaxQP           uint32 = 0x00990a62 // H.264, 0 to 51
	CIDIPeriod         uint32 = 0x00990a66 // H.264, frames from one I frame to the next
	CIDLevel           uint32 = 0x00990a67 // H.264, Level...
	CIDProfile         uint32 = 0x00990a6b // H.264, Profile...
)

// Values of CIDBitrateMode (enum v4l2_mpeg_video_bitrate_mode).
const (
	BitrateVBR int64 = 0
	BitrateCBR int64 = 1
)

// Values of CIDHeaderMode (enum v4l2_mpeg_video_header_mode).
const (
	HeaderSeparate int64 = 0 // parameter sets in a buffer of their own
	HeaderJoined   int64 = 1 // parameter sets before the first frame, in its buffer
)

// Values of CIDLevel (enum v4l2_mpeg_video_h264_level).
const (
	Level1_0 int64 = iota
	Level1B
	Level1_1
	Level1_2
	Level1_3
	Level2_0
	Level2_1
	Level2_2
	Level3_0
	Level3_1
	Level3_2
	Level4_0
	Level4_1
	Level4_2
	Level5_0
	Level5_1
	Level5_2
	Level6_0
	Level6_1
	Level6_2
)

// Values of CIDProfile (enum v4l2_mpeg_video_h264_profile).
const (
	ProfileBaseline            int64 = 0
	ProfileConstrainedBaseline int64 = 1
	ProfileMain                int64 = 2
	ProfileHigh                int64 = 4
)

// A Control is a knob of a device (struct v4l2_query_ext_ctrl).
type Control struct {
	ID                      uint32
	Name                    string // in the driver's words: "Exposure Time, Absolute"
	Type                    ControlType
	Min, Max, Step, Default int64
	Flags                   uint32     // Control...
	Menu                    []MenuItem // of Menu and IntegerMenu
}

// A MenuItem is a value that a menu can have.
type MenuItem struct {
	Index int64  // the value
	Name  string // of an IntegerMenu a decimal number
}

// Key is the name in lower case, with one underscore for each run of characters
// that are neither letters nor digits, and none at the ends:
// "exposure_time_absolute". v4l2-ctl names controls in the same way.
func (c Control) Key() string {
	var b strings.Builder
	gap := false
	for i := range len(c.Name) {
		ch := c.Name[i]
		if 'A' <= ch && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		if (ch < 'a' || ch > 'z') && (ch < '0' || ch > '9') {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('_')
			gap = false
		}
		b.WriteByte(ch)
	}
	return b.String()
}

// Readable tells whether the control has a value that can be asked for.
func (c Control) Readable() bool {
	return c.Type != Button && c.Flags&(ControlWriteOnly|ControlDisabled) == 0
}

// Writable tells whether the control can be set, if not at this moment.
func (c Control) Writable() bool { return c.Flags&(ControlReadOnly|ControlDisabled) == 0 }

// Item finds an item of a menu by its index.
func (c Control) Item(index int64) (MenuItem, bool) {
	i := slices.IndexFunc(c.Menu, func(m MenuItem) bool { return m.Index == index })
	if i < 0 {
		return MenuItem{}, false
	}
	return c.Menu[i], true
}
