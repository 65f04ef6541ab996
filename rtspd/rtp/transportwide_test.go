package rtp

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// The header as RFC 8285 section 4.2 has it, with a number and a byte of padding.
func TestTransportNumber(t *testing.T) {
	p := NewPacketizer(96, 0xdeadbeef, 0x1234, 64)
	p.NumberTransport()
	packets := p.Packetize([][]byte{nalu(idr, 100)}, 7)
	for i, want := range [][]byte{
		{0x90, 0x60, 0x12, 0x34, 0, 0, 0, 7, 0xde, 0xad, 0xbe, 0xef, 0xbe, 0xde, 0, 1, 0x11, 0x12, 0x34, 0, 0x7c, 0x85},
		{0x90, 0x60, 0x12, 0x35, 0, 0, 0, 7, 0xde, 0xad, 0xbe, 0xef, 0xbe, 0xde, 0, 1, 0x11, 0x12, 0x35, 0, 0x7c, 0x05},
		{0x90, 0xe0, 0x12, 0x36, 0, 0, 0, 7, 0xde, 0xad, 0xbe, 0xef, 0xbe, 0xde, 0, 1, 0x11, 0x12, 0x36, 0, 0x7c, 0x45},
	} {
		if !bytes.Equal(packets[i].Header, want) || packets[i].Len() > 64 {
			t.Errorf("packet %d of %d bytes:\n% x, want\n% x", i, packets[i].Len(), packets[i].Header, want)
		}
	}
	if p.Head() != HeaderSize+TransportNumberSize || newPacketizer(0).Head() != HeaderSize {
		t.Errorf("%d and %d bytes", p.Head(), newPacketizer(0).Head())
	}
}

func TestRenumber(t *testing.T) {
	for _, p := range []*Packetizer{newPacketizer(0), numbered(0)} {
		header := slices.Clone(p.Packetize([][]byte{nalu(slice, 5)}, 7)[0].Header)
		Renumber(header, 0x1234, 7)
		other := NewPacketizer(96, 7, 0x1234, 0)
		if p.number != nil {
			other.NumberTransport()
		}
		if want := other.Packetize([][]byte{nalu(slice, 5)}, 7)[0].Header; !bytes.Equal(header, want) {
			t.Errorf("% x, want % x", header, want)
		}
	}
}

// wideOf writes transport-wide feedback: chunks as they are given, and the times of
// what arrived.
func wideOf(media uint32, first, count uint16, reference uint32, chunks []uint16, deltas ...byte) []byte {
	b := []byte{0x80 | rtcp.FormatTCC, 205, 0, 0, 0, 0, 0, 9}
	b = binary.BigEndian.AppendUint32(b, media)
	b = binary.BigEndian.AppendUint16(b, first)
	b = binary.BigEndian.AppendUint16(b, count)
	b = binary.BigEndian.AppendUint32(b, reference<<8)
	for _, c := range chunks {
		b = binary.BigEndian.AppendUint16(b, c)
	}
	b = append(b, deltas...)
	b = append(b, make([]byte, (4-len(b)%4)%4)...)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	return b
}

func TestTransportWide(t *testing.T) {
	const ms = 4 // ticks
	for _, c := range []struct {
		name   string
		b      []byte
		first  uint16
		ago    []time.Duration // negative: it did not arrive
		latest time.Duration
	}{
		{"a run", wideOf(ours, 65534, 3, 1, []uint16{1<<13 | 3}, 1*ms, 2*ms, 4*ms), 65534,
			[]time.Duration{6 * time.Millisecond, 4 * time.Millisecond, 0}, 71 * time.Millisecond},
		{"bits", wideOf(ours, 7, 3, 2, []uint16{0x8000 | 0b10100000000000}, 1*ms, 4*ms), 7,
			[]time.Duration{4 * time.Millisecond, -1, 0}, 133 * time.Millisecond},
		{"pairs, and what came too early", wideOf(ours, 7, 4, 2, []uint16{0xc000 | 0b01_10_00_10_000000}, 100, 0xff, 0xff-4*ms+1, 0, 4*ms), 7,
			[]time.Duration{0, 4 * time.Millisecond, -1, 0}, 153 * time.Millisecond},
		{"what did not arrive at the end", wideOf(ours, 7, 8190, 1<<24-1, []uint16{1<<13 | 1, 8191}, 255), 7,
			[]time.Duration{0}, 63750*time.Microsecond - 64*time.Millisecond + WidePeriod},
		{"a clock that begins anew", wideOf(ours, 7, 1, 1<<24-1, []uint16{2<<13 | 1}, 2, 0), 7, []time.Duration{0}, 64 * time.Millisecond},
		{"many: the last ones", wideOf(ours, 0, 60004, 0, []uint16{1<<13 | 1, 8191, 8191, 8191, 8191, 8191, 8191, 8191, 2662, 1<<13 | 4}, 0, 0, 1, 0, 0), 59995,
			[]time.Duration{-1, -1, -1, -1, -1, 250 * time.Microsecond, 0, 0, 0}, 250 * time.Microsecond},
	} {
		f, err := ParseReceiver(c.b, ours)
		if err != nil || f.Wides != 1 {
			t.Fatalf("%s: %+v, %v", c.name, f, err)
		}
		room := [2 * 9]byte{5, 5, 5}
		a, latest, ok := f.Wide[0].Arrivals(room[:])
		if !ok || a.First != c.first || a.Len() != len(c.ago) || latest != c.latest {
			t.Fatalf("%s: %v, %d from %d, the latest at %v", c.name, ok, a.Len(), a.First, latest)
		}
		for i, want := range c.ago {
			ago, arrived := a.At(i)
			if arrived != (want >= 0) || ago > want || ago < want-time.Millisecond {
				t.Errorf("%s: packet %d arrived %v, %v ago, want %v", c.name, i, arrived, ago, want)
			}
		}
	}
}

func TestTransportWideThatIsNone(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":          wideOf(ours, 7, 0, 0, nil),
		"nothing arrived":  wideOf(ours, 7, 9, 0, []uint16{9}),
		"no chunk":         wideOf(ours, 7, 1, 0, nil),
		"runs of nothing":  wideOf(ours, 7, 1, 0, []uint16{0, 0, 1 << 13, 2 << 13}),
		"no time":          wideOf(ours, 7, 4, 0, []uint16{2<<13 | 4, 0, 0}),
		"no time of a few": wideOf(ours, 7, 7, 0, []uint16{0xc000 | 0b01_10_01_10_101010, 1}),
		"reserved":         wideOf(ours, 7, 1, 0, []uint16{3<<13 | 1, 0, 0}),
	} {
		f, err := ParseReceiver(b, ours)
		if err != nil || f.Wides != 1 {
			t.Fatalf("%s: %+v, %v", name, f, err)
		}
		if a, _, ok := f.Wide[0].Arrivals(make([]byte, 64)); ok {
			t.Errorf("%s: %d packets from %d", name, a.Len(), a.First)
		}
	}
	if f, err := ParseReceiver(wideOf(1, 7, 1, 0, []uint16{1<<13 | 1}, 0), ours); err != nil || f.Wides != 0 {
		t.Errorf("of another stream: %+v, %v", f, err)
	}
	if _, err := ParseReceiver([]byte{0x80 | rtcp.FormatTCC, 205, 0, 3, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1}, ours); err == nil {
		t.Error("feedback without a time is taken")
	}
	one := wideOf(ours, 7, 1, 0, []uint16{1<<13 | 1}, 0)
	if f, err := ParseReceiver(bytes.Repeat(one, maxWide+1), ours); err != nil || f.Wides != maxWide {
		t.Errorf("%d in one: %d, %v", maxWide+1, f.Wides, err)
	}
}

func TestTransportWideAllocatesNothing(t *testing.T) {
	b := wideOf(ours, 7, 500, 0, []uint16{1<<13 | 250, 250}, make([]byte, 250)...)
	room := make([]byte, 1024)
	if n := testing.AllocsPerRun(100, func() {
		f, err := ParseReceiver(b, ours)
		if a, _, ok := f.Wide[0].Arrivals(room); err != nil || !ok || a.Len() != 250 {
			t.Fatal(a.Len(), ok, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// checkWide compares with what another implementation reads. That knows packets which
// arrived at no known time; we do not.
func checkWide(t *testing.T, b []byte, got *Feedback, packets []rtcp.Packet) {
	t.Helper()
	n := 0
	for _, packet := range packets {
		cc, ok := packet.(*rtcp.TransportLayerCC)
		if !ok || cc.MediaSSRC != ours || n == got.Wides {
			continue
		}
		room := make([]byte, 512)
		a, latest, ok := got.Wide[n].Arrivals(room)
		n++
		if !ok {
			continue
		}
		arrived, at, newest := arrivalsIn(cc)
		first := max(0, len(arrived)-len(room)/metricSize)
		if a.First != cc.BaseSequenceNumber+uint16(first) || a.Len() != len(arrived)-first {
			t.Fatalf("%x: %d from %d, want %d from %d", b, a.Len(), a.First, len(arrived)-first, int(cc.BaseSequenceNumber)+first)
		}
		for i := range a.Len() {
			ago, ok := a.At(i)
			if ok != arrived[first+i] || ok && ago >= 0 && newest-at[first+i]-ago > time.Millisecond {
				t.Fatalf("%x: packet %d: %v, %v ago, want %v, %v", b, first+i, ok, ago, arrived[first+i], newest-at[first+i])
			}
		}
		want := time.Duration(cc.ReferenceTime)*wideReference + newest
		if (want-latest)%WidePeriod != 0 || latest < 0 || latest >= WidePeriod {
			t.Fatalf("%x: the latest at %v, want %v", b, latest, want)
		}
	}
}

// arrivalsIn lists packets up to the last that arrived, and when they did, behind the
// reference time.
func arrivalsIn(cc *rtcp.TransportLayerCC) (arrived []bool, at []time.Duration, newest time.Duration) {
	var symbols []uint16
	for _, chunk := range cc.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			symbols = append(symbols, slices.Repeat([]uint16{c.PacketStatusSymbol}, int(c.RunLength))...)
		case *rtcp.StatusVectorChunk:
			symbols = append(symbols, c.SymbolList...)
		}
	}
	symbols = symbols[:min(len(symbols), int(cc.PacketStatusCount))]
	for len(symbols) > 0 && symbols[len(symbols)-1] == 0 {
		symbols = symbols[:len(symbols)-1]
	}
	deltas, now := cc.RecvDeltas, time.Duration(0)
	for i, symbol := range symbols {
		if arrived = append(arrived, symbol > 0); symbol > 0 {
			now += time.Duration(deltas[0].Delta) * time.Microsecond
			deltas = deltas[1:]
		}
		if at = append(at, now); symbol > 0 && (newest < now || !slices.Contains(arrived[:i], true)) {
			newest = now
		}
	}
	return arrived, at, newest
}
