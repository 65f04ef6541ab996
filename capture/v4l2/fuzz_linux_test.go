package v4l2

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a driver says of a buffer, the data lie in the buffer.
func FuzzTaken(f *testing.F) {
	f.Add(true, uint32(0), uint32(60), uint32(100), uint32(20), uint32(7))
	f.Add(true, uint32(1), uint32(101), uint32(100), uint32(0), uint32(0))
	f.Add(false, uint32(0), uint32(math.MaxUint32), uint32(math.MaxUint32), uint32(math.MaxUint32), uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, mapped bool, index, used, length, offset, m uint32) {
		q := queueOf(DMABUF, 0)
		if mapped {
			q = queueOf(MMAP, 100)
		}
		b, err := q.taken(&bufferHead{index: index}, plane{bytesUsed: used, length: length, dataOffset: offset, m: uintptr(m)})
		if (err == nil) != (index == 0) {
			t.Fatalf("buffer %d of 1: %v", index, err)
		}
		if err != nil {
			return
		}
		if mapped {
			if data := q.Bytes(b.Index)[:b.BytesUsed]; len(data) > 100 || b.FD != -1 {
				t.Errorf("%d bytes of 100, descriptor %d", len(data), b.FD)
			}
		} else if uint32(b.BytesUsed) > length || b.FD != int(int32(m)) {
			t.Errorf("%d bytes of %d, descriptor %d", b.BytesUsed, length, b.FD)
		}
		if b.BytesUsed == 0 && used > 0 && used != offset && b.Flags&FlagError == 0 {
			t.Error("data vanished without an error")
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add([]byte("vivid\x00\x00"))
	f.Add([]byte("no end"))
	f.Add([]byte{0xff, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := text(b)
		if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			t.Errorf("%q reads %q", b, s)
		}
		if end := bytes.IndexByte(b, 0); end >= 0 && utf8.Valid(b[:end]) && s != string(b[:end]) {
			t.Errorf("%q reads %q", b, s)
		}
	})
}

// A key fits into a line "name: value", and naming it again changes nothing.
func FuzzControlKey(f *testing.F) {
	f.Add("Exposure Time, Absolute")
	f.Add("__")
	f.Fuzz(func(t *testing.T, name string) {
		key := Control{Name: name}.Key()
		if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("%q has the key %q", name, key)
		}
		if strings.Contains(key, "__") || strings.HasPrefix(key, "_") || strings.HasSuffix(key, "_") {
			t.Errorf("%q has the key %q", name, key)
		}
		if again := (Control{Name: key}).Key(); again != key {
			t.Errorf("%q becomes %q", key, again)
		}
	})
}

func FuzzRanges(f *testing.F) {
	f.Add(uint32(3), uint32(32), uint32(1920), uint32(2))
	f.Add(uint32(rangeDiscrete), uint32(640), uint32(480), uint32(0))
	f.Add(uint32(9), uint32(math.MaxUint32), uint32(math.MaxUint32), uint32(math.MaxUint32))
	f.Fuzz(func(t *testing.T, typ, a, b, c uint32) {
		e := frameSizeEnum{typ: typ, size: [6]uint32{a, b, c, c, b, a}}
		r := e.sizeRange()
		if min(r.MinWidth, r.MaxWidth, r.StepWidth, r.MinHeight, r.MaxHeight, r.StepHeight) < 0 {
			t.Errorf("negative: %+v", r)
		}
		if typ != rangeDiscrete && (r.StepWidth < 1 || r.StepHeight < 1) {
			t.Errorf("a range without steps: %+v", r)
		}
		if typ == rangeDiscrete && (r.MinWidth != r.MaxWidth || r.MinHeight != r.MaxHeight) {
			t.Errorf("one size, and yet a range: %+v", r)
		}
	})
}
