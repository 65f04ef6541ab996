package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// frame is one as it lies in a connection; its bytes count up.
func frame(channel byte, size int) []byte {
	b := []byte{'$', channel, byte(size >> 8), byte(size)}
	for i := range size {
		b = append(b, byte(i))
	}
	return b
}

// found scans chunks, and tells what was found.
func found(chunks ...[]byte) (list []string, broken bool) {
	s := newScanner(func(channel byte, head []byte, size int) {
		want := frame(0, min(size, headOfRTCP))[frameHead:]
		list = append(list, fmt.Sprintf("%d:%d:%v", channel, size, bytes.Equal(head, want)))
	})
	for _, c := range chunks {
		s.scan(c)
	}
	return list, s.broken
}

func TestScanner(t *testing.T) {
	reply := []byte("RTSP/1.0 200 OK\r\nCSeq: 7\r\n\r\n")
	for _, c := range []struct {
		name   string
		stream []byte
		want   string
		broken bool
	}{
		{"nothing", nil, "", false},
		{"one", frame(0, 1400), "0:1400:true", false},
		{"several", slices.Concat(frame(0, 1400), frame(1, 28), frame(0, 13)), "0:1400:true 1:28:true 0:13:true", false},
		{"empty", slices.Concat(frame(3, 0), frame(0, 1)), "3:0:true 0:1:true", false},
		{"as long as the head, and around it", slices.Concat(frame(0, 27), frame(0, 28), frame(0, 29)), "0:27:true 0:28:true 0:29:true", false},
		{"the longest", frame(0, 65535), "0:65535:true", false},
		{"an answer between", slices.Concat(frame(0, 40), reply, frame(0, 41), reply, reply), "0:40:true 0:41:true", false},
		{"an odd answer", slices.Concat([]byte("R\r\r\n\nX\r\n\r\n"), frame(0, 5)), "0:5:true", false},
		{"nonsense", slices.Concat(frame(0, 40), []byte("nonsense"), frame(0, 40)), "0:40:true", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 5, 31, 32, 33, 1000, 1 << 20} { // of a chunk
				list, broken := found(slices.Collect(slices.Chunk(c.stream, size))...)
				if got := strings.Join(list, " "); got != c.want || broken != c.broken {
					t.Errorf("in chunks of %d bytes: %q, broken %v; want %q, %v", size, got, broken, c.want, c.broken)
				}
			}
		})
	}
}

// However a stream is cut, the same is found in it.
func FuzzScanner(f *testing.F) {
	f.Add(slices.Concat(frame(0, 100), frame(1, 5), []byte("RTSP/1.0 200 OK\r\n\r\n"), frame(0, 30)), 7)
	f.Add([]byte("$\x00"), 1)
	f.Add([]byte("x"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		whole, broken := found(stream)
		parts, also := found(slices.Collect(slices.Chunk(stream, 1+int(uint(size)%2000)))...)
		if !slices.Equal(whole, parts) || broken != also {
			t.Errorf("%v, broken %v; in parts %v, %v", whole, broken, parts, also)
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	stream := bytes.Repeat(frame(0, 1400), 100)
	packets := 0
	s := newScanner(func(byte, []byte, int) { packets++ })
	b.ReportAllocs()
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		s.scan(stream)
	}
}
