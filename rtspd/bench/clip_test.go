package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/rtp"
)

func makePackets(sizes ...int) []rtp.Packet {
	var list []rtp.Packet
	for i, size := range sizes {
		header := make([]byte, rtp.HeaderSize)
		header[0] = 0x80
		list = append(list, rtp.Packet{Header: header, Payload: bytes.Repeat([]byte{byte(i)}, size-rtp.HeaderSize)})
	}
	return list
}

func TestRuns(t *testing.T) {
	equal := func(size, n int) []int { return slices.Repeat([]int{size}, n) }
	for _, c := range []struct {
		name  string
		sizes []int
		want  []int // bytes of each run
	}{
		{"one", []int{100}, []int{100}},
		{"equal, and a shorter one", append(equal(1400, 3), 500), []int{4700}},
		{"a small one before", append([]int{30}, equal(1400, 3)...), []int{30, 4200}},
		{"nothing joins behind a shorter one", []int{100, 100, 40, 40}, []int{240, 40}},
		{"64 segments", equal(20, 65), []int{1280, 20}},
		{"65,507 bytes", equal(1400, 47), []int{64400, 1400}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUnit(makePackets(c.sizes...))
			var got []int
			at := 0
			for _, r := range u.runs {
				if r.from != at {
					t.Errorf("a run begins at %d, want %d", r.from, at)
				}
				got, at = append(got, r.to-r.from), r.to
			}
			if !slices.Equal(got, c.want) || at != len(u.packed) {
				t.Errorf("runs of %v bytes of %d, want %v", got, len(u.packed), c.want)
			}
		})
	}
}

func TestStamp(t *testing.T) {
	u := newUnit(makePackets(1400, 20, 700))
	u.stamp(u.packed, 0, 65535, 90_000)
	u.stamp(u.framed, frameHead, 65535, 90_000)
	var got []uint16
	s := newScanner(func(channel byte, head []byte, size int) {
		got = append(got, binary.BigEndian.Uint16(head[2:]))
		if rtptime := binary.BigEndian.Uint32(head[4:]); rtptime != 90_000 || channel != 0 || size != []int{1400, 20, 700}[len(got)-1] {
			t.Errorf("packet %d of %d bytes on channel %d has time %d", len(got), size, channel, rtptime)
		}
	})
	s.scan(u.framed)
	if want := []uint16{65535, 0, 1}; !slices.Equal(got, want) {
		t.Errorf("numbers %v, want %v", got, want)
	}
	list, err := u.parse()
	if err != nil || len(list) != 3 {
		t.Fatalf("%d packets, %v", len(list), err)
	}
	for i, p := range list {
		if p.SequenceNumber != got[i] || p.Timestamp != 90_000 || p.MarshalSize() != []int{1400, 20, 700}[i] || p.Payload[0] != byte(i) {
			t.Errorf("packet %d is %v", i, p)
		}
	}
}

func TestSplit(t *testing.T) {
	var got []string
	for _, n := range split([]byte("\x00\x00\x00\x01\x67\x42\x00\x00\x01\x68\x00\x03\x00\x00\x00\x01\x65\x88\x00\x00")) {
		got = append(got, string(n))
	}
	if want := []string{"\x67\x42", "\x68\x00\x03", "\x65\x88"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := split([]byte("no start code")); n != nil {
		t.Errorf("%q out of nothing", n)
	}
}

func TestPictures(t *testing.T) {
	sps, pps, sei, aud := []byte{0x67, 1}, []byte{0x68, 1}, []byte{6, 1}, []byte{9, 1}
	first, more, key := []byte{0x41, 0x80}, []byte{0x41, 0x40}, []byte{0x65, 0x80}
	var got []int
	for _, p := range pictures([][]byte{aud, sps, pps, sei, key, more, first, more, sei, first, aud, first}) {
		got = append(got, len(p))
	}
	if want := []int{6, 2, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("pictures of %v NAL units, want %v", got, want)
	}
}

// The index covers the clip, picture by picture.
func TestIndex(t *testing.T) {
	clip := filepath.Join(t.TempDir(), "clip")
	data := "\x00\x00\x00\x01\x67\x42\x00\x00\x01\x68\x42\x00\x00\x00\x01\x65\x88\x11\x00\x00\x00\x01\x41\x9a\x22\x00\x00\x01\x41\x9a\x33"
	if err := os.WriteFile(clip, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	name, err := index(clip)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "0 18\n18 7\n25 6\n" {
		t.Errorf("index %q, %v; the clip has %d bytes", b, err, len(data))
	}
}

func TestSegments(t *testing.T) {
	var b [24]byte
	list, err := unix.ParseSocketControlMessage(segments(b[:], 1400))
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if m := list[0]; m.Header.Level != unix.SOL_UDP || m.Header.Type != unix.UDP_SEGMENT || binary.NativeEndian.Uint16(m.Data) != 1400 {
		t.Errorf("%+v", m)
	}
}
