package capture

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"lenslet/capture/v4l2"
)

// What a Wish gets that leaves the size or the rate to the source.
const (
	usualWidth, usualHeight = 1280, 720
	usualRate               = 30
)

// A NotOffered says that a source cannot give what was asked for, and what it
// can give.
type NotOffered struct {
	Source string // its name
	Wanted string // in words: "1000x1000"
	Offers string // in words: "640x360, 1280x720"
}

// Error is one sentence for the owner of the camera.
func (e *NotOffered) Error() string {
	return fmt.Sprintf("%s does not offer %s; it offers %s", e.Source, e.Wanted, e.Offers)
}

// An offer is what a source tells about one of its formats.
type offer struct {
	fourcc    v4l2.FourCC
	sizes     []v4l2.SizeRange                    // empty: not told, try finds out
	intervals func(w, h int) []v4l2.IntervalRange // at a size; empty: not told
	try       func(w, h int) (int, int)           // the size that comes of the one asked for
}

// The work that a frame makes until the encoder has it, least first.
const (
	passed = iota
	imported
	converted
)

// How sure it is that a rate is reached, surest first.
const (
	reached = iota
	untold
	missed
)

// A candidate is an offer that the pipeline can use.
type candidate struct {
	offer
	work  int // passed, imported or converted
	taste int // place in the list of the Wish
	reach int // reached, untold or missed
	Choice
}

// choose weighs what is offered against a wish, best first. It is a function of
// its arguments alone. The size is never traded for something else: a size that
// is not offered is a *NotOffered.
func choose(source string, offers []offer, w Wish) ([]Choice, error) {
	if w.Rate.Num <= 0 || w.Rate.Den <= 0 {
		w.Rate = Rate{usualRate, 1}
	}
	usable := candidates(offers, w)
	if len(usable) == 0 {
		return nil, &NotOffered{source, "a format that can be encoded", formatNames(offers)}
	}
	width, height := w.Width, w.Height
	if width == 0 || height == 0 {
		if width, height = usualSize(usable); width <= 0 || height <= 0 {
			return nil, &NotOffered{source, "frames of any size", sizeNames(usable)}
		}
	}
	var found []candidate
	for _, c := range usable {
		if c.has(width, height) {
			c.Choice = Choice{FourCC: c.fourcc, Width: width, Height: height}
			c.Rate, c.reach = c.rate(width, height, w.Rate)
			found = append(found, c)
		}
	}
	if len(found) == 0 {
		return nil, &NotOffered{source, fmt.Sprintf("%dx%d", width, height), sizeNames(usable)}
	}
	sort.SliceStable(found, func(i, j int) bool { return rank(found[i], found[j]) < 0 })
	choices := make([]Choice, len(found))
	for i, c := range found {
		choices[i] = c.Choice
		choices[i].Reason = c.reason(w, offers, found)
	}
	return choices, nil
}

// candidates keeps the offers that the wish has a use for.
func candidates(offers []offer, w Wish) []candidate {
	var usable []candidate
	for _, o := range offers {
		c := candidate{offer: o}
		switch {
		case o.fourcc == v4l2.H264 && w.PassH264:
		case slices.Contains(w.Import, o.fourcc):
			c.work, c.taste = imported, slices.Index(w.Import, o.fourcc)
		case slices.Contains(w.Convert, o.fourcc):
			c.work, c.taste = converted, slices.Index(w.Convert, o.fourcc)
		default:
			continue
		}
		usable = append(usable, c)
	}
	return usable
}

// rank orders candidates of one size: what reaches the rate, then what makes
// less work, then what has fewer bytes, then what the encoder likes better.
func rank(a, b candidate) int {
	order := cmp.Compare(a.reach, b.reach)
	if order == 0 && a.reach == missed {
		order = cmp.Compare(b.Rate.Float(), a.Rate.Float())
	}
	return cmp.Or(order, cmp.Compare(a.work, b.work),
		cmp.Compare(bitsPerPixel(a.fourcc), bitsPerPixel(b.fourcc)), cmp.Compare(a.taste, b.taste))
}

// bitsPerPixel of a raw format; 0 for a compressed one.
func bitsPerPixel(f v4l2.FourCC) int {
	switch f {
	case v4l2.MJPEG, v4l2.JPEG, v4l2.H264:
		return 0
	case v4l2.GREY:
		return 8
	case v4l2.NV12, v4l2.NV21, v4l2.YU12, v4l2.YV12:
		return 12
	case v4l2.YUYV, v4l2.UYVY, v4l2.YVYU, v4l2.VYUY:
		return 16
	}
	return 24
}

// reason says in words why this candidate, and what stood in the way of a
// better one.
func (c candidate) reason(w Wish, offers []offer, found []candidate) string {
	works := [...]string{
		passed:    "which needs no encoder",
		imported:  "which the encoder takes without a copy",
		converted: "which has to be converted",
	}
	s := fmt.Sprintf("%dx%d at %v/s as %v, %s", c.Width, c.Height, c.Rate, c.fourcc, works[c.work])
	switch c.reach {
	case missed:
		s += fmt.Sprintf("; %v/s is not offered", w.Rate)
	case untold:
		s += "; which rates there are the driver does not tell"
	}
	if !w.PassH264 || c.work == passed {
		return s
	}
	isH264 := func(c candidate) bool { return c.fourcc == v4l2.H264 }
	if i := slices.IndexFunc(found, isH264); i >= 0 {
		return s + fmt.Sprintf("; H264 only at %v/s", found[i].Rate)
	}
	if slices.ContainsFunc(offers, func(o offer) bool { return o.fourcc == v4l2.H264 }) {
		return s + "; H264 not offered at this size"
	}
	return s + "; H264 not offered"
}

// formatNames lists formats for an error.
func formatNames(offers []offer) string {
	if len(offers) == 0 {
		return "no format at all"
	}
	var names []string
	for _, o := range offers {
		names = append(names, o.fourcc.String())
	}
	return strings.Join(slices.Compact(names), ", ")
}
