package rtp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
)

// nalu makes a NAL unit of the given size, header byte included.
func nalu(header byte, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i/251 + size)
	}
	b[0] = header
	return b
}

const (
	sei, sps, pps, aud = 0x06, 0x67, 0x68, 0x09
	idr, slice         = 0x65, 0x41
)

// depacketize puts a unit together again with another implementation.
func depacketize(t *testing.T, packets []Packet) (headers []rtp.Header, nalus [][]byte) {
	t.Helper()
	depacketizer := codecs.H264Packet{IsAVC: true}
	var stream []byte
	for i, p := range packets {
		var whole rtp.Packet
		if err := whole.Unmarshal(slices.Concat(p.Header, p.Payload)); err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		b, err := depacketizer.Unmarshal(whole.Payload)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		stream = append(stream, b...)
		headers = append(headers, whole.Header)
	}
	for len(stream) > 0 {
		size := binary.BigEndian.Uint32(stream)
		nalus = append(nalus, stream[4:4+size])
		stream = stream[4+size:]
	}
	return headers, nalus
}

// check packetizes a unit and compares what comes out of it.
func check(t *testing.T, p *Packetizer, nalus [][]byte, rtptime uint32) []Packet {
	t.Helper()
	seq := p.Next()
	packets := p.Packetize(nalus, rtptime)
	headers, got := depacketize(t, packets)
	want := slices.DeleteFunc(slices.Clone(nalus), func(n []byte) bool { return len(n) == 0 })
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("%d NAL units became %d others", len(want), len(got))
	}
	for i, h := range headers {
		if h.Version != 2 || h.PayloadType != 96 || h.SSRC != 0xdeadbeef || h.Timestamp != rtptime {
			t.Fatalf("packet %d: header %+v", i, h)
		}
		if h.SequenceNumber != seq+uint16(i) {
			t.Fatalf("packet %d: sequence number %d, want %d", i, h.SequenceNumber, seq+uint16(i))
		}
		if number := h.GetExtension(TransportNumberID); h.Extension != (p.number != nil) || h.Extension && (len(number) != 2 || binary.BigEndian.Uint16(number) != h.SequenceNumber) {
			t.Fatalf("packet %d with number %d: extension %x", i, h.SequenceNumber, number)
		}
		if last := i == len(headers)-1; h.Marker != last {
			t.Fatalf("packet %d of %d: marker %v", i, len(headers), h.Marker)
		}
		if packets[i].Len() > p.MTU() {
			t.Fatalf("packet %d has %d bytes, more than %d", i, packets[i].Len(), p.MTU())
		}
	}
	if p.Next() != seq+uint16(len(packets)) {
		t.Fatalf("next sequence number %d, want %d", p.Next(), seq+uint16(len(packets)))
	}
	return packets
}

func newPacketizer(mtu int) *Packetizer { return NewPacketizer(96, 0xdeadbeef, 65000, mtu) }

// numbered is one whose packets have transport-wide numbers.
func numbered(mtu int) *Packetizer {
	p := newPacketizer(mtu)
	p.NumberTransport()
	return p
}

func TestSizesAroundTheMTU(t *testing.T) {
	for _, mtu := range []int{64, 100, 1400, 9000} {
		checkSizes(t, newPacketizer(mtu), mtu, mtu)
		checkSizes(t, numbered(mtu), mtu, mtu-TransportNumberSize)
	}
}

// checkSizes packetizes NAL units of sizes that are special where a packet without
// extensions would have at most that many bytes.
func checkSizes(t *testing.T, p *Packetizer, whole, mtu int) {
	t.Helper()
	sizes := []int{1, 2, mtu - 13, mtu - 12, mtu - 11, mtu - 10, 100_000}
	for k := 1; k <= 5; k++ { // so many whole fragments
		for d := -2; d <= 3; d++ {
			sizes = append(sizes, k*(mtu-14)+1+d)
		}
	}
	for _, size := range sizes {
		packets := check(t, p, [][]byte{nalu(slice, size)}, uint32(size))
		if want := fragments(size, mtu); len(packets) != want {
			t.Errorf("mtu %d, %d bytes: %d packets, want %d", mtu, size, len(packets), want)
		}
		for i, packet := range packets[:len(packets)-1] {
			if packet.Len() != whole {
				t.Errorf("mtu %d, %d bytes: packet %d has %d bytes", mtu, size, i, packet.Len())
			}
		}
	}
}

// fragments is how many packets RFC 6184 needs for one NAL unit.
func fragments(size, mtu int) int {
	if size <= mtu-12 {
		return 1
	}
	return (size - 1 + mtu - 14 - 1) / (mtu - 14)
}

func TestUnits(t *testing.T) {
	for _, test := range []struct {
		name  string
		nalus [][]byte
		want  []byte // type of each packet's payload
	}{
		{"nothing", nil, nil},
		{"empty NAL units", [][]byte{nil, {}}, nil},
		{"a small slice", [][]byte{nalu(slice, 500)}, []byte{1}},
		{"a large slice", [][]byte{nalu(slice, 3000)}, []byte{28, 28, 28}},
		{"a key frame", [][]byte{nalu(sps, 30), nalu(pps, 5), nalu(idr, 3000)}, []byte{24, 28, 28, 28}},
		{"a small key frame", [][]byte{nalu(sps, 30), nalu(pps, 5), nalu(idr, 30)}, []byte{24, 5}},
		{"with SEI and delimiter", [][]byte{nalu(aud, 2), nalu(sps, 30), nalu(pps, 5), nalu(sei, 40), nalu(idr, 30)}, []byte{24, 5}},
		{"one small in front", [][]byte{nalu(sei, 40), nalu(slice, 30)}, []byte{6, 1}},
		{"a large one in front", [][]byte{nalu(sei, 1500), nalu(sps, 30), nalu(slice, 30)}, []byte{28, 28, 7, 1}},
		{"what fits together", [][]byte{nalu(sps, 30), nalu(pps, 5), nalu(sei, 1380), nalu(slice, 30)}, []byte{24, 6, 1}},
		{"slices", [][]byte{nalu(slice, 30), nalu(slice, 1400), nalu(slice, 40)}, []byte{1, 28, 28, 1}},
		{"parameter sets behind", [][]byte{nalu(slice, 30), nalu(sps, 30), nalu(pps, 5)}, []byte{1, 7, 8}},
		{"parameter sets alone", [][]byte{nalu(sps, 30), nalu(pps, 5)}, []byte{24}},
		{"an empty one between", [][]byte{nalu(sps, 30), {}, nalu(pps, 5), nalu(idr, 50)}, []byte{7, 8, 5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			packets := check(t, newPacketizer(0), test.nalus, 1234)
			var got []byte
			for _, p := range packets {
				got = append(got, slices.Concat(p.Header, p.Payload)[HeaderSize]&0x1f)
			}
			if !bytes.Equal(got, test.want) {
				t.Errorf("packets of types %d, want %d", got, test.want)
			}
		})
	}
}

// The largest STAP-A has exactly mtu bytes.
func TestAggregateFits(t *testing.T) {
	for _, d := range []int{-1, 0, 1} {
		p := newPacketizer(200)
		room := 200 - 12 - 1 - 2 - 20 - 2
		packets := check(t, p, [][]byte{nalu(sps, 20), nalu(pps, room+d), nalu(idr, 10)}, 1)
		if want := []int{2, 2, 3}[d+1]; len(packets) != want {
			t.Errorf("%+d bytes: %d packets, want %d", d, len(packets), want)
		}
	}
}

// A STAP-A is as important as its most important part, and forbidden if one is.
func TestAggregateHeader(t *testing.T) {
	for _, test := range []struct{ a, b, want byte }{
		{0x67, 0x68, 0x78}, {0x06, 0x27, 0x38}, {0x47, 0x28, 0x58}, {0x06, 0x09, 0x18}, {0x87, 0x48, 0xd8},
	} {
		packets := newPacketizer(0).Packetize([][]byte{nalu(test.a, 5), nalu(test.b, 5)}, 0)
		if got := packets[0].Header[HeaderSize]; len(packets) != 1 || got != test.want {
			t.Errorf("%#x and %#x: %d packets, indicator %#x, want %#x", test.a, test.b, len(packets), got, test.want)
		}
	}
}

// FU headers as in RFC 6184 section 5.8.
func TestFragmentHeaders(t *testing.T) {
	packets := newPacketizer(64).Packetize([][]byte{nalu(idr, 130)}, 0)
	want := [][2]byte{{0x7c, 0x85}, {0x7c, 0x05}, {0x7c, 0x45}}
	for i, p := range packets {
		if got := [2]byte(p.Header[HeaderSize:]); got != want[i] {
			t.Errorf("fragment %d begins with %#x, want %#x", i, got, want[i])
		}
	}
}

// What is sent lies in the unit, but for STAP-As.
func TestNothingIsCopied(t *testing.T) {
	nalus := [][]byte{nalu(sps, 30), nalu(pps, 5), nalu(idr, 3000), nalu(idr, 20)}
	packets := newPacketizer(0).Packetize(nalus, 0)
	for i := range nalus {
		clear(nalus[i])
	}
	for i, p := range packets {
		if changed := bytes.Equal(p.Payload, make([]byte, len(p.Payload))); !changed {
			t.Errorf("packet %d is a copy", i)
		}
	}
	if len(packets[0].Payload) != 0 || packets[0].Header[HeaderSize+3] != sps {
		t.Error("the parameter sets are not a copy")
	}
}

func TestSequenceWraps(t *testing.T) {
	p := NewPacketizer(96, 0xdeadbeef, 65534, 0)
	packets := check(t, p, [][]byte{nalu(slice, 5*1386+1)}, 0)
	var got []uint16
	for _, packet := range packets {
		got = append(got, binary.BigEndian.Uint16(packet.Header[2:]))
	}
	if want := []uint16{65534, 65535, 0, 1, 2}; !slices.Equal(got, want) || p.Next() != 3 {
		t.Errorf("sequence numbers %d, then %d; want %d, then 3", got, p.Next(), want)
	}
	for range 70000 {
		p.Packetize([][]byte{{slice}}, 0)
	}
	if want := uint16(70003 % 65536); p.Next() != want || p.SSRC() != 0xdeadbeef {
		t.Errorf("next is %d, SSRC %x; want %d", p.Next(), p.SSRC(), want)
	}
}

func TestMTUBounds(t *testing.T) {
	for in, want := range map[int]int{0: 1400, -1: 64, 1: 64, 64: 64, 1200: 1200, 65507: 65507, 1 << 20: 65507} {
		p := newPacketizer(in)
		if p.MTU() != want {
			t.Errorf("mtu %d became %d, want %d", in, p.MTU(), want)
		}
		check(t, p, [][]byte{nalu(sps, 30), nalu(pps, 40), nalu(idr, 200_000)}, 0)
	}
}

// Units of other sizes come and go; none leaves a trace in the next one.
func TestReuse(t *testing.T) {
	p := newPacketizer(0)
	for i := range 200 {
		size := 1 + (i*7919)%30_000
		unit := [][]byte{nalu(slice, size)}
		if i%10 == 0 {
			unit = [][]byte{nalu(sps, 1+i%50), nalu(pps, 1+i%20), nalu(idr, 8*size)}
		}
		check(t, p, unit, uint32(i)*3000)
	}
	used := p.Packetize([][]byte{nalu(idr, 10_000)}, 0)
	if len(p.Packetize(nil, 0)) != 0 || used[0].Payload != nil || used[len(used)-1].Payload != nil {
		t.Error("the packetizer still holds the last unit")
	}
}

func TestAllocatesNothing(t *testing.T) {
	for _, p := range []*Packetizer{newPacketizer(0), numbered(0)} {
		checkAllocations(t, p)
	}
}

func checkAllocations(t *testing.T, p *Packetizer) {
	t.Helper()
	key := [][]byte{nalu(sps, 30), nalu(pps, 5), nalu(idr, 120_000)}
	other := [][]byte{nalu(slice, 33_000)}
	if n := testing.AllocsPerRun(100, func() {
		p.Packetize(key, 1)
		p.Packetize(other, 2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzPacketize(f *testing.F) {
	f.Add([]byte{30, 0, 5, 0, 200, 9}, 1400)
	f.Add([]byte{1, 0, 255, 255, 2, 0, 3, 0}, 64)
	f.Fuzz(func(t *testing.T, plan []byte, mtu int) {
		var nalus [][]byte
		kinds := []byte{sps, pps, idr, sei, slice, aud}
		for i := 0; i+1 < min(len(plan), 40); i += 2 {
			if size := int(binary.LittleEndian.Uint16(plan[i:])); size > 0 {
				nalus = append(nalus, nalu(kinds[int(plan[i])%len(kinds)], size))
			}
		}
		check(t, newPacketizer(mtu), nalus, 7)
		check(t, numbered(mtu), nalus, 7)
	})
}

func BenchmarkPacketize(b *testing.B) {
	for _, size := range []int{1000, 33_000, 120_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := newPacketizer(0)
			unit := [][]byte{nalu(sps, 30), nalu(pps, 5), nalu(idr, size)}
			packets := len(p.Packetize(unit, 0))
			b.ReportAllocs()
			for b.Loop() {
				p.Packetize(unit, 0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*packets), "ns/packet")
		})
	}
}
