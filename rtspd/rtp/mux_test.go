package rtp

import "testing"

func TestIsRTCP(t *testing.T) {
	for _, test := range []struct {
		packet []byte
		want   bool
	}{
		{nil, false}, {[]byte{0x80}, false},
		{[]byte{0x80, 96}, false}, {[]byte{0x80, 0x80 | 96}, false}, {[]byte{0x80, 0}, false}, {[]byte{0x80, 127}, false},
		{[]byte{0x80, 191}, false}, {[]byte{0x80, 192}, true},
		{[]byte{0x81, 200}, true}, {[]byte{0x81, 201}, true}, {[]byte{0x81, 206}, true},
		{[]byte{0x80, 223}, true}, {[]byte{0x80, 224}, false}, {[]byte{0x80, 255}, false},
	} {
		if got := IsRTCP(test.packet); got != test.want {
			t.Errorf("%v: %v", test.packet, got)
		}
	}
}
