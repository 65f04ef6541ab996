//go:build openh264 && cgo

package encoder

import (
	"fmt"
	"strconv"
)

// What the library can do.
const (
	lowestBitrate = 25_000 // bit/s; below, its rate control gives up
	highestLevel  = Level(52)
	levelFactor   = 1200 // bit/s for each unit of MaxBR, whatever the profile: its CpbBrNalFactor
)

// Check refuses what the library cannot do. What it takes, Configure takes.
func (o *OpenH264) Check(s Settings) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if s.Width < 16 || s.Height < 16 || s.Width > 3840 || s.Height > 3840 {
		return &Refused{"resolution", fmt.Sprintf("%dx%d", s.Width, s.Height), "16 to 3840 pixels each way"}
	}
	if f := s.Rate.Float(); f < 1 || f > 60 {
		return &Refused{"framerate", s.Rate.String(), "1 to 60"}
	}
	if s.Level > highestLevel {
		if row, _ := highestLevel.limit(); row.allow(s) != nil {
			return row.allow(s) // what asks for so high a level
		}
		return &Refused{"level", s.Level.String(), "up to " + highestLevel.String()}
	}
	if most := highestBitrate(s.Level); s.Bitrate < lowestBitrate || s.Bitrate > most {
		return &Refused{"bitrate", strconv.Itoa(s.Bitrate), fmt.Sprintf("%d to %d at level %s", lowestBitrate, most, s.Level)}
	}
	return nil
}

// highestBitrate is the most that the library writes at a level, in bit/s. Asked
// for more, also as a peak, it writes a higher level.
func highestBitrate(l Level) int {
	row, _ := l.limit()
	return int(row.maxBR) * levelFactor
}

// peak is the bit rate that a short time may take.
func peak(s Settings) int {
	if s.Mode == CBR {
		return s.Bitrate
	}
	return min(2*s.Bitrate, highestBitrate(s.Level))
}
