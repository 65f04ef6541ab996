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
		s.put(p, glyphOf(noSignal[i]), x+i*glyphAdvance*s.scale, y)
	}
	return Format{FourCC: v4l2.YU12, Width: width, Height: height, Stride: width, Size: s.size(), Buffers: 1}, p.data
}
