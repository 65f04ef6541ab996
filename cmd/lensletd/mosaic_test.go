package main

// A mosaic writes H.264 of any bit rate, which every decoder takes: pictures of 160x128
// in baseline profile, whose macroblocks are raw (I_PCM) as many as are wanted, the
// rest as in the picture before (ITU-T H.264 7.3).
type mosaic struct {
	frame int // since the last key frame
	owed  int // bytes that pictures were too small, so far
}

const (
	mosaicWide, mosaicHigh = 10, 8 // macroblocks
	mosaicBlock            = 384   // bytes of one
)

// bits are written from the left.
type bits struct {
	b []byte
	n int // used
}

func (w *bits) u(n int, v uint) {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
}

// ue writes Exp-Golomb codes (9.1).
func (w *bits) ue(values ...uint) {
	for _, v := range values {
		size := 0
		for (v+1)>>size > 1 {
			size++
		}
		w.u(size, 0)
		w.u(size+1, v+1)
	}
}

// raw writes a macroblock behind its type.
func (w *bits) raw() {
	for w.n%8 != 0 {
		w.u(1, 0)
	}
	for range mosaicBlock {
		w.b = append(w.b, 0x80)
	}
	w.n = 8 * len(w.b)
}

// nalu ends a NAL unit; none of ours needs an emulation prevention byte.
func (w *bits) nalu() []byte {
	w.u(1, 1)
	return w.b
}

// sets are the parameter sets.
func (m *mosaic) sets() [][]byte {
	sps, pps := &bits{}, &bits{}
	sps.u(32, 0x6742c028) // baseline, level 4.0
	sps.ue(0, 0, 2, 1)    // order as decoded; one reference
	sps.u(1, 0)
	sps.ue(mosaicWide-1, mosaicHigh-1)
	sps.u(4, 0b1100) // whole frames, not cropped, no VUI
	pps.u(8, 0x68)
	pps.ue(0, 0)
	pps.u(2, 0) // CAVLC
	pps.ue(0, 0, 0)
	pps.u(3, 0)
	pps.ue(0, 0, 0)
	pps.u(3, 0b100) // slices say how they are deblocked
	return [][]byte{sps.nalu(), pps.nalu()}
}

// picture is the next one, of about as many bytes.
func (m *mosaic) picture(key bool, size int) []byte {
	w := &bits{}
	if key {
		m.frame = 0
	}
	kind, slice := uint(0x41), uint(5)
	if key {
		kind, slice = 0x65, 7
	}
	w.u(8, kind)
	w.ue(0, slice, 0)
	w.u(4, uint(m.frame)%16)
	m.frame++
	if key {
		w.ue(0)
	}
	w.u(2, 0) // references are as usual
	if !key {
		w.u(1, 0)
	}
	w.ue(0, 1) // no other quantizer, no deblocking
	m.owed += size
	blocks := mosaicWide * mosaicHigh
	n := min(max(0, m.owed/mosaicBlock), blocks)
	if key {
		n = blocks
	}
	m.owed = min(m.owed-n*mosaicBlock, mosaicBlock*blocks)
	for range n {
		if key {
			w.ue(25)
		} else {
			w.ue(0, 30) // none skipped
		}
		w.raw()
	}
	if rest := blocks - n; rest > 0 {
		w.ue(uint(rest))
	}
	return w.nalu()
}
