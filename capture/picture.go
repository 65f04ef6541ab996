package capture

import "time"

// A scene draws the test pattern into I420 pictures of one size: colour bars, a
// lane that glides from right to left, the clock, the number, and the marker.
type scene struct {
	w, h       int
	block      int    // edge of a block of the marker, 0: none
	scale      int    // of the font, 0: no text
	textX      int    // of the first character of both lines
	textY      int    // of the line with the clock
	laneY      int    // first line of the lane
	laneH      int    // lines of the lane
	brightness int    // added to the luma of bars and lane
	bars       [3]row // a line of the bars in Y, U, V
	lane       [3]row // a line of the lane, twice, so that any part of it is one slice
	text       text   // scratch
}

// A row is one line of samples.
type row []byte

// What the text says: the clock, then the number.
const (
	clockLayout = "2006-01-02 15:04:05.000"
	clockChars  = len(clockLayout)
	numberChars = 10
)

type text [clockChars + numberChars]byte

// A picture is an I420 buffer and what is drawn in it now, so that only what
// changed is drawn again.
type picture struct {
	data       []byte
	text       text
	brightness int
	drawn      bool
}

// newScene lays a picture out; the size is even and at least 32x32 pixels.
func newScene(w, h int) *scene {
	s := &scene{w: w, h: h, block: markerBlock(w, h)}
	s.laneH = max(2, h/6&^1)
	s.laneY = h - s.laneH
	top := markerRows * s.block
	room := s.laneY - top
	s.scale = min(max(w/200, min(w/160, 1)), room/(2*lineAdvance))
	s.textX = (w - clockChars*glyphAdvance*s.scale) / 2 &^ 1
	s.textY = (top + (room-2*lineAdvance*s.scale)/2) &^ 1
	for i := range s.bars {
		s.bars[i], s.lane[i] = make(row, w), make(row, 2*w)
	}
	s.setBrightness(0)
	return s
}

// size is the number of bytes of a picture.
func (s *scene) size() int { return s.w * s.h * 3 / 2 }

// setBrightness prepares the lines of bars and lane.
func (s *scene) setBrightness(b int) {
	s.brightness = b
	// 75 % colour bars (ITU-R BT.601): white, yellow, cyan, green, magenta, red, blue, black
	bars := [8][3]int{{180, 128, 128}, {162, 44, 142}, {131, 156, 44}, {112, 72, 58}, {84, 184, 198}, {65, 100, 212}, {35, 212, 114}, {black, 128, 128}}
	for x := range s.w {
		c := bars[x*8/s.w]
		s.bars[0][x] = clamp(c[0] + b)
		s.bars[1][x/2], s.bars[2][x/2] = byte(c[1]), byte(c[2])
	}
	for x := range 2 * s.w {
		turn := x % s.w * 1024 / s.w
		s.lane[0][x] = clamp(black + wave(turn)*(white-black)/512 + b)
		s.lane[1][x/2] = byte(32 + wave(turn+256)*192/512)
		s.lane[2][x/2] = byte(32 + wave(turn+512)*192/512)
	}
}

// wave goes from 0 up to 512 and down again, once in 1024.
func wave(turn int) int {
	if turn %= 1024; turn <= 512 {
		return turn
	}
	return 1024 - turn
}

func clamp(v int) byte { return byte(max(0, min(255, v))) }

// draw makes p the picture with a number at a time.
func (s *scene) draw(p *picture, number uint32, at time.Time) {
	if !p.drawn || p.brightness != s.brightness {
		s.background(p)
	}
	s.glide(p, number)
	s.mark(p, number)
	if s.scale > 0 {
		s.write(p, number, at)
	}
}

// planes are the Y, U and V samples of a picture.
func (s *scene) planes(data []byte) (y, u, v []byte) {
	luma := s.w * s.h
	return data[:luma], data[luma : luma+luma/4], data[luma+luma/4:]
}

// background draws what stays: the bars, and dark ground for text and marker.
func (s *scene) background(p *picture) {
	y, u, v := s.planes(p.data)
	for at := 0; at < len(y); at += s.w {
		copy(y[at:], s.bars[0])
	}
	for at := 0; at < len(u); at += s.w / 2 {
		copy(u[at:at+s.w/2], s.bars[1])
		copy(v[at:at+s.w/2], s.bars[2])
	}
	s.ground(p, 0, 0, markerColumns*s.block, markerRows*s.block)
	margin := 2 * s.scale
	s.ground(p, max(0, s.textX-margin)&^1, s.textY, min(s.w, s.textX+clockChars*glyphAdvance*s.scale+margin), s.textY+2*lineAdvance*s.scale)
	p.text, p.brightness, p.drawn = text{}, s.brightness, true
}

// ground makes a rectangle black; x0 and y0 are even.
func (s *scene) ground(p *picture, x0, y0, x1, y1 int) {
	y, u, v := s.planes(p.data)
	for i := y0; i < y1; i++ {
		fill(y[i*s.w+x0:i*s.w+x1], black)
	}
	for i := y0 / 2; i < y1/2; i++ {
		fill(u[i*s.w/2+x0/2:i*s.w/2+x1/2], 128)
		fill(v[i*s.w/2+x0/2:i*s.w/2+x1/2], 128)
	}
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// glide draws the lane where it is at this number.
func (s *scene) glide(p *picture, number uint32) {
	step := max(2, s.w/128&^1) // pixels per frame
	x := int(uint64(number) * uint64(step) % uint64(s.w))
	y, u, v := s.planes(p.data)
	for i := s.laneY; i < s.h; i++ {
		copy(y[i*s.w:(i+1)*s.w], s.lane[0][x:])
	}
	for i := s.laneY / 2; i < s.h/2; i++ {
		copy(u[i*s.w/2:(i+1)*s.w/2], s.lane[1][x/2:])
		copy(v[i*s.w/2:(i+1)*s.w/2], s.lane[2][x/2:])
	}
}

// mark draws the marker.
func (s *scene) mark(p *picture, number uint32) {
	if s.block == 0 {
		return
	}
	for i, bits := range markerBits(number) {
		line := p.data[i*s.block*s.w:][:markerColumns*s.block]
		for x := range line {
			line[x] = black
			if bits>>(markerColumns-1-x/s.block)&1 == 1 {
				line[x] = white
			}
		}
		for k := 1; k < s.block; k++ {
			copy(p.data[(i*s.block+k)*s.w:], line)
		}
	}
}

// write draws those characters of clock and number that changed.
func (s *scene) write(p *picture, number uint32, at time.Time) {
	at.AppendFormat(s.text[:0], clockLayout)
	for i := range numberChars {
		s.text[len(s.text)-1-i] = '0' + byte(number%10)
		number /= 10
	}
	for i, c := range s.text {
		if p.text[i] == c {
			continue
		}
		x, y := s.textX+i*glyphAdvance*s.scale, s.textY+s.scale
		if i >= clockChars {
			x -= clockChars * glyphAdvance * s.scale
			y += lineAdvance * s.scale
		}
		s.put(p, glyphOf(c), x, y)
		p.text[i] = c
	}
}

// put draws a character whose top left corner is at x, y.
func (s *scene) put(p *picture, g glyph, x, y int) {
	for i, bits := range g {
		line := p.data[(y+i*s.scale)*s.w+x:][:glyphWidth*s.scale]
		for k := range line {
			line[k] = black
			if bits>>(glyphWidth-1-k/s.scale)&1 == 1 {
				line[k] = white
			}
		}
		for k := 1; k < s.scale; k++ {
			copy(p.data[(y+i*s.scale+k)*s.w+x:], line)
		}
	}
}
