package encoder

import (
	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A layout says where the lines of a raw picture lie in a buffer.
type layout struct {
	fourcc        v4l2.FourCC
	width, height int // pixels that count; the buffer may hold more
	planes        [3]plane
	n             int // planes
	size          int // bytes up to the end of the last line
}

// A plane is one component, or several that are interleaved.
type plane struct {
	offset, stride int // bytes
	bytes, lines   int // bytes that count of a line, lines that count
}

// newLayout is the layout that V4L2 documents for a format: planes without gaps
// behind each other, chroma lines half as long where chroma has planes of its
// own. stride is that of the first plane, rows the height of the buffer. False:
// the format is not known, or does not fit the stride.
func newLayout(f v4l2.FourCC, width, height, stride, rows int) (layout, bool) {
	l := layout{fourcc: f, width: width, height: height}
	halfW, halfH := (width+1)/2, (height+1)/2
	luma := plane{0, stride, width, height}
	chroma := stride * rows
	switch f {
	case v4l2.YU12, v4l2.YV12:
		l.planes[0] = luma
		l.planes[1] = plane{chroma, stride / 2, halfW, halfH}
		l.planes[2] = plane{chroma + stride/2*((rows+1)/2), stride / 2, halfW, halfH}
		l.n = 3
	case v4l2.NV12, v4l2.NV21:
		l.planes[0] = luma
		l.planes[1] = plane{chroma, stride, 2 * halfW, halfH}
		l.n = 2
	case v4l2.YUYV, v4l2.UYVY, v4l2.YVYU, v4l2.VYUY:
		l.planes[0], l.n = plane{0, stride, 4 * halfW, height}, 1
	case v4l2.RGB24, v4l2.BGR24:
		l.planes[0], l.n = plane{0, stride, 3 * width, height}, 1
	case v4l2.GREY:
		l.planes[0], l.n = luma, 1
	default:
		return layout{}, false
	}
	for _, p := range l.planes[:l.n] {
		if p.stride < p.bytes || p.lines > rows {
			return layout{}, false
		}
		l.size = max(l.size, p.offset+p.stride*(p.lines-1)+p.bytes)
	}
	return l, true
}

// layoutOf is the layout of a source's frames, of which width x height pixels
// count.
func layoutOf(f capture.Format, width, height int) (layout, bool) {
	if width > f.Width || height > f.Height {
		return layout{}, false
	}
	return newLayout(f.FourCC, width, height, f.Stride, f.Height)
}

// line is line y of plane p in a buffer.
func (l *layout) line(b []byte, p, y int) []byte {
	at := &l.planes[p]
	begin := at.offset + y*at.stride
	return b[begin : begin+at.bytes : begin+at.bytes]
}

// copyTo copies a picture into a buffer of the same format and another layout.
func (l *layout) copyTo(to *layout, dst, src []byte) {
	for p := range l.n {
		for y := range l.planes[p].lines {
			copy(to.line(dst, p, y), l.line(src, p, y))
		}
	}
}
