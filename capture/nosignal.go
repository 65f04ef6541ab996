package capture

import "lenslet/capture/v4l2"

// noSignal is what the picture says.
const noSignal = "NO SIGNAL"

// NoSignal draws a picture that stands for those of a camera that gives none: YU12
// without padding, of even size.
func NoSignal(width, height int) (Format, []byte) {
	s := &scene{w: width, h: height}
	p := &picture{data: make([]byte, s.size())}
	s.ground(p, 0, 0, width, height)
	s.scale = min(width/(len(noSignal)+2)/glyphAdvance, height/lineAdvance)
	x, y := (width-len(noSignal)*glyphAdvance*s.scale)/2, (height-glyphHeight*s.scale)/2
	for i := range noSignal {
		s.put(p, letter(noSignal[i]), x+i*glyphAdvance*s.scale, y)
	}
	return Format{FourCC: v4l2.YU12, Width: width, Height: height, Stride: width, Size: s.size(), Buffers: 1}, p.data
}

// letter is the shape of a letter of noSignal; any other is blank.
func letter(c byte) glyph {
	switch c {
	case 'N':
		return glyph{0b10001, 0b11001, 0b10101, 0b10101, 0b10011, 0b10001, 0b10001}
	case 'O':
		return glyph{0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110}
	case 'S':
		return glyph{0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110}
	case 'I':
		return glyph{0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110}
	case 'G':
		return glyph{0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01111}
	case 'A':
		return glyph{0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001}
	case 'L':
		return glyph{0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111}
	}
	return glyph{}
}
