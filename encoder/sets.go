package encoder

import (
	"bytes"
	"slices"

	"lenslet/encoder/h264"
)

// parameterSets remembers the SPS and PPS of a stream and puts them in front of
// an IDR picture that comes without. The zero value knows none.
type parameterSets struct {
	sps, pps [][]byte // replaced, never written to: units on loan share them
}

// take remembers the parameter sets among the NAL units of an access unit. It
// allocates only when they changed.
func (s *parameterSets) take(nalus [][]byte) {
	s.sps = newer(s.sps, nalus, h264.TypeSPS)
	s.pps = newer(s.pps, nalus, h264.TypePPS)
}

// newer is what nalus hold of a type, or old if they hold none or the same.
func newer(old, nalus [][]byte, t h264.Type) [][]byte {
	n, same := 0, true
	for _, nal := range nalus {
		if h264.TypeOf(nal) == t {
			same = same && n < len(old) && bytes.Equal(nal, old[n])
			n++
		}
	}
	if n == 0 || same && n == len(old) {
		return old
	}
	sets := make([][]byte, 0, n)
	for _, nal := range nalus {
		if h264.TypeOf(nal) == t {
			sets = append(sets, bytes.Clone(nal))
		}
	}
	return sets
}

// known tells whether a decoder could begin with them.
func (s *parameterSets) known() bool { return len(s.sps) > 0 && len(s.pps) > 0 }

// complete puts the known parameter sets that the access unit lacks in front of
// it, behind an access unit delimiter.
func (s *parameterSets) complete(nalus [][]byte) [][]byte {
	hasSPS, hasPPS, at := false, false, 0
	for i, nal := range nalus {
		switch h264.TypeOf(nal) {
		case h264.TypeSPS:
			hasSPS = true
			if !hasPPS {
				at = i + 1 // a PPS belongs behind its SPS
			}
		case h264.TypePPS:
			hasPPS = true
		case h264.TypeAUD:
			at = i + 1
		}
	}
	switch {
	case hasSPS && hasPPS:
		return nalus
	case hasSPS:
		return slices.Insert(nalus, at, s.pps...)
	case hasPPS:
		return slices.Insert(nalus, afterDelimiter(nalus), s.sps...)
	}
	nalus = slices.Insert(nalus, at, s.pps...)
	return slices.Insert(nalus, at, s.sps...)
}

func afterDelimiter(nalus [][]byte) int {
	if len(nalus) > 0 && h264.TypeOf(nalus[0]) == h264.TypeAUD {
		return 1
	}
	return 0
}

// kind tells of an access unit whether it holds a picture, and an IDR picture.
func kind(nalus [][]byte) (picture, key bool) {
	for _, nal := range nalus {
		t := h264.TypeOf(nal)
		picture = picture || t.Slice()
		key = key || t == h264.TypeIDR
	}
	return picture, key
}
