package encoder

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// noise is a frame that no wrong index leaves unnoticed.
func noise(n int) []byte {
	rnd := rand.New(rand.NewPCG(uint64(n), 5))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// A sampler reads one pixel of a frame: Y, Cb and Cr, in the plainest way.
type sampler func(b []byte, f capture.Format, x, y int) (int, int, int)

func packedSampler(y0, y1, u, v int) sampler {
	return func(b []byte, f capture.Format, x, y int) (int, int, int) {
		p := b[y*f.Stride+x/2*4:]
		return int(p[[2]int{y0, y1}[x%2]]), int(p[u]), int(p[v])
	}
}

func semiSampler(u, v int) sampler {
	return func(b []byte, f capture.Format, x, y int) (int, int, int) {
		c := b[f.Stride*f.Height+y/2*f.Stride+x/2*2:]
		return int(b[y*f.Stride+x]), int(c[u]), int(c[v])
	}
}

func planarSampler(u, v int) sampler {
	return func(b []byte, f capture.Format, x, y int) (int, int, int) {
		plane := f.Stride / 2 * ((f.Height + 1) / 2)
		c := b[f.Stride*f.Height+y/2*(f.Stride/2)+x/2:]
		return int(b[y*f.Stride+x]), int(c[u*plane]), int(c[v*plane])
	}
}

func greySampler(b []byte, f capture.Format, x, y int) (int, int, int) {
	return int(b[y*f.Stride+x]), 128, 128
}

func TestConvertYUV(t *testing.T) {
	for fourcc, c := range map[v4l2.FourCC]struct {
		sample sampler
		bits   int
	}{
		v4l2.YUYV: {packedSampler(0, 2, 1, 3), 16}, v4l2.YVYU: {packedSampler(0, 2, 3, 1), 16},
		v4l2.UYVY: {packedSampler(1, 3, 0, 2), 16}, v4l2.VYUY: {packedSampler(1, 3, 2, 0), 16},
		v4l2.NV12: {semiSampler(0, 1), 8}, v4l2.NV21: {semiSampler(1, 0), 8},
		v4l2.YU12: {planarSampler(0, 1), 8}, v4l2.YV12: {planarSampler(1, 0), 8},
		v4l2.GREY: {greySampler, 8},
	} {
		for _, size := range [][4]int{{16, 8, 16, 8}, {32, 18, 22, 14}, {40, 24, 34, 18}} {
			f := capture.Format{FourCC: fourcc, Width: size[0], Height: size[1], Stride: size[0]*c.bits/8 + 16}
			f.Size = f.Stride * f.Height * 3 / 2
			w, h := size[2], size[3]
			to, _ := newLayout(v4l2.YU12, w, h, w+6, h+4)
			got, src := make([]byte, to.size), noise(f.Size)
			conv, err := newConverter(f, to)
			if err != nil {
				t.Fatal(err)
			}
			if err := conv.convert(got, src); err != nil {
				t.Fatal(err)
			}
			compareYUV(t, fourcc, got, &to, func(x, y int) (int, int, int) { return c.sample(src, f, x, y) })
		}
	}
}

// compareYUV holds a picture against samples of each pixel; chroma is the mean
// of two lines.
func compareYUV(t *testing.T, f v4l2.FourCC, got []byte, l *layout, at func(x, y int) (int, int, int)) {
	t.Helper()
	for y := range l.height {
		for x := range l.width {
			want, _, _ := at(x, y)
			if v := int(l.line(got, 0, y)[x]); v != want {
				t.Fatalf("%s %dx%d: luma of %d,%d is %d, want %d", f, l.width, l.height, x, y, v, want)
			}
			_, u0, v0 := at(x, y&^1)
			_, u1, v1 := at(x, y|1)
			u, v := int(l.line(got, 1, y/2)[x/2]), int(l.line(got, 2, y/2)[x/2])
			if u != (u0+u1+1)/2 || v != (v0+v1+1)/2 {
				t.Fatalf("%s %dx%d: chroma of %d,%d is %d,%d, want %d,%d", f, l.width, l.height, x, y, u, v, (u0+u1+1)/2, (v0+v1+1)/2)
			}
		}
	}
}

func TestConvertRGB(t *testing.T) {
	colours := []struct {
		rgb     [3]byte
		y, u, v int // BT.601, limited range
	}{
		{[3]byte{0, 0, 0}, 16, 128, 128}, {[3]byte{255, 255, 255}, 235, 128, 128}, {[3]byte{255, 0, 0}, 82, 90, 240},
		{[3]byte{0, 255, 0}, 145, 54, 34}, {[3]byte{0, 0, 255}, 41, 240, 110}, {[3]byte{128, 128, 128}, 126, 128, 128},
	}
	for _, c := range colours {
		for _, fourcc := range []v4l2.FourCC{v4l2.RGB24, v4l2.BGR24} {
			rgb := c.rgb
			if fourcc == v4l2.BGR24 {
				rgb[0], rgb[2] = rgb[2], rgb[0]
			}
			f := capture.Format{FourCC: fourcc, Width: 16, Height: 16, Stride: 64, Size: 1024}
			src := make([]byte, f.Size)
			for y := range 16 {
				copy(src[y*64:], bytes.Repeat(rgb[:], 16))
			}
			to, _ := newLayout(v4l2.YU12, 16, 16, 16, 16)
			dst := make([]byte, to.size)
			conv, err := newConverter(f, to)
			if err != nil {
				t.Fatal(err)
			}
			if err := conv.convert(dst, src); err != nil {
				t.Fatal(err)
			}
			for p, want := range []int{c.y, c.u, c.v} {
				for y := range to.planes[p].lines {
					for _, v := range to.line(dst, p, y) {
						if int(v) < want-1 || int(v) > want+1 {
							t.Fatalf("%s %v: component %d is %d, want %d", fourcc, c.rgb, p, v, want)
						}
					}
				}
			}
		}
	}
}

func TestConvertRefuses(t *testing.T) {
	to, _ := newLayout(v4l2.YU12, 16, 16, 16, 16)
	for _, f := range []capture.Format{
		{FourCC: v4l2.YUYV, Width: 14, Height: 16, Stride: 64},
		{FourCC: v4l2.YUYV, Width: 16, Height: 14, Stride: 64},
		{FourCC: v4l2.YUYV, Width: 16, Height: 16, Stride: 31},
		{FourCC: v4l2.RGB24, Width: 16, Height: 16, Stride: 47},
		{FourCC: v4l2.H264, Width: 16, Height: 16},
	} {
		if _, err := newConverter(f, to); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
	c, err := newConverter(capture.Format{FourCC: v4l2.YUYV, Width: 16, Height: 16, Stride: 32}, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.convert(make([]byte, to.size), make([]byte, 32*16-1)); err == nil {
		t.Error("a frame that is cut off was taken")
	}
}

func TestConvertAllocatesNothing(t *testing.T) {
	to, _ := newLayout(v4l2.YU12, 64, 64, 64, 64)
	for _, f := range []v4l2.FourCC{v4l2.YUYV, v4l2.NV12, v4l2.YV12, v4l2.GREY, v4l2.RGB24} {
		c, err := newConverter(capture.Format{FourCC: f, Width: 64, Height: 64, Stride: 192}, to)
		if err != nil {
			t.Fatal(err)
		}
		dst, src := make([]byte, to.size), make([]byte, 192*64*2)
		if n := testing.AllocsPerRun(10, func() { _ = c.convert(dst, src) }); n != 0 {
			t.Errorf("%s: %v allocations", f, n)
		}
	}
}

// flat is a picture of one colour, with an edge that is not a multiple of 16.
func flat(w, h int, ratio image.YCbCrSubsampleRatio, c color.YCbCr) *image.YCbCr {
	m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
	fill(m.Y, c.Y)
	fill(m.Cb, c.Cb)
	fill(m.Cr, c.Cr)
	return m
}

func TestJPEGRangeAndSize(t *testing.T) {
	cases := []struct{ in, want color.YCbCr }{
		{color.YCbCr{Y: 0, Cb: 128, Cr: 128}, color.YCbCr{Y: 16, Cb: 128, Cr: 128}},
		{color.YCbCr{Y: 255, Cb: 128, Cr: 128}, color.YCbCr{Y: 235, Cb: 128, Cr: 128}},
		{color.YCbCr{Y: 128, Cb: 255, Cr: 0}, color.YCbCr{Y: 126, Cb: 240, Cr: 16}},
	}
	for _, c := range cases {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, flat(642, 362, image.YCbCrSubsampleRatio420, c.in), &jpeg.Options{Quality: 100}); err != nil {
			t.Fatal(err)
		}
		to, _ := newLayout(v4l2.YU12, 642, 362, 704, 362)
		conv, err := newConverter(capture.Format{FourCC: v4l2.MJPEG, Width: 642, Height: 362}, to)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, to.size)
		for _, src := range [][]byte{b.Bytes(), withoutTables(t, b.Bytes())} {
			clear(dst)
			if err := conv.convert(dst, src); err != nil {
				t.Fatal(err)
			}
			for p, want := range []byte{c.want.Y, c.want.Cb, c.want.Cr} {
				for y := range to.planes[p].lines {
					for x, v := range to.line(dst, p, y) {
						if int(v)-int(want) > 2 || int(want)-int(v) > 2 {
							t.Fatalf("%v: component %d at %d,%d is %d, want %d", c.in, p, x, y, v, want)
						}
					}
				}
			}
		}
	}
}

// withoutTables takes the Huffman tables out, as cameras do.
func withoutTables(t *testing.T, b []byte) []byte {
	t.Helper()
	from, to, err := segment(b, 0xc4)
	if err != nil {
		t.Fatal(err)
	}
	out := append(bytes.Clone(b[:from]), b[to:]...)
	if _, err := jpeg.Decode(bytes.NewReader(out)); err == nil {
		t.Fatal("the library reads pictures without tables by itself: these tests show nothing any more")
	}
	return out
}

// The chroma of each way to subsample ends in the right 2x2 pixels.
func TestJPEGSubsampling(t *testing.T) {
	r, err := newJPEGReader()
	if err != nil {
		t.Fatal(err)
	}
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422,
		image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410} {
		m := image.NewYCbCr(image.Rect(0, 0, 48, 48), ratio)
		for y := range 48 {
			for x := range 48 { // 8x8 fields, the same within each sample
				m.Cb[m.COffset(x, y)] = byte(x/8*40 + y/8)
				m.Cr[m.COffset(x, y)] = byte(y/8*40 + x/8)
			}
		}
		to, _ := newLayout(v4l2.YU12, 48, 48, 48, 48)
		dst := make([]byte, to.size)
		r.writeChroma(&to, dst, m)
		for y := range 24 {
			for x := range 24 {
				u, v := to.line(dst, 1, y)[x], to.line(dst, 2, y)[x]
				if u != r.chroma[x/4*40+y/4] || v != r.chroma[y/4*40+x/4] {
					t.Fatalf("%v: chroma at %d,%d is %d,%d", ratio, x, y, u, v)
				}
			}
		}
	}
}

func TestJPEGRefuses(t *testing.T) {
	var grey, small bytes.Buffer
	if err := jpeg.Encode(&grey, image.NewGray(image.Rect(0, 0, 32, 32)), nil); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&small, flat(30, 32, image.YCbCrSubsampleRatio420, color.YCbCr{}), nil); err != nil {
		t.Fatal(err)
	}
	to, _ := newLayout(v4l2.YU12, 32, 32, 32, 32)
	conv, err := newConverter(capture.Format{FourCC: v4l2.JPEG, Width: 32, Height: 32}, to)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, to.size)
	for _, src := range [][]byte{nil, {0xff, 0xd8}, []byte("GIF89a"), small.Bytes(), grey.Bytes()[:grey.Len()/2]} {
		if err := conv.convert(dst, src); err == nil {
			t.Errorf("%d bytes were taken", len(src))
		}
	}
	if err := conv.convert(dst, grey.Bytes()); err != nil {
		t.Errorf("a monochrome picture: %v", err)
	}
	if dst[0] != 16 || dst[to.planes[1].offset] != 128 {
		t.Errorf("black became %d, %d", dst[0], dst[to.planes[1].offset])
	}
}

func FuzzJPEG(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, flat(32, 32, image.YCbCrSubsampleRatio420, color.YCbCr{Y: 9}), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xda})
	to, _ := newLayout(v4l2.YU12, 32, 32, 32, 32)
	dst := make([]byte, to.size)
	f.Fuzz(func(_ *testing.T, src []byte) {
		conv, err := newConverter(capture.Format{FourCC: v4l2.MJPEG, Width: 32, Height: 32}, to)
		if err != nil {
			panic(err)
		}
		_ = conv.convert(dst, src) // must not panic
	})
}
