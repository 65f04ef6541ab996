package mikey

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

func example() *Message {
	return &Message{
		CSB: 0x01020304, NTP: 0xe8f2a0b000000000, Rand: bytes.Repeat([]byte{7}, 16),
		Sessions: []CryptoSession{{0xcafebabe, 3}, {1, 0}},
		Key:      bytes.Repeat([]byte{0x11}, KeySize), Salt: bytes.Repeat([]byte{0x22}, SaltSize),
	}
}

func TestBytes(t *testing.T) {
	want := "01000500" + "01020304" + "0200" + "00cafebabe00000003" + "000000000100000000" +
		"0b00e8f2a0b000000000" + "0a10" + strings.Repeat("07", 16) +
		"010000001b" + "000101" + "010110" + "020101" + "030114" + "04010e" + "070101" + "080101" + "0a0101" + "0b010a" +
		"00000022" + "0020001e" + strings.Repeat("11", 16) + strings.Repeat("22", 14) + "00"
	if got := hex.EncodeToString(example().Append(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	m := example()
	b := m.Append(nil)
	got, err := Parse(b)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%+v, %v", got, err)
	}
	for cut := range b {
		if _, err := Parse(b[:cut]); err == nil {
			t.Errorf("%d bytes of %d are taken", cut, len(b))
		}
	}
}

// A key whose salt is a field of its own, and a policy that says nothing.
func TestSaltOfItsOwn(t *testing.T) {
	m := example()
	text := "01000100" + "00000000" + "0000" + "00000026" + "00000000"
	b, _ := hex.DecodeString(text[:len(text)-8])
	b[len(b)-1] = 4 + 16 + 2 + 14
	b = append(b, 0, keyTEKSalt<<4, 0, KeySize)
	b = append(b, m.Key...)
	b = append(b, 0, SaltSize)
	b = append(append(b, m.Salt...), 0)
	got, err := Parse(b)
	if err != nil || !bytes.Equal(got.Key, m.Key) || !bytes.Equal(got.Salt, m.Salt) {
		t.Errorf("%+v, %v", got, err)
	}
}

// What GStreamer 1.22 sends with SETUP.
func TestGStreamersMessage(t *testing.T) {
	b, err := hex.DecodeString("010005008931f8ef010000f40a4c760000" + "00000b00eeadcef8cfca21200a10c3cf8b13ea33e7a8701c7c283a47b07401" +
		"00000015000101010110020101" + "03010a0701010801010a0101000000220020001e" + "d54a285cb4d729746248b71939f48b25d3e54d90ac9be2ee520bb42216f9" + "00")
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(b)
	if err != nil || len(m.Sessions) != 1 || m.Sessions[0] != (CryptoSession{0xf40a4c76, 0}) || m.Key[0] != 0xd5 || m.Salt[SaltSize-1] != 0xf9 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		at   int // the byte to change
		to   byte
		want string
	}{
		{"version", 0, 2, "version 2"}, {"message", 1, 1, "message 1"}, {"map", 9, 1, "map 1"}, {"payload", 2, 9, "payload 9"},
		{"no payload", 2, 0, "no key"}, {"cipher", 63, 2, "parameter 0"}, {"key size", 66, 32, "parameter 1"},
		{"encrypted key", 89, 1, "encrypted"}, {"kind of key", 93, 0, "kind 0"},
	} {
		b := example().Append(nil)
		b[test.at] = test.to
		if _, err := Parse(b); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example().Append(nil))
	f.Add((&Message{Rand: make([]byte, 16), Key: make([]byte, KeySize), Salt: make([]byte, SaltSize)}).Append(nil))
	f.Add([]byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(m.Append(nil))
		if err != nil || !bytes.Equal(again.Key, m.Key) || !bytes.Equal(again.Salt, m.Salt) || len(again.Sessions) != len(m.Sessions) {
			t.Fatalf("%+v, then %+v, %v", m, again, err)
		}
	})
}
