package h264

import (
	"bytes"
	"testing"
)

func FuzzParseSPS(f *testing.F) {
	for _, c := range realSPS {
		f.Add(unhex(f, c.hex))
	}
	for _, c := range writtenSPS {
		f.Add(c.spec.nal())
	}
	f.Add([]byte{0x67})
	f.Fuzz(func(t *testing.T, nal []byte) {
		s, err := ParseSPS(nal)
		if err != nil {
			return
		}
		if s.Width <= 0 || s.Height <= 0 || s.Width > maxMBs*16 || s.Height > 2*maxMBs*16 {
			t.Errorf("size %d x %d", s.Width, s.Height)
		}
		if (s.RateNum == 0) != (s.RateDen == 0) || s.RateNum < 0 || s.RateNum/max(1, s.RateDen) > 1000 {
			t.Errorf("rate %d/%d", s.RateNum, s.RateDen)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 0, 1, 0x65, 0, 0, 3, 1})
	f.Add(join(unhex(f, realSPS[0].hex), []byte{0x68, 0xce}, []byte{0x65, 0x88}))
	f.Fuzz(func(t *testing.T, stream []byte) {
		nals := Split(nil, stream)
		for _, n := range nals {
			if len(n) == 0 || n[len(n)-1] == 0 || bytes.Contains(n, []byte{0, 0, 1}) {
				t.Errorf("NAL unit %x", n)
			}
		}
		if again := Split(nil, join(nals...)); !equal(again, nals) {
			t.Errorf("joined and split again: %x, before %x", again, nals)
		}
	})
}

func FuzzUnescape(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0})
	f.Add([]byte{0, 0, 3})
	f.Fuzz(func(t *testing.T, payload []byte) {
		escaped := escape(payload)
		if bytes.Contains(escaped, []byte{0, 0, 1}) || bytes.Contains(escaped, []byte{0, 0, 0}) {
			t.Errorf("%x still holds a start code", escaped)
		}
		if got := Unescape(nil, escaped); !bytes.Equal(got, payload) {
			t.Errorf("got %x, want %x", got, payload)
		}
		Unescape(nil, payload)
	})
}
