package encoder

import (
	"bytes"
	"testing"
	"time"
)

// NAL units by their first byte.
var (
	aud, sps, pps, sei = []byte{0x09, 0x10}, []byte{0x67, 1}, []byte{0x68, 1}, []byte{0x06, 5}
	idr, slice, sps2   = []byte{0x65, 0x88}, []byte{0x41, 0x9a}, []byte{0x67, 2}
	pps2, ppsB         = []byte{0x68, 2}, []byte{0x68, 9}
)

func TestParameterSetsComplete(t *testing.T) {
	known := parameterSets{}
	known.take([][]byte{sps, pps, ppsB})
	cases := []struct {
		name     string
		in, want [][]byte
	}{
		{"none", [][]byte{idr}, [][]byte{sps, pps, ppsB, idr}},
		{"behind the delimiter", [][]byte{aud, sei, idr}, [][]byte{aud, sps, pps, ppsB, sei, idr}},
		{"both", [][]byte{sps2, pps2, idr}, [][]byte{sps2, pps2, idr}},
		{"only the SPS", [][]byte{aud, sps2, idr}, [][]byte{aud, sps2, pps, ppsB, idr}},
		{"only the PPS", [][]byte{aud, pps2, idr}, [][]byte{aud, sps, pps2, idr}},
	}
	for _, c := range cases {
		in := append(make([][]byte, 0, 16), c.in...)
		if got := known.complete(in); !bytes.Equal(bytes.Join(got, nil), bytes.Join(c.want, nil)) {
			t.Errorf("%s: %x, want %x", c.name, got, c.want)
		}
	}
}

func TestParameterSetsTake(t *testing.T) {
	var s parameterSets
	if s.known() {
		t.Error("the zero value knows parameter sets")
	}
	s.take([][]byte{sps, idr})
	if s.known() {
		t.Error("an SPS alone is not enough")
	}
	memory := bytes.Clone(pps)
	s.take([][]byte{memory})
	memory[1] = 77 // the driver writes the next unit there
	if !s.known() || !bytes.Equal(s.pps[0], pps) || !bytes.Equal(s.sps[0], sps) {
		t.Errorf("%x %x", s.sps, s.pps)
	}
	lent := s.sps[0]
	s.take([][]byte{sps2, pps2})
	if !bytes.Equal(s.sps[0], sps2) || !bytes.Equal(lent, sps) {
		t.Errorf("%x; the one on loan became %x", s.sps, lent)
	}
	s.take([][]byte{sps2, pps, ppsB})
	if len(s.pps) != 2 {
		t.Errorf("%x", s.pps)
	}
	unit := [][]byte{sps2, pps, ppsB, idr}
	if n := testing.AllocsPerRun(100, func() { s.take(unit) }); n != 0 {
		t.Errorf("%v allocations without a change", n)
	}
}

func TestKind(t *testing.T) {
	cases := []struct {
		nalus        [][]byte
		picture, key bool
	}{
		{nil, false, false},
		{[][]byte{sps, pps}, false, false},
		{[][]byte{sps, pps, idr}, true, true},
		{[][]byte{aud, slice}, true, false},
		{[][]byte{sei}, false, false},
	}
	for _, c := range cases {
		if picture, key := kind(c.nalus); picture != c.picture || key != c.key {
			t.Errorf("%x: %v, %v", c.nalus, picture, key)
		}
	}
}

func TestStamps(t *testing.T) {
	var s stamps
	for i := range 100 {
		s.put(time.Hour + time.Duration(i)*33_333_333)
	}
	for i := 36; i < 100; i++ {
		exact := time.Hour + time.Duration(i)*33_333_333
		if got := s.find(exact.Truncate(time.Microsecond)); got != exact {
			t.Errorf("frame %d: %v, want %v", i, got, exact)
		}
	}
	if got := s.find(time.Minute); got != time.Minute {
		t.Errorf("an unknown time became %v", got)
	}
	if got := s.find(0); got != 0 {
		t.Errorf("0 became %v", got)
	}
}
