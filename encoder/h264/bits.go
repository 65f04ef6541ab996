package h264

import "bytes"

// Unescape appends the payload of a NAL unit to dst without its emulation
// prevention bytes (7.4.1: 00 00 03 stands for 00 00). dst must not overlap.
func Unescape(dst, payload []byte) []byte {
	for {
		i := bytes.Index(payload, []byte{0, 0, 3})
		if i < 0 {
			return append(dst, payload...)
		}
		dst = append(dst, payload[:i+2]...)
		payload = payload[i+3:]
	}
}

// bits reads syntax elements. Behind the end it gives zeros and sets short, so
// that a parser has to look once, at its own end.
type bits struct {
	b     []byte
	pos   int // of the next bit
	short bool
}

// u reads n bits, at most 32 (u(n) in 7.2).
func (r *bits) u(n int) uint32 {
	var v uint32
	for ; n > 0; n-- {
		v <<= 1
		if r.pos>>3 >= len(r.b) {
			r.short = true
			continue
		}
		v |= uint32(r.b[r.pos>>3]>>(7-r.pos&7)) & 1
		r.pos++
	}
	return v
}

func (r *bits) flag() bool { return r.u(1) == 1 }

// ue reads an unsigned Exp-Golomb code (9.1). A value of more than 32 bits
// counts as the end of the data.
func (r *bits) ue() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; r.short || zeros > 31 {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}

// se reads a signed Exp-Golomb code (9.1.1).
func (r *bits) se() int32 {
	v := r.ue()
	if v&1 == 1 {
		return int32(v/2 + 1)
	}
	return -int32(v / 2)
}
