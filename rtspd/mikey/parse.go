package mikey

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

var errShort = errors.New("mikey: the message ends too early")

// A reader takes bytes off the front; err is the first fault.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.b) < n {
		r.err = cmpErr(r.err, errShort)
		return make([]byte, n)
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func cmpErr(first, other error) error {
	if first != nil {
		return first
	}
	return other
}

func (r *reader) u8() int     { return int(r.take(1)[0]) }
func (r *reader) u16() int    { return int(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }

// Parse reads a message. Another kind of message, of key or of protection is an
// error.
func Parse(b []byte) (*Message, error) {
	r := &reader{b: b}
	m := &Message{}
	version, kind, next := r.u8(), r.u8(), r.u8()
	_ = r.u8() // whether an answer is wanted, and the PRF, which only a TGK needs
	m.CSB = r.u32()
	sessions, mapType := r.u8(), r.u8()
	if r.err == nil && (version != 1 || kind != 0 || mapType != 0) {
		return nil, fmt.Errorf("mikey: version %d, message %d, map %d; right would be 1, 0, 0", version, kind, mapType)
	}
	for range sessions {
		_ = r.u8() // its policy
		m.Sessions = append(m.Sessions, CryptoSession{SSRC: r.u32(), ROC: r.u32()})
	}
	for next != payloadLast && r.err == nil {
		next = m.payload(r, next)
	}
	switch {
	case r.err != nil:
		return nil, r.err
	case m.Key == nil:
		return nil, errors.New("mikey: there is no key")
	}
	return m, nil
}

// payload reads one, and gives the kind of the next.
func (m *Message) payload(r *reader, kind int) (next int) {
	next = r.u8()
	switch kind {
	case payloadT:
		if t := r.u8(); t > 1 { // a counter, of 4 bytes
			_ = r.u32()
		} else {
			m.NTP = binary.BigEndian.Uint64(r.take(8))
		}
	case payloadRAND:
		m.Rand = slices.Clone(r.take(r.u8()))
	case payloadSP:
		_, protocol := r.u8(), r.u8()
		params := &reader{b: r.take(r.u16())}
		if r.err == nil && protocol == 0 {
			r.err = checkPolicy(params)
		}
	case payloadKEMAC:
		encryption := r.u8()
		keys := &reader{b: r.take(r.u16())}
		if mac := r.u8(); r.err == nil && (encryption != 0 || mac != 0) {
			r.err = errors.New("mikey: the key is encrypted or authenticated with another one, which nobody has")
		}
		if r.err == nil {
			r.err = m.keys(keys)
		}
	default:
		r.err = cmpErr(r.err, fmt.Errorf("mikey: payload %d is not known", kind))
	}
	return next
}

// checkPolicy refuses another protection than AES_CM_128_HMAC_SHA1_80. What a
// policy does not say has that value by itself (RFC 3830 section 6.10.1).
func checkPolicy(r *reader) error {
	for len(r.b) > 0 && r.err == nil {
		kind := r.u8()
		value := r.take(r.u8())
		for _, p := range policy {
			if r.err == nil && int(p.kind) == kind && kind != authKeySize && !bytes.Equal(value, []byte{p.value}) {
				return fmt.Errorf("mikey: parameter %d of the policy is %x, not %x", kind, value, p.value)
			}
		}
	}
	return r.err
}

// keys reads the first key (RFC 3830 section 6.13): with its salt behind it, or
// in it.
func (m *Message) keys(r *reader) error {
	_ = r.u8()
	kind := r.u8() >> 4
	key := r.take(r.u16())
	switch kind {
	case keyTEK:
		if len(key) == KeySize+SaltSize {
			m.Key, m.Salt = slices.Clone(key[:KeySize]), slices.Clone(key[KeySize:])
		}
	case keyTEKSalt:
		if salt := r.take(r.u16()); len(key) == KeySize && len(salt) == SaltSize {
			m.Key, m.Salt = slices.Clone(key), slices.Clone(salt)
		}
	}
	if r.err == nil && m.Key == nil {
		return fmt.Errorf("mikey: a key of %d bytes and kind %d is not known", len(key), kind)
	}
	return r.err
}
