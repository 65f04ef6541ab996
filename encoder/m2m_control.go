package encoder

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A knob is a control and the value that it shall get.
type knob struct {
	id    uint32
	value int64
	name  string // of the parameter, for a refusal
	asked string // the value as the parameter has it
}

// knobs lists the controls for the settings, in the order in which they are
// set. The quality limits get the driver's defaults.
func (m *M2M) knobs(s Settings) []knob {
	level, _ := s.Level.limit()
	return append([]knob{
		{v4l2.CIDProfile, s.Profile.menu(), "profile", string(s.Profile)},
		{v4l2.CIDLevel, level.menu, "level", s.Level.String()},
		{v4l2.CIDBitrateMode, s.Mode.menu(), "bitrate_mode", string(s.Mode)},
		{v4l2.CIDHeaderMode, v4l2.HeaderJoined, "header mode", "joined"},
		{v4l2.CIDRepeatSeqHeader, 1, "repeated headers", "1"},
		{v4l2.CIDBFrames, 0, "B frames", "0"},
		{v4l2.CIDMinQP, m.controls[v4l2.CIDMinQP].Default, "lowest QP", "default"},
		{v4l2.CIDMaxQP, m.controls[v4l2.CIDMaxQP].Default, "highest QP", "default"},
	}, changing(s)...)
}

// changing lists the controls that can be changed while it runs.
func changing(s Settings) []knob {
	return []knob{
		{v4l2.CIDBitrate, int64(s.Bitrate), "bitrate", strconv.Itoa(s.Bitrate)},
		{v4l2.CIDIPeriod, int64(s.GOP), "gop", strconv.Itoa(s.GOP)},
		{v4l2.CIDGOPSize, int64(s.GOP), "gop", strconv.Itoa(s.GOP)},
	}
}

// fit rounds the value to a step of the control; a *Refused if it lies outside
// of the range, or is missing in the menu.
func (k knob) fit(c v4l2.Control) (int64, error) {
	if c.Type == v4l2.Menu {
		if _, ok := c.Item(k.value); !ok {
			return 0, &Refused{k.name, k.asked, menuNames(c)}
		}
		return k.value, nil
	}
	if k.value < c.Min || k.value > c.Max {
		accepts := fmt.Sprintf("%d to %d", c.Min, c.Max)
		if c.Step > 1 {
			accepts += fmt.Sprintf(" in steps of %d", c.Step)
		}
		return 0, &Refused{k.name, k.asked, accepts}
	}
	step := max(1, c.Step)
	v := c.Min + (k.value-c.Min+step/2)/step*step
	if v > c.Max {
		v -= step
	}
	return v, nil
}

// menuNames lists a menu in the words of our parameters, where they have some.
func menuNames(c v4l2.Control) string {
	ours := make(map[int64]string)
	switch c.ID {
	case v4l2.CIDProfile:
		for _, p := range []Profile{Baseline, ConstrainedBaseline, Main, High} {
			ours[p.menu()] = string(p)
		}
	case v4l2.CIDLevel:
		for _, row := range limits() {
			ours[row.menu] = row.level.String()
		}
	case v4l2.CIDBitrateMode:
		for _, mode := range []Mode{VBR, CBR} {
			ours[mode.menu()] = string(mode)
		}
	default:
		for _, item := range c.Menu {
			ours[item.Index] = item.Name
		}
	}
	var names []string
	for _, item := range c.Menu {
		if name := ours[item.Index]; name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// Check tells whether size and controls of the driver allow the settings.
func (m *M2M) Check(s Settings) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if !sizeAllowed(m.sizes, s.Width, s.Height) {
		return &Refused{"resolution", fmt.Sprintf("%dx%d", s.Width, s.Height), sizeNames(m.sizes)}
	}
	for _, k := range m.knobs(s) {
		if c, ok := m.controls[k.id]; ok {
			if _, err := k.fit(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func sizeAllowed(sizes []v4l2.SizeRange, w, h int) bool {
	for _, r := range sizes {
		if w >= r.MinWidth && w <= r.MaxWidth && h >= r.MinHeight && h <= r.MaxHeight &&
			(w-r.MinWidth)%max(1, r.StepWidth) == 0 && (h-r.MinHeight)%max(1, r.StepHeight) == 0 {
			return true
		}
	}
	return len(sizes) == 0
}

func sizeNames(sizes []v4l2.SizeRange) string {
	names := make([]string, len(sizes))
	for i, r := range sizes {
		names[i] = fmt.Sprintf("%dx%d", r.MinWidth, r.MinHeight)
		if r.MinWidth != r.MaxWidth || r.MinHeight != r.MaxHeight {
			names[i] += fmt.Sprintf(" to %dx%d in steps of %dx%d", r.MaxWidth, r.MaxHeight, r.StepWidth, r.StepHeight)
		}
	}
	return strings.Join(names, ", ")
}

// set sets a control and reads it back. One that the driver lacks counts as set.
func (m *M2M) set(k knob) (int64, error) {
	c, ok := m.controls[k.id]
	if !ok {
		return k.value, nil
	}
	v, err := k.fit(c)
	if err != nil {
		return 0, err
	}
	if err := m.dev.SetControl(k.id, v); errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ERANGE) {
		return 0, &Refused{k.name, k.asked, "not this value: " + err.Error()}
	} else if err != nil {
		return 0, fmt.Errorf("set %s to %s: %w", k.name, k.asked, err)
	}
	if !c.Readable() {
		return v, nil
	}
	got, err := m.dev.Control(k.id)
	if err != nil {
		return 0, fmt.Errorf("read %s back: %w", k.name, err)
	}
	if step := max(1, c.Step); got != v && (c.Type == v4l2.Menu || got <= v-step || got >= v+step) {
		return 0, &Refused{k.name, k.asked, fmt.Sprintf("the driver made it %d", got)}
	}
	return got, nil
}

// setAll sets the controls of list and puts the values in force into s.
func (m *M2M) setAll(list []knob, s *Settings) error {
	for _, k := range list {
		got, err := m.set(k)
		if err != nil {
			return err
		}
		switch k.id {
		case v4l2.CIDBitrate:
			s.Bitrate = int(got)
		case v4l2.CIDIPeriod, v4l2.CIDGOPSize:
			s.GOP = int(got)
		}
	}
	return nil
}

// setRate tells the driver the frames per second and puts what is in force
// into s. A driver that does not want to know keeps its own idea.
func (m *M2M) setRate(s *Settings) error {
	got, err := m.dev.SetFrameInterval(v4l2.VideoOutputMPlane, v4l2.Fraction{Num: uint32(s.Rate.Den), Den: uint32(s.Rate.Num)})
	switch {
	case errors.Is(err, unix.ENOTTY):
		m.log.Debug("the encoder takes no frame rate", "encoder", m.name)
	case errors.Is(err, unix.EINVAL):
		return &Refused{"framerate", s.Rate.String(), "not this value: " + err.Error()}
	case err != nil:
		return fmt.Errorf("set the frame rate: %w", err)
	case got.Num != 0 && got.Den != 0:
		s.Rate = capture.Rate{Num: int(got.Den), Den: int(got.Num)}
	}
	return nil
}

// Set changes bit rate, GOP and frame rate; all of them, or none.
func (m *M2M) Set(s Settings) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == unconfigured {
		return fmt.Errorf("set %s: not configured", m.name)
	}
	old := m.settings
	if err := old.fixed(s); err != nil {
		return err
	}
	if err := m.Check(s); err != nil {
		return err
	}
	err := m.setRate(&s)
	if err == nil {
		err = m.setAll(changing(s), &s)
	}
	if err != nil {
		return errors.Join(err, m.setRate(&old), m.setAll(changing(old), &old))
	}
	m.settings = s
	return nil
}

// ForceKeyFrame makes one of the next frames a key frame.
func (m *M2M) ForceKeyFrame() error {
	if _, ok := m.controls[v4l2.CIDForceKeyFrame]; !ok {
		return &Refused{"keyframe", "now", "nothing: " + m.name + " decides about key frames"}
	}
	return m.dev.SetControl(v4l2.CIDForceKeyFrame, 1)
}
