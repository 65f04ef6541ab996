package encoder

import (
	"fmt"

	"lenslet/capture"
)

// Settings are what a codec is told. All of them are always set: a codec that
// cannot follow one refuses it.
type Settings struct {
	Width, Height int          // pixels
	Rate          capture.Rate // frames per second
	Bitrate       int          // bit/s
	BitrateMin    int          // bit/s: how far the network may lower it
	Mode          Mode
	GOP           int // frames from one key frame to the next
	Profile       Profile
	Level         Level
}

// DefaultSettings are those of a camera that nobody configured: the source's own
// size, 30 frames per second, and what the Raspberry Pi's encoder begins with
// (level 4.0, a key frame every 60 frames), at a bit rate for a home network.
func DefaultSettings() Settings {
	return Settings{Rate: capture.Rate{Num: 30, Den: 1}, Bitrate: 2_000_000, BitrateMin: 250_000, Mode: VBR, GOP: 60, Profile: High, Level: 40}
}

// A Mode is a way to meet the bit rate.
type Mode string

// The modes of V4L2_CID_MPEG_VIDEO_BITRATE_MODE.
const (
	VBR Mode = "vbr" // the average holds, a difficult picture may take more
	CBR Mode = "cbr" // each picture takes its share
)

// A Profile of ITU-T H.264, Annex A.
type Profile string

// The profiles that cameras use.
const (
	ConstrainedBaseline Profile = "constrained_baseline"
	Baseline            Profile = "baseline"
	Main                Profile = "main"
	High                Profile = "high"
)

// A Level of ITU-T H.264, table A-1, as level_idc: 40 is level 4.0; 9 is 1b.
type Level int

// A Refused says that a value cannot be had, and which can.
type Refused struct {
	Name    string // of the parameter
	Value   string // that was asked for
	Accepts string // in words: "25000 to 25000000 in steps of 25000"
}

// Error is one sentence for an owner.
func (e *Refused) Error() string {
	return fmt.Sprintf("%s %s is not possible here; accepted: %s", e.Name, e.Value, e.Accepts)
}
