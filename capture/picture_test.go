package capture

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// textIn reads the text out of a picture, by comparing each place with each
// character of the font; '?' is none.
func textIn(s *scene, data []byte, line, chars int) string {
	var out []byte
	for i := range chars {
		x, y := s.textX+i*glyphAdvance*s.scale, s.textY+s.scale+line*lineAdvance*s.scale
		found := byte('?')
		for _, c := range []byte("0123456789-:. ") {
			if isGlyph(s, data, glyphOf(c), x, y) {
				found = c
				break
			}
		}
		out = append(out, found)
	}
	return string(out)
}

func isGlyph(s *scene, data []byte, g glyph, x, y int) bool {
	for row := range glyphHeight * s.scale {
		for col := range glyphWidth * s.scale {
			lit := g[row/s.scale]>>(glyphWidth-1-col/s.scale)&1 == 1
			if (data[(y+row)*s.w+x+col] > 128) != lit {
				return false
			}
		}
	}
	return true
}

func TestGlyphsDiffer(t *testing.T) {
	const all = "0123456789-:. "
	for i := range all {
		for k := range i {
			if glyphOf(all[i]) == glyphOf(all[k]) {
				t.Errorf("%q and %q look the same", all[i], all[k])
			}
		}
	}
	if glyphOf('x') != (glyph{}) {
		t.Error("a character without a shape is not blank")
	}
}

func TestClockAndNumberAreLegible(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 24, 47, 123456789, time.UTC)
	tests := []struct {
		size  size
		scale int
	}{
		{size{160, 90}, 1}, {size{160, 120}, 1}, {size{320, 240}, 1}, {nhd, 3}, {size{642, 362}, 3}, {vga, 3}, {hd, 6}, {full, 9}, {size{3840, 2160}, 19},
	}
	for _, tt := range tests {
		s := newScene(tt.size.w, tt.size.h)
		if s.scale != tt.scale {
			t.Errorf("%v: font scaled by %d, want %d", tt.size, s.scale, tt.scale)
		}
		p := picture{data: make([]byte, s.size())}
		s.draw(&p, 7, at.Add(-time.Hour)) // drawn over by the next one
		s.draw(&p, 4294967295, at)
		if got := textIn(s, p.data, 0, clockChars); got != "2026-11-22 18:24:47.123" {
			t.Errorf("%v: clock %q", tt.size, got)
		}
		if got := textIn(s, p.data, 1, numberChars); got != "4294967295" {
			t.Errorf("%v: number %q", tt.size, got)
		}
		right := s.textX + clockChars*glyphAdvance*s.scale
		if s.textX < 0 || right > tt.size.w || s.textY < markerRows*s.block || s.textY+2*lineAdvance*s.scale > s.laneY {
			t.Errorf("%v: text at %d,%d to %d lies on something else", tt.size, s.textX, s.textY, right)
		}
	}
}

// Every even size can be drawn; what does not fit is left out.
func TestEverySizeCanBeDrawn(t *testing.T) {
	for w := 32; w <= 400; w += 2 {
		for h := 32; h <= 300; h += 14 {
			s := newScene(w, h)
			p := picture{data: make([]byte, s.size())}
			s.draw(&p, 1, time.Unix(1e9, 0))
			if w >= 160 && h >= 60 && s.scale == 0 {
				t.Errorf("%dx%d has no text", w, h)
			}
			if w < 160 && s.scale != 0 {
				t.Errorf("%dx%d has text, which does not fit", w, h)
			}
		}
	}
}

// A buffer that is used again holds the same picture as a fresh one.
func TestPicturesAreDrawnCompletely(t *testing.T) {
	for _, sz := range []size{{32, 32}, {160, 90}, nhd, {642, 362}} {
		s := newScene(sz.w, sz.h)
		used := picture{data: make([]byte, s.size())}
		for i := range 20 {
			if i == 10 {
				s.setBrightness(-70)
			}
			at := time.Date(2026, 1, 1, 0, 0, 0, i*37e6, time.UTC)
			s.draw(&used, uint32(i*9), at)
			fresh := picture{data: bytes.Repeat([]byte{99}, s.size())}
			s.draw(&fresh, uint32(i*9), at)
			if !bytes.Equal(used.data, fresh.data) {
				t.Fatalf("%v: picture %d in a used buffer differs", sz, i)
			}
		}
	}
}

func TestEveryPictureMoves(t *testing.T) {
	for _, sz := range []size{{32, 32}, nhd, {3840, 2160}} {
		s := newScene(sz.w, sz.h)
		a, b := picture{data: make([]byte, s.size())}, picture{data: make([]byte, s.size())}
		for i := range uint32(3) {
			s.draw(&a, i, time.Unix(0, 0))
			s.draw(&b, i+1, time.Unix(0, 0))
			lane := s.laneY * s.w
			if bytes.Equal(a.data[lane:s.w*s.h], b.data[lane:s.w*s.h]) {
				t.Errorf("%v: the lane stands still from %d to %d", sz, i, i+1)
			}
			_, ua, va := s.planes(a.data)
			_, ub, vb := s.planes(b.data)
			if bytes.Equal(ua, ub) || bytes.Equal(va, vb) {
				t.Errorf("%v: the colours of the lane stand still from %d to %d", sz, i, i+1)
			}
			if !bytes.Equal(a.data[s.laneY/2*s.w:][:s.w/8], b.data[s.laneY/2*s.w:][:s.w/8]) {
				t.Errorf("%v: the bars move", sz)
			}
		}
	}
}

func TestBarsAreColourBars(t *testing.T) {
	s := newScene(640, 480)
	p := picture{data: make([]byte, s.size())}
	s.draw(&p, 0, time.Unix(0, 0))
	y, u, v := s.planes(p.data)
	line := s.laneY - 2
	want := [8][3]byte{{180, 128, 128}, {162, 44, 142}, {131, 156, 44}, {112, 72, 58}, {84, 184, 198}, {65, 100, 212}, {35, 212, 114}, {16, 128, 128}}
	for i, w := range want {
		x := i*80 + 40
		got := [3]byte{y[line*640+x], u[line/2*320+x/2], v[line/2*320+x/2]}
		if got != w {
			t.Errorf("bar %d is %v, want %v", i, got, w)
		}
	}
}

func TestBrightnessChangesBarsAndLaneOnly(t *testing.T) {
	s := newScene(640, 360)
	at := time.Unix(1e9, 0)
	mean := func(b []byte) int {
		sum := 0
		for _, v := range b {
			sum += int(v)
		}
		return sum / len(b)
	}
	p := picture{data: make([]byte, s.size())}
	before := map[int][2]int{}
	for _, b := range []int{0, -128, 127, 40} {
		s.setBrightness(b)
		s.draw(&p, 5, at)
		y, _, _ := s.planes(p.data)
		before[b] = [2]int{mean(y[(s.laneY-1)*s.w : s.laneY*s.w]), mean(y[s.laneY*s.w:])}
		if n, ok := ReadMarker(y, 640, 640, 360); !ok || n != 5 {
			t.Errorf("brightness %d: the marker reads %d, %v", b, n, ok)
		}
		if got := textIn(s, p.data, 1, numberChars); got != "0000000005" {
			t.Errorf("brightness %d: the number reads %q", b, got)
		}
	}
	for part := range 2 {
		if means := []int{before[-128][part], before[0][part], before[40][part], before[127][part]}; !slices.IsSorted(means) || means[0] == means[3] {
			t.Errorf("part %d: mean luma by brightness %v", part, means)
		}
	}
	if before[40][0] != before[0][0]+40 {
		t.Errorf("brightness 40 makes the bars %d, without it they are %d", before[40][0], before[0][0])
	}
}

func BenchmarkDraw720p(b *testing.B) {
	s := newScene(1280, 720)
	p := picture{data: make([]byte, s.size())}
	at := time.Now()
	var n uint32
	for b.Loop() {
		n++
		s.draw(&p, n, at.Add(time.Duration(n)*33*time.Millisecond))
	}
}
