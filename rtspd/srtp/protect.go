package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"hash"
)

// Sizes in bytes.
const (
	KeySize  = 16 // of a master key
	SaltSize = 14 // of a master salt
	TagSize  = 10 // that a packet grows by
)

// The labels of the keys that are derived (RFC 3711 section 4.3.2).
const (
	labelEncryption     = 0
	labelAuthentication = 1
	labelSalt           = 2
)

// A Protector encrypts and authenticates RTP packets. One goroutine at a time
// uses it. All who share a master key must differ in SSRC.
type Protector struct {
	block cipher.Block
	mac   hash.Hash
	salt  [SaltSize]byte

	counter, stream [aes.BlockSize]byte // here, since what a cipher.Block is given escapes
	roc             [4]byte
}

// NewProtector derives the session keys. The error is one of sizes.
func NewProtector(key, salt []byte) (*Protector, error) {
	if len(key) != KeySize || len(salt) != SaltSize {
		return nil, fmt.Errorf("srtp: key of %d bytes and salt of %d, not %d and %d", len(key), len(salt), KeySize, SaltSize)
	}
	p := &Protector{}
	var err error
	if p.block, err = aes.NewCipher(derive(key, salt, labelEncryption, KeySize)); err != nil {
		return nil, err
	}
	p.mac = hmac.New(sha1.New, derive(key, salt, labelAuthentication, sha1.Size))
	copy(p.salt[:], derive(key, salt, labelSalt, SaltSize))
	return p, nil
}

// derive makes a session key (RFC 3711 section 4.3.1, the rate being 0).
func derive(key, salt []byte, label byte, size int) []byte {
	var iv [aes.BlockSize]byte
	copy(iv[:], salt)
	iv[7] ^= label
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // NewProtector has looked at the size
	}
	out := make([]byte, size)
	cipher.NewCTR(block, iv[:]).XORKeyStream(out, out)
	return out
}

// Append writes the protected packet behind dst: a header, which stays readable with
// its extensions, and a payload in two parts. The index is
// that of RFC 3711 section 3.3.1: the rollover counter, and in the last 16 bits
// the sequence number. It may be used once only.
func (p *Protector) Append(dst, header, payload1, payload2 []byte, index uint64) []byte {
	from := len(dst)
	dst = append(dst, header...)
	body := len(dst)
	dst = append(append(dst, payload1...), payload2...)
	p.begin(binary.BigEndian.Uint32(header[8:12]), index)
	p.encrypt(dst[body:])
	binary.BigEndian.PutUint32(p.roc[:], uint32(index>>16))
	p.mac.Reset()
	p.mac.Write(dst[from:])
	p.mac.Write(p.roc[:])
	end := len(dst)
	return p.mac.Sum(dst)[:end+TagSize]
}

// begin sets the counter of a packet (RFC 3711 section 4.1.1).
func (p *Protector) begin(ssrc uint32, index uint64) {
	p.counter = [aes.BlockSize]byte{}
	binary.BigEndian.PutUint32(p.counter[4:], ssrc)
	binary.BigEndian.PutUint32(p.counter[8:], uint32(index>>16))
	binary.BigEndian.PutUint16(p.counter[12:], uint16(index))
	for i, b := range p.salt {
		p.counter[i] ^= b
	}
}

func (p *Protector) encrypt(b []byte) {
	for n := uint16(0); len(b) > 0; n++ {
		binary.BigEndian.PutUint16(p.counter[14:], n)
		p.block.Encrypt(p.stream[:], p.counter[:])
		b = b[xor(b, p.stream[:]):]
	}
}

// xor changes the first bytes of b, as many as both have.
func xor(b, with []byte) int {
	n := min(len(b), len(with))
	for i := range n {
		b[i] ^= with[i]
	}
	return n
}
