package main

import (
	"strconv"
	"time"
)

// How heap objects are counted: a sample has 4 key frames of shortGOP, and between
// the clockwork's passes, once a second, there is room for one of 4.
const (
	sampleTime   = 600 * time.Millisecond
	sampleFrames = 16 // at least; else the machine stood still
	sampleCount  = 4  // and more where each of them had something else in it
	sampleTries  = 20
)

// An insider asks lensletd what only it knows. Of other subjects, where there is
// none, nothing is known.
type insider struct{ c *client }

func newInsider(t target) (*insider, error) {
	c, err := dial(t.address, t.path)
	if err != nil {
		return nil, err
	}
	return &insider{c}, nil
}

func (in *insider) close() { _ = in.c.conn.Close() }

// ask reads numbers.
func (in *insider) ask(names ...string) (map[string]int64, error) {
	v, err := in.c.parameters(names...)
	numbers := map[string]int64{}
	for name, text := range v {
		numbers[name], _ = strconv.ParseInt(text, 10, 64)
	}
	return numbers, err
}

// counts are what was counted so far.
func (in *insider) counts() (map[string]int64, error) {
	if in == nil {
		return nil, nil
	}
	return in.ask("frames_captured", "frames_dropped", "sends_segmented")
}

// since tells how many pictures there were since the counts, and how many
// segmented sends there are when these have come to whom they come.
func (in *insider) since(before map[string]int64, come func(pictures int)) (pictures int, segmented uint64, err error) {
	now, err := in.counts()
	if err != nil {
		return 0, 0, err
	}
	pictures = int(now["frames_captured"] - before["frames_captured"] - (now["frames_dropped"] - before["frames_dropped"]))
	come(pictures)
	now, err = in.counts()
	return pictures, uint64(now["sends_segmented"] - before["sends_segmented"]), err
}

// allocations tells how many heap objects are made for a frame; -1: that is not
// known. What reports and other things make now and then is not in the least of
// some short samples, what every frame makes is in all of them; what asking makes
// is taken off, to an object or two.
func (in *insider) allocations() (least float64, err error) {
	least = -1
	if in == nil {
		return least, nil
	}
	ask := func() (objects, frames int64) {
		if err != nil {
			return 0, 0
		}
		var v map[string]int64
		v, err = in.ask("heap_allocations", "frames_captured")
		return v["heap_allocations"], v["frames_captured"]
	}
	asking := int64(1 << 62)
	for range 10 {
		before, _ := ask()
		after, _ := ask()
		asking = min(asking, after-before)
	}
	for tries, samples := 0, 0; tries < sampleTries && (samples < sampleCount || least > allocationsMost); tries++ {
		before, first := ask()
		time.Sleep(sampleTime)
		after, last := ask()
		if frames := last - first; frames >= sampleFrames {
			samples++
			if made := max(0, float64(after-before-asking)/float64(frames)); least < 0 || made < least {
				least = made
			}
		}
	}
	return least, err
}
