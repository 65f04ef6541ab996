package capture

// A glyph is 5 x 7 pixels, one byte per line; the leftmost pixel is bit 4.
type glyph [glyphHeight]byte

const (
	glyphWidth   = 5
	glyphHeight  = 7
	glyphAdvance = glyphWidth + 1 // pixels from a character to the next
	lineAdvance  = glyphHeight + 2
)

// glyphOf is the shape of a character of a date, a time, a number or noSignal; any
// other is blank.
func glyphOf(c byte) glyph {
	switch c {
	case '0':
		return glyph{0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110}
	case '1':
		return glyph{0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110}
	case '2':
		return glyph{0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111}
	case '3':
		return glyph{0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110}
	case '4':
		return glyph{0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010}
	case '5':
		return glyph{0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110}
	case '6':
		return glyph{0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110}
	case '7':
		return glyph{0b11111, 0b00001, 0b00010, 0b00100, 0b00100, 0b01000, 0b01000}
	case '8':
		return glyph{0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110}
	case '9':
		return glyph{0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100}
	case '-':
		return glyph{0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000}
	case ':':
		return glyph{0b00000, 0b00100, 0b00100, 0b00000, 0b00100, 0b00100, 0b00000}
	case '.':
		return glyph{0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100}
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
