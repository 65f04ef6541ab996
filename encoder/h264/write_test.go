package h264

import "bytes"

// A bitWriter is the reverse of bits.
type bitWriter struct {
	b []byte
	n int // bits
}

func (w *bitWriter) u(n int, v uint32) {
	for n--; n >= 0; n-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>n&1) << (7 - w.n%8)
		w.n++
	}
}

func (w *bitWriter) flag(v bool) {
	if v {
		w.u(1, 1)
	} else {
		w.u(1, 0)
	}
}

func (w *bitWriter) ue(v uint32) {
	n := 0
	for x := uint64(v) + 1; x > 1; x >>= 1 {
		n++
	}
	w.u(n, 0)
	w.u(1, 1)
	w.u(n, uint32(uint64(v)+1-1<<n))
}

func (w *bitWriter) se(v int32) {
	if v > 0 {
		w.ue(uint32(2*v - 1))
	} else {
		w.ue(uint32(-2 * v))
	}
}

// escape is the reverse of Unescape (7.4.1.1).
func escape(payload []byte) []byte {
	var out []byte
	zeros := 0
	for _, c := range payload {
		if zeros == 2 && c <= 3 {
			out, zeros = append(out, 3), 0
		}
		if out = append(out, c); c == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

// A spsSpec is an SPS with the choices that a parser has to step over.
type spsSpec struct {
	SPS
	chroma       uint32 // chroma_format_idc, in the high profiles
	planes       bool   // separate_colour_plane_flag
	scaling      bool   // every list of the scaling matrix is present
	poc, cycle   uint32
	vui          bool // everything in front of the timing is present
	timing       bool
	scale, units uint32 // of the timing
	moreCrop     uint32
}

// nal writes the SPS as a NAL unit.
func (s spsSpec) nal() []byte {
	w := &bitWriter{}
	w.u(8, uint32(s.Profile))
	w.u(8, uint32(s.Constraints))
	w.u(8, uint32(s.Level))
	w.ue(uint32(s.ID))
	if s.Profile == 100 || s.Profile == 244 {
		s.writeHigh(w)
	}
	w.ue(4)
	w.ue(s.poc)
	switch s.poc {
	case 0:
		w.ue(4)
	case 1:
		w.flag(true)
		w.se(-3)
		w.se(1 << 20)
		w.ue(s.cycle)
		for i := range s.cycle {
			w.se(int32(i) - 5)
		}
	}
	w.ue(uint32(s.RefFrames))
	w.flag(false)
	s.writeSize(w)
	w.flag(s.vui || s.timing)
	if s.vui || s.timing {
		s.writeVUI(w)
	}
	w.u(1, 1) // rbsp_trailing_bits
	return append([]byte{0x67}, escape(w.b)...)
}

func (s spsSpec) writeHigh(w *bitWriter) {
	w.ue(s.chroma)
	lists := 8
	if s.chroma == 3 {
		w.flag(s.planes)
		lists = 12
	}
	w.ue(2)
	w.ue(0)
	w.flag(true)
	w.flag(s.scaling)
	if !s.scaling {
		return
	}
	for i := range lists {
		w.flag(true)
		switch size := 16 + 48*min(1, i/6); {
		case i%3 == 0: // the default list
			w.se(-8)
		case i%3 == 1: // a list that ends early: the rest repeats
			w.se(5)
			w.se(-13)
		default:
			for j := range size {
				w.se(int32(j%3) - 1)
			}
		}
	}
}

func (s spsSpec) writeSize(w *bitWriter) {
	mbW, rows := (s.Width+15)/16, 1
	if s.Interlaced {
		rows = 2
	}
	mapUnits := (s.Height + 16*rows - 1) / (16 * rows)
	w.ue(uint32(mbW - 1))
	w.ue(uint32(mapUnits - 1))
	w.flag(!s.Interlaced)
	if s.Interlaced {
		w.flag(true)
	}
	w.flag(true)
	unitX, unitY := 2, 2
	if high := s.Profile == 100 || s.Profile == 244; high && (s.chroma == 0 || s.chroma == 3) {
		unitX, unitY = 1, 1
	} else if high && s.chroma == 2 {
		unitY = 1
	}
	unitY *= rows
	w.flag(true)
	w.ue(0)
	w.ue(uint32((mbW*16 - s.Width) / unitX))
	w.ue(s.moreCrop)
	w.ue(uint32((mapUnits*16*rows - s.Height) / unitY))
}

func (s spsSpec) writeVUI(w *bitWriter) {
	w.flag(s.vui)
	if s.vui {
		w.u(8, 255)
		w.u(32, 4<<16|3)
	}
	w.flag(s.vui)
	if s.vui {
		w.flag(true)
	}
	w.flag(s.vui)
	if s.vui {
		w.u(4, 5<<1)
		w.flag(true)
		w.u(24, 0x010101)
	}
	w.flag(s.vui)
	if s.vui {
		w.ue(1)
		w.ue(1)
	}
	w.flag(s.timing)
	if s.timing {
		units, scale := s.units, s.scale
		if s.RateNum > 0 {
			units, scale = uint32(s.RateDen), uint32(2*s.RateNum)
		}
		w.u(32, units)
		w.u(32, scale)
		w.flag(true)
	}
	w.u(6, 0)
}

var writtenSPS = []struct {
	name string
	spec spsSpec
}{
	{"smallest", spsSpec{SPS: SPS{Profile: 66, Level: 10, Width: 16, Height: 16}}},
	{"largest", spsSpec{SPS: SPS{Profile: 66, Level: 62, ID: 31, Width: 1055 * 16, Height: 1055 * 16}}},
	{"order by cycle", spsSpec{SPS: SPS{Profile: 77, Level: 40, Width: 642, Height: 362}, poc: 1, cycle: 255}},
	{"order as coded", spsSpec{SPS: SPS{Profile: 77, Level: 40, Width: 642, Height: 362}, poc: 2}},
	{"scaling lists", spsSpec{SPS: SPS{Profile: 100, Level: 40, Width: 1920, Height: 1080}, chroma: 1, scaling: true}},
	{"4:0:0, odd size", spsSpec{SPS: SPS{Profile: 100, Level: 40, Width: 641, Height: 361}, scaling: true}},
	{"4:2:2, odd height", spsSpec{SPS: SPS{Profile: 100, Level: 40, Width: 642, Height: 361}, chroma: 2}},
	{"4:4:4 with 12 scaling lists", spsSpec{SPS: SPS{Profile: 244, Level: 40, Width: 641, Height: 361}, chroma: 3, scaling: true}},
	{"4:4:4 in separate planes", spsSpec{SPS: SPS{Profile: 244, Level: 40, Width: 641, Height: 361}, chroma: 3, planes: true}},
	{"interlaced with everything", spsSpec{SPS: SPS{Profile: 100, Level: 41, Width: 1920, Height: 1080,
		Interlaced: true, RefFrames: 4, RateNum: 30000, RateDen: 1001}, chroma: 1, scaling: true, vui: true, timing: true}},
	{"emulation prevention in the timing", spsSpec{SPS: SPS{Profile: 66, Level: 30, Width: 640, Height: 480,
		RateNum: 256, RateDen: 1}, timing: true}},
	{"VUI without timing", spsSpec{SPS: SPS{Profile: 66, Level: 30, Width: 640, Height: 480}, vui: true}},
}

// join puts NAL units into a byte stream with start codes of both lengths and
// zeros behind them.
func join(nals ...[]byte) []byte {
	var b bytes.Buffer
	for i, n := range nals {
		if i%2 == 0 {
			b.WriteByte(0)
		}
		b.Write([]byte{0, 0, 1})
		b.Write(n)
		b.Write(make([]byte, i%3))
	}
	return b.Bytes()
}
