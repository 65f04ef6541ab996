package encoder

import (
	"fmt"
	"strconv"
	"strings"
)

// Validate tells whether the settings make sense for any codec: each value by
// itself, and all together within the level. The error is a *Refused.
func (s Settings) Validate() error {
	if s.Width <= 0 || s.Height <= 0 || s.Width%2 != 0 || s.Height%2 != 0 {
		return &Refused{"resolution", fmt.Sprintf("%dx%d", s.Width, s.Height), "even numbers of pixels"}
	}
	if s.Rate.Num <= 0 || s.Rate.Den <= 0 || s.Rate.Float() > 1000 {
		return &Refused{"framerate", fmt.Sprintf("%d/%d", s.Rate.Num, s.Rate.Den), "above 0 up to 1000"}
	}
	if s.Bitrate <= 0 {
		return &Refused{"bitrate", strconv.Itoa(s.Bitrate), "above 0"}
	}
	if s.GOP <= 0 {
		return &Refused{"gop", strconv.Itoa(s.GOP), "1 or more"}
	}
	if _, err := ParseMode(string(s.Mode)); err != nil {
		return err
	}
	if _, err := ParseProfile(string(s.Profile)); err != nil {
		return err
	}
	row, ok := s.Level.limit()
	if !ok {
		return &Refused{"level", s.Level.String(), levelNames(limits())}
	}
	return row.allow(s)
}

// ParseMode reads "vbr" or "cbr". The error is a *Refused.
func ParseMode(s string) (Mode, error) {
	if m := Mode(strings.ToLower(s)); m == VBR || m == CBR {
		return m, nil
	}
	return "", &Refused{"bitrate_mode", s, "vbr, cbr"}
}

// menu is the mode's place in V4L2_CID_MPEG_VIDEO_BITRATE_MODE.
func (m Mode) menu() int64 {
	if m == CBR {
		return 1
	}
	return 0
}

// ParseProfile reads the name of a profile. The error is a *Refused.
func ParseProfile(s string) (Profile, error) {
	switch p := Profile(strings.ToLower(s)); p {
	case ConstrainedBaseline, Baseline, Main, High:
		return p, nil
	}
	return "", &Refused{"profile", s, "constrained_baseline, baseline, main, high"}
}

// menu is the profile's place in V4L2_CID_MPEG_VIDEO_H264_PROFILE.
func (p Profile) menu() int64 {
	switch p {
	case Baseline:
		return 0
	case ConstrainedBaseline:
		return 1
	case Main:
		return 2
	}
	return 4
}

// fixed refuses a change of what cannot be changed while a codec runs.
func (s Settings) fixed(next Settings) error {
	const must = "only %s while it runs: stop, configure and start"
	switch {
	case next.Width != s.Width || next.Height != s.Height:
		return &Refused{"resolution", fmt.Sprintf("%dx%d", next.Width, next.Height),
			fmt.Sprintf(must, fmt.Sprintf("%dx%d", s.Width, s.Height))}
	case next.Mode != s.Mode:
		return &Refused{"bitrate_mode", string(next.Mode), fmt.Sprintf(must, s.Mode)}
	case next.Profile != s.Profile:
		return &Refused{"profile", string(next.Profile), fmt.Sprintf(must, s.Profile)}
	case next.Level != s.Level:
		return &Refused{"level", next.Level.String(), fmt.Sprintf(must, s.Level)}
	}
	return nil
}
