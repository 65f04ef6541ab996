package h264

import "bytes"

// A Type is a nal_unit_type, table 7-1.
type Type uint8

// The NAL unit types of a single-layer stream.
const (
	TypeSlice     Type = 1  // slice of a picture that is not IDR
	TypePartA     Type = 2  // slice data partition A
	TypeIDR       Type = 5  // slice of an IDR picture
	TypeSEI       Type = 6  // supplemental enhancement information
	TypeSPS       Type = 7  // sequence parameter set
	TypePPS       Type = 8  // picture parameter set
	TypeAUD       Type = 9  // access unit delimiter
	TypeEndSeq    Type = 10 // end of sequence
	TypeEndStream Type = 11 // end of stream
	TypeFiller    Type = 12 // filler data
)

// TypeOf is the type of a NAL unit, 0 for an empty one.
func TypeOf(nal []byte) Type {
	if len(nal) == 0 {
		return 0
	}
	return Type(nal[0] & 31)
}

// Slice tells whether the type carries a slice of a picture (1 to 5).
func (t Type) Slice() bool { return t >= TypeSlice && t <= TypeIDR }

// Split appends the NAL units of a byte stream (Annex B) to dst, without start
// codes and without the zero bytes that may follow. They share the stream's
// memory. Bytes before the first start code are skipped. It allocates only
// where dst is too short.
func Split(dst [][]byte, annexB []byte) [][]byte {
	begin := startCode(annexB)
	if begin < 0 {
		return dst
	}
	rest := annexB[begin+3:]
	for rest != nil {
		nal := rest
		if end := startCode(rest); end >= 0 {
			nal, rest = rest[:end], rest[end+3:]
		} else {
			rest = nil
		}
		if nal = trimZeros(nal); len(nal) > 0 {
			dst = append(dst, nal[:len(nal):len(nal)])
		}
	}
	return dst
}

// startCode is the position of the next 00 00 01, -1 if there is none.
func startCode(b []byte) int {
	return bytes.Index(b, []byte{0, 0, 1})
}

func trimZeros(nal []byte) []byte {
	for len(nal) > 0 && nal[len(nal)-1] == 0 {
		nal = nal[:len(nal)-1]
	}
	return nal
}
