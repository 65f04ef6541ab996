package capture

import (
	"math/rand/v2"
	"testing"
	"time"
)

// drawn is a picture of the pattern with a number.
func drawn(w, h int, number uint32) []byte {
	s := newScene(w, h)
	p := picture{data: make([]byte, s.size())}
	s.draw(&p, number, time.Unix(0, 0))
	return p.data
}

func TestMarkerInPicturesOfEverySize(t *testing.T) {
	sizes := []size{{128, 32}, {160, 90}, {160, 120}, {176, 144}, {256, 96}, {320, 240}, nhd, {642, 362}, vga, hd, full, {3840, 32}, {128, 2160}, {3840, 2160}}
	for _, s := range sizes {
		for _, n := range []uint32{0, 1, 0xffff, 0x10000, 0xdeadbeef, 0xffffffff} {
			if got, ok := ReadMarker(drawn(s.w, s.h, n), s.w, s.w, s.h); !ok || got != n {
				t.Errorf("%v: read %#x, %v; drawn %#x", s, got, ok, n)
			}
		}
	}
}

func TestMarkerBlocks(t *testing.T) {
	tests := []struct {
		size size
		want int
	}{
		{size{32, 32}, 0}, {size{126, 240}, 0}, {size{128, 24}, 8}, {size{128, 22}, 0}, {size{160, 90}, 8}, {size{254, 240}, 8},
		{size{256, 96}, 16}, {size{256, 94}, 8}, {nhd, 16}, {hd, 16}, {full, 16}, {size{2560, 1440}, 32}, {size{3840, 2160}, 48},
	}
	for _, tt := range tests {
		if got := markerBlock(tt.size.w, tt.size.h); got != tt.want {
			t.Errorf("%v: blocks of %d, want %d", tt.size, got, tt.want)
		}
	}
}

// The check bits are a known code: CRC-16/CCITT-FALSE of the four bytes.
func TestCheckBits(t *testing.T) {
	for v, want := range map[uint32]uint16{0x31323334: 0x5349, 0: 0x84c0, 0xffffffff: 0x1d0f} {
		if got := crc16(v); got != want {
			t.Errorf("%#x: %#x, want %#x", v, got, want)
		}
	}
}

func TestReadMarkerRefuses(t *testing.T) {
	fill := func(v byte) []byte {
		b := make([]byte, 640*360)
		for i := range b {
			b[i] = v
		}
		return b
	}
	good := drawn(640, 360, 77)
	damaged := append([]byte(nil), good...)
	for y := range 16 { // the last block of the first row
		for x := 240; x < 256; x++ {
			damaged[y*640+x] = 255 - damaged[y*640+x]
		}
	}
	tests := []struct {
		name      string
		luma      []byte
		stride, w int
	}{
		{"black", fill(16), 640, 640},
		{"white", fill(235), 640, 640},
		{"grey", fill(128), 640, 640},
		{"one block wrong", damaged, 640, 640},
		{"too short", good[:47*640+255], 640, 640},
		{"empty", nil, 640, 640},
		{"a stride below the width", good, 638, 640},
		{"another size", good, 640, 120},
	}
	for _, tt := range tests {
		if n, ok := ReadMarker(tt.luma, tt.stride, tt.w, 360); ok {
			t.Errorf("%s: read %d", tt.name, n)
		}
	}
}

// mosaic replaces each macroblock by its mean.
func mosaic(b []byte, w, h int) {
	for y := 0; y+16 <= h; y += 16 {
		for x := 0; x < w; x += 16 {
			sum := 0
			for i := range 256 {
				sum += int(b[(y+i/16)*w+x+i%16])
			}
			for i := range 256 {
				b[(y+i/16)*w+x+i%16] = byte(sum / 256)
			}
		}
	}
}

// each replaces all samples.
func each(b []byte, f func(v int) int) {
	for i := range b {
		b[i] = clamp(f(int(b[i])))
	}
}

// blur replaces each sample by the mean of nine.
func blur(b []byte) {
	from := append([]byte(nil), b...)
	for i := 4; i < len(b)-4; i++ {
		sum := 0
		for _, v := range from[i-4 : i+5] {
			sum += int(v)
		}
		b[i] = byte(sum / 9)
	}
}

// What coding does to a picture: noise, a mean over each macroblock, blur
// across the edges, and another range of values.
func TestMarkerSurvives(t *testing.T) {
	const w, h = 640, 360
	random := rand.New(rand.NewPCG(1, 2))
	for name, do := range map[string]func([]byte){
		"noise":           func(b []byte) { each(b, func(v int) int { return v + random.IntN(160) - 80 }) },
		"mosaic":          func(b []byte) { mosaic(b, w, h) },
		"blur":            blur,
		"full range":      func(b []byte) { each(b, func(v int) int { return (v - 16) * 255 / 219 }) },
		"little contrast": func(b []byte) { each(b, func(v int) int { return 125 + (v-125)/8 }) },
	} {
		for n := range uint32(20) {
			number := n * 0x1234567b
			b := drawn(w, h, number)[:w*h]
			do(b)
			if got, ok := ReadMarker(b, w, w, h); !ok || got != number {
				t.Errorf("%s: read %#x, %v; drawn %#x", name, got, ok, number)
			}
		}
	}
}

func TestMarkerInLongerLines(t *testing.T) {
	b := drawn(320, 240, 99)
	var long []byte
	for y := range 240 {
		long = append(append(long, b[y*320:][:320]...), make([]byte, 64)...)
	}
	if n, ok := ReadMarker(long, 384, 320, 240); !ok || n != 99 {
		t.Errorf("read %d, %v", n, ok)
	}
}

func FuzzReadMarker(f *testing.F) {
	f.Add(drawn(128, 32, 12345)[:128*32], 128, 128, 32)
	f.Add([]byte{}, 0, 0, 0)
	f.Add([]byte{1, 2, 3}, -1, -640, 1<<30)
	f.Fuzz(func(t *testing.T, luma []byte, stride, w, h int) {
		n, ok := ReadMarker(luma, stride, w, h)
		if !ok {
			return
		}
		if b := markerBlock(w, h); b == 0 || len(luma) < (markerRows*b-1)*stride+markerColumns*b {
			t.Errorf("read %d where there is no room for it", n)
		}
	})
}
