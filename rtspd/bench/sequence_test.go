package main

import "testing"

func TestSequence(t *testing.T) {
	for _, c := range []struct {
		name                string
		numbers             []uint16
		packets, lost, late uint64
	}{
		{"nothing", nil, 0, 0, 0},
		{"in order", []uint16{7, 8, 9}, 3, 0, 0},
		{"in order across the wrap", []uint16{65534, 65535, 0, 1}, 4, 0, 0},
		{"one lost", []uint16{7, 9}, 2, 1, 0},
		{"lost across the wrap", []uint16{65533, 2}, 2, 4, 0},
		{"the wrap itself lost", []uint16{65535, 1}, 2, 1, 0},
		{"late ones are not lost", []uint16{7, 9, 8, 10}, 4, 0, 1},
		{"late across the wrap", []uint16{65534, 0, 65535, 1}, 4, 0, 1},
		{"twice", []uint16{7, 7, 8}, 3, 0, 1},
		{"a long gap", []uint16{0, 32767}, 2, 32766, 0},
		{"far behind is late", []uint16{0, 32769}, 2, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s sequence
			for _, n := range c.numbers {
				s.take(n)
			}
			if s.packets != c.packets || s.lost != c.lost || s.late != c.late {
				t.Errorf("%d packets, %d lost, %d late; want %d, %d, %d", s.packets, s.lost, s.late, c.packets, c.lost, c.late)
			}
		})
	}
}

// Twice around the circle, each thousandth packet is lost.
func TestSequenceAroundTheCircle(t *testing.T) {
	var s sequence
	lost := uint64(0)
	for n := range 200_000 {
		if n%1000 == 500 {
			lost++
			continue
		}
		s.take(uint16(n))
	}
	if s.lost != lost || s.packets != 200_000-lost || s.late != 0 {
		t.Errorf("%+v; want %d lost", s, lost)
	}
}
