package v4l2

import (
	"fmt"
	"strings"
)

// A FourCC names a pixel format or a codec: four characters, the first in the
// lowest byte (linux/videodev2.h, V4L2_PIX_FMT_*).
type FourCC uint32

// The formats that cameras and codecs use.
const (
	YUYV  FourCC = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24 // packed 4:2:2
	UYVY  FourCC = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24 // packed 4:2:2
	YVYU  FourCC = 'Y' | 'V'<<8 | 'Y'<<16 | 'U'<<24 // packed 4:2:2
	VYUY  FourCC = 'V' | 'Y'<<8 | 'U'<<16 | 'Y'<<24 // packed 4:2:2
	NV12  FourCC = 'N' | 'V'<<8 | '1'<<16 | '2'<<24 // 4:2:0, Y then CbCr
	NV21  FourCC = 'N' | 'V'<<8 | '2'<<16 | '1'<<24 // 4:2:0, Y then CrCb
	YU12  FourCC = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24 // planar 4:2:0, Y, Cb, Cr; I420
	YV12  FourCC = 'Y' | 'V'<<8 | '1'<<16 | '2'<<24 // planar 4:2:0, Y, Cr, Cb
	RGB24 FourCC = 'R' | 'G'<<8 | 'B'<<16 | '3'<<24 // R, G, B
	BGR24 FourCC = 'B' | 'G'<<8 | 'R'<<16 | '3'<<24 // B, G, R
	GREY  FourCC = 'G' | 'R'<<8 | 'E'<<16 | 'Y'<<24 // 8 bits of luma
	MJPEG FourCC = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24 // Motion-JPEG
	JPEG  FourCC = 'J' | 'P'<<8 | 'E'<<16 | 'G'<<24 // JFIF pictures
	H264  FourCC = 'H' | '2'<<8 | '6'<<16 | '4'<<24 // Annex B, with start codes
	HEVC  FourCC = 'H' | 'E'<<8 | 'V'<<16 | 'C'<<24 // H.265
	VP8   FourCC = 'V' | 'P'<<8 | '8'<<16 | '0'<<24
)

// bigEndian is the bit by which the kernel marks the big-endian variant of a
// format (v4l2_fourcc_be).
const bigEndian = 1 << 31

// ParseFourCC reads the form that String writes: one to four printable ASCII
// characters, filled up with spaces, and "-BE" after a big-endian variant.
// Anything else gives 0, which is no format.
func ParseFourCC(s string) FourCC {
	name, be := strings.CutSuffix(s, "-BE")
	if name == "" || len(name) > 4 {
		return 0
	}
	var f FourCC
	for i := range 4 {
		c := byte(' ')
		if i < len(name) {
			c = name[i]
		}
		if c < ' ' || c > '~' {
			return 0
		}
		f |= FourCC(c) << (8 * i)
	}
	if be {
		f |= bigEndian
	}
	return f
}

// String gives the four characters without the spaces at the end: "YUYV",
// "Y16-BE". A value with other characters is written as a number: "0x00000001".
func (f FourCC) String() string {
	var b [4]byte
	for i := range b {
		b[i] = byte(f &^ bigEndian >> (8 * i))
		if b[i] < ' ' || b[i] > '~' {
			return fmt.Sprintf("0x%08x", uint32(f))
		}
	}
	s := strings.TrimRight(string(b[:]), " ")
	if s == "" {
		return fmt.Sprintf("0x%08x", uint32(f))
	}
	if f&bigEndian != 0 {
		s += "-BE"
	}
	return s
}
