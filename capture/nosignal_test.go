package capture

import "testing"

// The picture says what it is, in white on black, in the middle; where there is
// no room it is black.
func TestNoSignal(t *testing.T) {
	for _, size := range [][2]int{{1920, 1080}, {320, 180}, {66, 16}, {16, 16}, {16, 8192}} {
		f, data := NoSignal(size[0], size[1])
		if f.Width != size[0] || f.Height != size[1] || f.Stride != size[0] || f.Size != len(data) || len(data) != size[0]*size[1]*3/2 {
			t.Fatalf("%v: %+v, %d bytes", size, f, len(data))
		}
		luma, lit := data[:size[0]*size[1]], 0
		left, right, top, bottom := size[0], 0, size[1], 0
		for i, v := range luma {
			if v == white {
				x, y := i%size[0], i/size[0]
				left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
				lit++
			} else if v != black {
				t.Fatalf("%v: a sample is %d", size, v)
			}
		}
		if size[0] < 66 {
			if lit > 0 {
				t.Errorf("%v: %d samples are lit", size, lit)
			}
			continue
		}
		if lit == 0 || max(left-(size[0]-right), (size[0]-right)-left) > size[0]/20+6 || max(top-(size[1]-bottom), (size[1]-bottom)-top) > size[1]/20+6 {
			t.Errorf("%v: text from %d,%d to %d,%d", size, left, top, right, bottom)
		}
		for _, v := range data[len(luma):] {
			if v != 128 {
				t.Fatalf("%v: it has colour", size)
			}
		}
	}
	for i, c := range []byte("NOSIGAL") {
		if glyphOf(c) == (glyph{}) {
			t.Errorf("%c is blank", c)
		}
		for _, d := range []byte("NOSIGAL")[:i] {
			if glyphOf(c) == glyphOf(d) {
				t.Errorf("%c looks like %c", c, d)
			}
		}
	}
}
