package h264

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestSplit(t *testing.T) {
	cases := []struct {
		name   string
		stream []byte
		want   [][]byte
	}{
		{"nothing", nil, nil},
		{"no start code", []byte{1, 2, 3, 0, 0}, nil},
		{"only a start code", []byte{0, 0, 0, 1}, nil},
		{"only start codes", []byte{0, 0, 1, 0, 0, 1, 0, 0, 0, 1}, nil},
		{"3 bytes", []byte{0, 0, 1, 0x65, 7}, [][]byte{{0x65, 7}}},
		{"4 bytes", []byte{0, 0, 0, 1, 0x65, 7}, [][]byte{{0x65, 7}}},
		{"mixed", []byte{0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65}, [][]byte{{0x67, 1}, {0x68, 2}, {0x65}}},
		{"zeros behind", []byte{0, 0, 1, 0x65, 7, 0, 0, 0, 0, 0}, [][]byte{{0x65, 7}}},
		{"zeros between", []byte{0, 0, 1, 0x67, 0, 0, 0, 0, 0, 1, 0x68}, [][]byte{{0x67}, {0x68}}},
		{"bytes in front", []byte{9, 9, 0, 0, 1, 0x65}, [][]byte{{0x65}}},
		{"escaped bytes stay", []byte{0, 0, 1, 0x65, 0, 0, 3, 1, 0, 0, 3}, [][]byte{{0x65, 0, 0, 3, 1, 0, 0, 3}}},
		{"cut start code", []byte{0, 0, 1, 0x65, 5, 0, 0}, [][]byte{{0x65, 5}}},
	}
	for _, c := range cases {
		if got := Split(nil, c.stream); !equal(got, c.want) {
			t.Errorf("%s: got %x, want %x", c.name, got, c.want)
		}
	}
}

func TestSplitAppends(t *testing.T) {
	first := []byte{9}
	got := Split([][]byte{first}, []byte{0, 0, 1, 0x65})
	if !equal(got, [][]byte{{9}, {0x65}}) {
		t.Errorf("got %x", got)
	}
}

// What is appended to a NAL unit must not run into the next one.
func TestSplitLimitsCapacity(t *testing.T) {
	nals := Split(nil, []byte{0, 0, 1, 0x67, 0, 0, 1, 0x68})
	_ = append(nals[0], 1, 2, 3, 4)
	if nals[1][0] != 0x68 {
		t.Error("an append to one NAL unit wrote into another")
	}
}

func TestSplitJoinRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var nals [][]byte
		for range 1 + rnd.IntN(6) {
			payload := make([]byte, 1+rnd.IntN(40))
			for i := range payload {
				payload[i] = byte(rnd.IntN(4)) // mostly what needs an escape
			}
			payload = append(payload, 0x80)
			nals = append(nals, append([]byte{0x65}, escape(payload)...))
		}
		if got := Split(nil, join(nals...)); !equal(got, nals) {
			t.Fatalf("got  %x\nwant %x", got, nals)
		}
	}
}

func TestSplitAllocatesNothing(t *testing.T) {
	stream := join([]byte{0x67, 1}, []byte{0x68, 2}, bytes.Repeat([]byte{0x65}, 5000))
	dst := make([][]byte, 0, 8)
	if n := testing.AllocsPerRun(100, func() { dst = Split(dst[:0], stream) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTypes(t *testing.T) {
	cases := []struct {
		nal   []byte
		typ   Type
		slice bool
	}{
		{nil, 0, false},
		{[]byte{0x41}, TypeSlice, true},
		{[]byte{0x01}, TypeSlice, true},
		{[]byte{0x65}, TypeIDR, true},
		{[]byte{0x25}, TypeIDR, true},
		{[]byte{0x06}, TypeSEI, false},
		{[]byte{0x67}, TypeSPS, false},
		{[]byte{0x68}, TypePPS, false},
		{[]byte{0x09}, TypeAUD, false},
		{[]byte{0x0c}, TypeFiller, false},
	}
	for _, c := range cases {
		if got := TypeOf(c.nal); got != c.typ || got.Slice() != c.slice {
			t.Errorf("%x: type %d, slice %v", c.nal, got, got.Slice())
		}
	}
}

func TestUnescape(t *testing.T) {
	cases := []struct{ in, want []byte }{
		{nil, nil},
		{[]byte{1, 2}, []byte{1, 2}},
		{[]byte{0, 0, 3, 1}, []byte{0, 0, 1}},
		{[]byte{0, 0, 3, 0, 0, 3, 0}, []byte{0, 0, 0, 0, 0}},
		{[]byte{0, 0, 3}, []byte{0, 0}},
		{[]byte{0, 3, 0, 3}, []byte{0, 3, 0, 3}},
		{[]byte{0, 0, 3, 3}, []byte{0, 0, 3}},
	}
	for _, c := range cases {
		if got := Unescape(nil, c.in); !bytes.Equal(got, c.want) {
			t.Errorf("%x: got %x, want %x", c.in, got, c.want)
		}
	}
}

func TestExpGolombRoundTrip(t *testing.T) {
	w := &bitWriter{}
	unsigned := []uint32{0, 1, 2, 3, 7, 8, 255, 65535, 1<<31 - 1, 1<<32 - 2}
	signed := []int32{0, 1, -1, 2, -2, 1000, -1000, 1<<30 - 1, -(1 << 30)}
	for _, v := range unsigned {
		w.ue(v)
	}
	for _, v := range signed {
		w.se(v)
	}
	r := bits{b: w.b}
	for _, v := range unsigned {
		if got := r.ue(); got != v {
			t.Errorf("ue %d came back as %d", v, got)
		}
	}
	for _, v := range signed {
		if got := r.se(); got != v {
			t.Errorf("se %d came back as %d", v, got)
		}
	}
	if r.short {
		t.Error("the reader ran out")
	}
	for range 3 {
		if v := r.u(32); v != 0 || !r.short {
			t.Errorf("behind the end: %d, short %v", v, r.short)
		}
	}
	if r = (bits{b: make([]byte, 9)}); r.ue() != 0 || !r.short {
		t.Error("a code of more than 32 bits was taken")
	}
}

func BenchmarkSplit(b *testing.B) {
	rnd := rand.New(rand.NewPCG(3, 4))
	payload := make([]byte, 40000)
	for i := range payload {
		payload[i] = byte(rnd.Uint32())
	}
	stream := join([]byte{0x67, 1}, []byte{0x68, 2}, append([]byte{0x65}, escape(payload)...))
	dst := make([][]byte, 0, 8)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		dst = Split(dst[:0], stream)
	}
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
