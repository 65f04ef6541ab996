package rtspd

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"lenslet/rtspd/rtp"
)

func TestReadFramed(t *testing.T) {
	long := bytes.Repeat([]byte{7}, 65535)
	r := io.MultiReader(strings.NewReader("\x00\x03abc\x00\x00\xff\xff"), bytes.NewReader(long), strings.NewReader("\x00\x02x"))
	var buf []byte
	for _, want := range [][]byte{[]byte("abc"), {}, long} {
		var err error
		if buf, err = readFramed(r, buf); err != nil || !bytes.Equal(buf, want) {
			t.Fatalf("%d bytes, %v, want %d", len(buf), err, len(want))
		}
	}
	if _, err := readFramed(r, buf); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if _, err := readFramed(r, buf); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

// FuzzFramed reads packets behind their lengths: what was read, written again,
// is what there was.
func FuzzFramed(f *testing.F) {
	for _, seed := range []string{"", "\x00", "\x00\x00", "\x00\x04\x80\xc9\x00\x00\x00\x01a", "\xff\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		var again, buf []byte
		for {
			left := r.Len()
			var err error
			if buf, err = readFramed(r, buf); err != nil {
				again = append(again, data[len(data)-left:]...)
				break
			}
			pool := newPool()
			u := pool.get(0, 0)
			u.bare = true
			u.fill([]rtp.Packet{{Header: buf}}, 0)
			again = append(again, u.data...)
		}
		if !bytes.Equal(again, data) {
			t.Errorf("%x became %x", data, again)
		}
	})
}
