package encoder

import (
	"fmt"
	"strconv"
	"strings"

	"lenslet/capture"
)

// Level1b is level 1b of table A-1, between 1 and 1.1.
const Level1b Level = 9

// A limit is a row of ITU-T H.264, table A-1, with the level's place in the
// menu V4L2_CID_MPEG_VIDEO_H264_LEVEL.
type limit struct {
	level    Level
	menu     int64
	mbRate   int64 // MaxMBPS, macroblocks per second
	frameMBs int64 // MaxFS, macroblocks per frame
	maxBR    int64 // MaxBR, in 1000 bit/s for the lower profiles, 1250 for High
}

// limits is table A-1, ascending.
func limits() []limit {
	return []limit{
		{10, 0, 1485, 99, 64}, {Level1b, 1, 1485, 99, 128}, {11, 2, 3000, 396, 192},
		{12, 3, 6000, 396, 384}, {13, 4, 11880, 396, 768},
		{20, 5, 11880, 396, 2000}, {21, 6, 19800, 792, 4000}, {22, 7, 20250, 1620, 4000},
		{30, 8, 40500, 1620, 10000}, {31, 9, 108000, 3600, 14000}, {32, 10, 216000, 5120, 20000},
		{40, 11, 245760, 8192, 20000}, {41, 12, 245760, 8192, 50000}, {42, 13, 522240, 8704, 50000},
		{50, 14, 589824, 22080, 135000}, {51, 15, 983040, 36864, 240000}, {52, 16, 2073600, 36864, 240000},
		{60, 17, 4177920, 139264, 240000}, {61, 18, 8355840, 139264, 480000}, {62, 19, 16711680, 139264, 800000},
	}
}

// ParseLevel reads "4.0", "4" or "1b".
func ParseLevel(s string) (Level, error) {
	if strings.EqualFold(s, "1b") {
		return Level1b, nil
	}
	whole, tenth, dot := strings.Cut(s, ".")
	if !dot {
		tenth = "0"
	}
	n, err := strconv.ParseUint(whole+tenth, 10, 8)
	level := Level(n)
	if _, ok := level.limit(); err != nil || !ok || level == Level1b || len(tenth) != 1 || len(whole) != 1 {
		return 0, &Refused{Name: "level", Value: s, Accepts: levelNames(limits())}
	}
	return level, nil
}

// String is the form that ParseLevel reads.
func (l Level) String() string {
	if l == Level1b {
		return "1b"
	}
	return fmt.Sprintf("%d.%d", l/10, l%10)
}

func (l Level) limit() (limit, bool) {
	for _, row := range limits() {
		if row.level == l {
			return row, true
		}
	}
	return limit{}, false
}

// LevelFor is the lowest level that allows a size in pixels at a rate and a
// bit rate; false if none does.
func LevelFor(width, height int, rate capture.Rate, bitrate int, p Profile) (Level, bool) {
	s := Settings{Width: width, Height: height, Rate: rate, Bitrate: bitrate, Profile: p}
	for _, row := range limits() {
		if row.allow(s) == nil {
			return row.level, true
		}
	}
	return 0, false
}

// allow tells whether a level carries the settings (A.3.1 and A.3.2); the error
// is a *Refused that names the one which is too much.
func (row limit) allow(s Settings) error {
	w, h := int64(s.Width+15)/16, int64(s.Height+15)/16
	size := fmt.Sprintf("%dx%d", s.Width, s.Height)
	if w*h > row.frameMBs || w*w > 8*row.frameMBs || h*h > 8*row.frameMBs {
		return &Refused{"resolution", size, fmt.Sprintf("up to %d macroblocks of 16x16 at level %s", row.frameMBs, row.level)}
	}
	if w*h*int64(s.Rate.Num) > row.mbRate*int64(s.Rate.Den) {
		return &Refused{"framerate", s.Rate.String(),
			fmt.Sprintf("up to %.4g at %s and level %s", float64(row.mbRate)/float64(w*h), size, row.level)}
	}
	if most := row.bitrate(s.Profile); int64(s.Bitrate) > most {
		return &Refused{"bitrate", strconv.Itoa(s.Bitrate), fmt.Sprintf("up to %d at level %s", most, row.level)}
	}
	return nil
}

// bitrate is the most that the level allows, in bit/s (A.3.1 j, A.3.3 and table A-2).
func (row limit) bitrate(p Profile) int64 {
	if p == High {
		return row.maxBR * 1250
	}
	return row.maxBR * 1000
}

func levelNames(rows []limit) string {
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = row.level.String()
	}
	return strings.Join(names, ", ")
}
