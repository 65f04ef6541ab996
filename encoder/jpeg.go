package encoder

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
)

// A jpegReader decodes the pictures of a Motion-JPEG camera. Their range is
// full (JFIF), that of the YU12 which it writes is limited, as decoders expect.
type jpegReader struct {
	tables       []byte // the standard Huffman tables as a DHT segment
	luma, chroma [256]byte
	whole        []byte // a picture with its tables; reused
	reader       bytes.Reader
}

func newJPEGReader() (*jpegReader, error) {
	r := &jpegReader{}
	for i := range 256 {
		r.luma[i] = byte((i*219+127)/255 + 16)
		r.chroma[i] = byte(((i-128)*224 + 128*255 + 127) / 255)
	}
	// The standard library writes the tables of ITU-T T.81, K.3, which
	// cameras leave out of their pictures.
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil); err != nil {
		return nil, fmt.Errorf("make Huffman tables: %w", err)
	}
	from, to, err := segment(b.Bytes(), 0xc4)
	if err != nil {
		return nil, fmt.Errorf("make Huffman tables: %w", err)
	}
	r.tables = bytes.Clone(b.Bytes()[from:to])
	return r, nil
}

var errNoSegment = errors.New("no such segment")

// segment finds a segment in front of the scan: where its marker begins, and
// where it ends.
func segment(b []byte, marker byte) (from, to int, err error) {
	const startOfScan = 0xda
	if len(b) < 4 || b[0] != 0xff || b[1] != 0xd8 {
		return 0, 0, errors.New("not a JPEG picture")
	}
	for at := 2; at+4 <= len(b) && b[at] == 0xff && b[at+1] != startOfScan; {
		end := at + 2 + int(b[at+2])<<8 + int(b[at+3])
		if b[at+1] == marker && end <= len(b) {
			return at, end, nil
		}
		at = end
	}
	return 0, 0, errNoSegment
}

// complete puts the Huffman tables into a picture that has none.
func (r *jpegReader) complete(src []byte) ([]byte, error) {
	switch _, _, err := segment(src, 0xc4); err {
	case nil:
		return src, nil
	case errNoSegment:
		r.whole = append(r.whole[:0], src[:2]...)
		r.whole = append(r.whole, r.tables...)
		r.whole = append(r.whole, src[2:]...)
		return r.whole, nil
	default:
		return nil, err
	}
}

// convert decodes src and writes it as YU12.
func (r *jpegReader) convert(to *layout, dst, src []byte) error {
	src, err := r.complete(src)
	if err != nil {
		return err
	}
	r.reader.Reset(src)
	m, err := jpeg.Decode(&r.reader)
	if err != nil {
		return fmt.Errorf("decode a JPEG picture: %w", err)
	}
	if size := m.Bounds().Size(); size.X < to.width || size.Y < to.height {
		return fmt.Errorf("the JPEG picture has %dx%d pixels, not %dx%d", size.X, size.Y, to.width, to.height)
	}
	switch m := m.(type) {
	case *image.YCbCr:
		r.writeLuma(to, dst, m.Y, m.YStride)
		r.writeChroma(to, dst, m)
	case *image.Gray:
		r.writeLuma(to, dst, m.Pix, m.Stride)
		for y := range to.planes[1].lines {
			fill(to.line(dst, 1, y), 128)
			fill(to.line(dst, 2, y), 128)
		}
	default:
		return fmt.Errorf("a JPEG picture of %T is not one of a camera", m)
	}
	return nil
}

func (r *jpegReader) writeLuma(to *layout, dst, src []byte, stride int) {
	for y := range to.height {
		out := to.line(dst, 0, y)
		for x, v := range src[y*stride:][:len(out)] {
			out[x] = r.luma[v]
		}
	}
}

// writeChroma takes the mean of the chroma samples that lie in 2x2 pixels.
func (r *jpegReader) writeChroma(to *layout, dst []byte, m *image.YCbCr) {
	right, below := 0, 0 // to the samples of the second column and line, if there are any
	step := 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
		right, below, step = 1, m.CStride, 2
	case image.YCbCrSubsampleRatio422:
		below = m.CStride
	case image.YCbCrSubsampleRatio440:
		right, step = 1, 2
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		step = 0 // a sample serves two columns
	}
	for y := range to.planes[1].lines {
		row := m.COffset(m.Rect.Min.X, m.Rect.Min.Y+2*y)
		r.chromaLine(to.line(dst, 1, y), m.Cb, row, right, below, step)
		r.chromaLine(to.line(dst, 2, y), m.Cr, row, right, below, step)
	}
}

func (r *jpegReader) chromaLine(out, src []byte, row, right, below, step int) {
	for x := range out {
		at := row + x*step
		if step == 0 {
			at = row + x/2
		}
		if right == 0 && below == 0 {
			out[x] = r.chroma[src[at]]
			continue
		}
		end := len(src) - 1 // at the edge of an odd size the last sample counts twice
		sum := int(src[at]) + int(src[min(at+right, end)]) + int(src[min(at+below, end)]) + int(src[min(at+right+below, end)])
		out[x] = r.chroma[(sum+2)/4]
	}
}
