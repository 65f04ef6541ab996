package capture

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"lenslet/capture/v4l2"
)

// has tells whether frames of exactly this size are offered.
func (o offer) has(w, h int) bool {
	if len(o.sizes) == 0 {
		gotW, gotH := o.tried(w, h)
		return gotW == w && gotH == h
	}
	return slices.ContainsFunc(o.sizes, func(s v4l2.SizeRange) bool {
		return onStep(w, s.MinWidth, s.MaxWidth, s.StepWidth) && onStep(h, s.MinHeight, s.MaxHeight, s.StepHeight)
	})
}

// tried is the size that the driver makes of the one asked for; 0, 0 if it
// takes none.
func (o offer) tried(w, h int) (int, int) {
	if o.try == nil {
		return 0, 0
	}
	return o.try(w, h)
}

// onStep tells whether v is one of min, min+step, ... up to max.
func onStep(v, lowest, highest, step int) bool {
	return v >= lowest && v <= highest && (v-lowest)%max(step, 1) == 0
}

// atMost is the greatest of min, min+step, ... that is not above v, nor max.
func atMost(v, lowest, highest, step int) (int, bool) {
	v = min(v, highest)
	return v - (v-lowest)%max(step, 1), v >= lowest
}

// A size in pixels.
type size struct{ w, h int }

func (s size) area() int { return s.w * s.h }

// String is the size as people write it.
func (s size) String() string { return fmt.Sprintf("%dx%d", s.w, s.h) }

// usualSize is what a wish for any size gets: 1280x720, else the greatest size
// that lies within it, else the smallest of all.
func usualSize(usable []candidate) (int, int) {
	var within, smallest size
	for _, c := range usable {
		if len(c.sizes) == 0 {
			if w, h := c.tried(usualWidth, usualHeight); w > 0 && h > 0 {
				c.sizes = []v4l2.SizeRange{{MinWidth: w, MaxWidth: w, MinHeight: h, MaxHeight: h}}
			}
		}
		for _, s := range c.sizes {
			least := size{s.MinWidth, s.MinHeight}
			if smallest.area() == 0 || least.area() < smallest.area() {
				smallest = least
			}
			w, fitsW := atMost(usualWidth, s.MinWidth, s.MaxWidth, s.StepWidth)
			h, fitsH := atMost(usualHeight, s.MinHeight, s.MaxHeight, s.StepHeight)
			if fits := (size{w, h}); fitsW && fitsH && fits.area() > within.area() {
				within = fits
			}
		}
	}
	if within.area() > 0 {
		return within.w, within.h
	}
	return smallest.w, smallest.h
}

// sizeNames lists the sizes for an error, small ones first.
func sizeNames(usable []candidate) string {
	var all []v4l2.SizeRange
	for _, c := range usable {
		if w, h := c.tried(usualWidth, usualHeight); len(c.sizes) == 0 && w > 0 {
			all = append(all, v4l2.SizeRange{MinWidth: w, MaxWidth: w, MinHeight: h, MaxHeight: h})
		}
		all = append(all, c.sizes...)
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		return cmp.Or(cmp.Compare(a.MinWidth*a.MinHeight, b.MinWidth*b.MinHeight), cmp.Compare(a.MaxWidth, b.MaxWidth)) < 0
	})
	var names []string
	for _, s := range all {
		name := size{s.MinWidth, s.MinHeight}.String()
		if s.MaxWidth > s.MinWidth || s.MaxHeight > s.MinHeight {
			name += fmt.Sprintf(" to %v in steps of %dx%d", size{s.MaxWidth, s.MaxHeight}, max(s.StepWidth, 1), max(s.StepHeight, 1))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "no size at all"
	}
	return strings.Join(names, ", ")
}
