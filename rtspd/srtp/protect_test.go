package srtp

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"

	pion "github.com/pion/srtp/v3"
)

var (
	testKey  = []byte("0123456789abcdef")
	testSalt = []byte("abcdefghijklmn")
)

// The vectors of RFC 3711 appendix B.3.
func TestDerivation(t *testing.T) {
	key, _ := hex.DecodeString("E1F97A0D3E018BE0D64FA32C06DE4139")
	salt, _ := hex.DecodeString("0EC675AD498AFEEBB6960B3AABE6")
	for label, want := range map[byte]string{
		labelEncryption:     "c61e7a93744f39ee10734afe3ff7a087",
		labelAuthentication: "cebe321f6ff7716b6fd4ab49af256a156d38baa4",
		labelSalt:           "30cbbc08863d8c85d49db34a9ae1",
	} {
		if got := hex.EncodeToString(derive(key, salt, label, len(want)/2)); got != want {
			t.Errorf("label %d: %s, want %s", label, got, want)
		}
	}
}

func header(seq uint16, ssrc uint32) []byte {
	h := make([]byte, 12)
	h[0], h[1] = 0x80, 96
	binary.BigEndian.PutUint16(h[2:], seq)
	binary.BigEndian.PutUint32(h[8:], ssrc)
	return h
}

// Another implementation reads it, also when the sequence numbers have wrapped.
func TestAnotherImplementationReadsIt(t *testing.T) {
	p, err := NewProtector(testKey, testSalt)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pion.CreateContext(testKey, testSalt, pion.ProtectionProfileAes128CmHmacSha1_80)
	if err != nil {
		t.Fatal(err)
	}
	for index := uint64(65_400); index < 3*65_536; index += 97 {
		payload := bytes.Repeat([]byte{byte(index)}, int(index%1400))
		h := header(uint16(index), 0xcafe)
		b := p.Append([]byte("in front"), h, payload[:len(payload)/3], payload[len(payload)/3:], index)
		if want := len("in front") + len(h) + len(payload) + TagSize; len(b) != want {
			t.Fatalf("%d bytes, want %d", len(b), want)
		}
		got, err := c.DecryptRTP(nil, b[len("in front"):], nil)
		if err != nil || !bytes.Equal(got, append(h, payload...)) {
			t.Fatalf("packet %d: %v", index, err)
		}
	}
}

func TestKeysOfTheWrongSize(t *testing.T) {
	for _, sizes := range [][2]int{{0, 0}, {15, 14}, {32, 14}, {16, 12}} {
		if _, err := NewProtector(make([]byte, sizes[0]), make([]byte, sizes[1])); err == nil {
			t.Errorf("%v is taken", sizes)
		}
	}
}

func TestProtectingAllocatesNothing(t *testing.T) {
	p, err := NewProtector(testKey, testSalt)
	if err != nil {
		t.Fatal(err)
	}
	h, payload, buf, index := header(1, 2), make([]byte, 1400), make([]byte, 0, 2000), uint64(0)
	if n := testing.AllocsPerRun(100, func() {
		buf = p.Append(buf[:0], h, nil, payload, index)
		index++
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	p, err := NewProtector(testKey, testSalt)
	if err != nil {
		b.Fatal(err)
	}
	h, payload, buf := header(1, 2), make([]byte, 1388), make([]byte, 0, 2000)
	b.SetBytes(int64(len(payload)))
	for i := 0; b.Loop(); i++ {
		buf = p.Append(buf[:0], h, nil, payload, uint64(i))
	}
}
