package encoder

import (
	"errors"
	"fmt"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// errShort is a frame with fewer bytes than its format has.
var errShort = errors.New("the frame is cut off")

// convertible lists what a converter reads, by the work that it takes.
func convertible() []v4l2.FourCC {
	return []v4l2.FourCC{v4l2.YU12, v4l2.YV12, v4l2.NV12, v4l2.NV21, v4l2.YUYV, v4l2.UYVY, v4l2.YVYU, v4l2.VYUY,
		v4l2.GREY, v4l2.RGB24, v4l2.BGR24, v4l2.MJPEG, v4l2.JPEG}
}

// A converter writes frames of one format as YU12. It allocates nothing, but
// for JPEG pictures.
type converter struct {
	from, to layout
	lines    func(c *converter, dst, src []byte, y int) // converts lines y and y+1 of the picture
	order    [4]int                                     // where in the source the components are
	jpeg     *jpegReader
}

// newConverter makes a converter of frames of format f into a YU12 layout.
func newConverter(f capture.Format, to layout) (*converter, error) {
	c := &converter{to: to}
	if f.FourCC == v4l2.MJPEG || f.FourCC == v4l2.JPEG {
		r, err := newJPEGReader()
		c.jpeg = r
		return c, err
	}
	from, ok := layoutOf(f, to.width, to.height)
	if !ok {
		return nil, fmt.Errorf("convert %dx%d %s with %d bytes per line to %dx%d YU12: not possible",
			f.Width, f.Height, f.FourCC, f.Stride, to.width, to.height)
	}
	c.from = from
	switch f.FourCC {
	case v4l2.YUYV:
		c.lines, c.order = (*converter).packed, [4]int{0, 2, 1, 3}
	case v4l2.YVYU:
		c.lines, c.order = (*converter).packed, [4]int{0, 2, 3, 1}
	case v4l2.UYVY:
		c.lines, c.order = (*converter).packed, [4]int{1, 3, 0, 2}
	case v4l2.VYUY:
		c.lines, c.order = (*converter).packed, [4]int{1, 3, 2, 0}
	case v4l2.NV12:
		c.lines, c.order = (*converter).semiPlanar, [4]int{0, 1}
	case v4l2.NV21:
		c.lines, c.order = (*converter).semiPlanar, [4]int{1, 0}
	case v4l2.YU12:
		c.lines, c.order = (*converter).planar, [4]int{1, 2}
	case v4l2.YV12:
		c.lines, c.order = (*converter).planar, [4]int{2, 1}
	case v4l2.GREY:
		c.lines = (*converter).grey
	case v4l2.RGB24:
		c.lines, c.order = (*converter).rgb, [4]int{0, 1, 2}
	case v4l2.BGR24:
		c.lines, c.order = (*converter).rgb, [4]int{2, 1, 0}
	}
	return c, nil
}

// convert writes the frame src into dst. A frame that cannot be read gives an
// error and leaves dst undefined; the next one may be good.
func (c *converter) convert(dst, src []byte) error {
	if c.jpeg != nil {
		return c.jpeg.convert(&c.to, dst, src)
	}
	if len(src) < c.from.size {
		return errShort
	}
	for y := 0; y < c.to.height; y += 2 {
		c.lines(c, dst, src, y)
	}
	return nil
}

// second is the line below y, or y itself at the end of an odd height.
func (c *converter) second(y int) int { return min(y+1, c.to.height-1) }

func (c *converter) copyLuma(dst, src []byte, y int) {
	copy(c.to.line(dst, 0, y), c.from.line(src, 0, y))
	if y+1 < c.to.height {
		copy(c.to.line(dst, 0, y+1), c.from.line(src, 0, y+1))
	}
}

func (c *converter) planar(dst, src []byte, y int) {
	c.copyLuma(dst, src, y)
	copy(c.to.line(dst, 1, y/2), c.from.line(src, c.order[0], y/2))
	copy(c.to.line(dst, 2, y/2), c.from.line(src, c.order[1], y/2))
}

func (c *converter) semiPlanar(dst, src []byte, y int) {
	c.copyLuma(dst, src, y)
	in, u, v := c.from.line(src, 1, y/2), c.to.line(dst, 1, y/2), c.to.line(dst, 2, y/2)
	v = v[:len(u)]
	for x := range u {
		u[x], v[x] = in[2*x+c.order[0]], in[2*x+c.order[1]]
	}
}

func (c *converter) grey(dst, src []byte, y int) {
	c.copyLuma(dst, src, y)
	fill(c.to.line(dst, 1, y/2), 128)
	fill(c.to.line(dst, 2, y/2), 128)
}

// packed takes the chroma of a line and of the one below it as their mean.
func (c *converter) packed(dst, src []byte, y int) {
	o := c.order
	a, b := c.from.line(src, 0, y), c.from.line(src, 0, c.second(y))
	y0, y1 := c.to.line(dst, 0, y), c.to.line(dst, 0, c.second(y))
	u, v := c.to.line(dst, 1, y/2), c.to.line(dst, 2, y/2)
	for x := range c.to.width / 2 {
		p, q := a[4*x:4*x+4], b[4*x:4*x+4]
		y0[2*x], y0[2*x+1] = p[o[0]], p[o[1]]
		y1[2*x], y1[2*x+1] = q[o[0]], q[o[1]]
		u[x] = byte((int(p[o[2]]) + int(q[o[2]]) + 1) / 2)
		v[x] = byte((int(p[o[3]]) + int(q[o[3]]) + 1) / 2)
	}
}

// rgb converts by BT.601 into the limited range; the chroma is that of the mean
// colour of four pixels.
func (c *converter) rgb(dst, src []byte, y int) {
	o := c.order
	a, b := c.from.line(src, 0, y), c.from.line(src, 0, c.second(y))
	y0, y1 := c.to.line(dst, 0, y), c.to.line(dst, 0, c.second(y))
	u, v := c.to.line(dst, 1, y/2), c.to.line(dst, 2, y/2)
	for x := range u {
		var sum [3]int
		left, right := 2*x, min(2*x+1, c.to.width-1)
		for _, at := range [2]int{left, right} {
			p, q := a[3*at:3*at+3], b[3*at:3*at+3]
			y0[at] = luma601(p[o[0]], p[o[1]], p[o[2]])
			y1[at] = luma601(q[o[0]], q[o[1]], q[o[2]])
			for k := range sum {
				sum[k] += int(p[o[k]]) + int(q[o[k]])
			}
		}
		r, g, b := sum[0], sum[1], sum[2] // each 4 times the mean
		u[x] = byte((-38*r - 74*g + 112*b + 512 + 128<<10) >> 10)
		v[x] = byte((112*r - 94*g - 18*b + 512 + 128<<10) >> 10)
	}
}

func luma601(r, g, b byte) byte {
	return byte((66*int(r)+129*int(g)+25*int(b)+128)>>8 + 16)
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
