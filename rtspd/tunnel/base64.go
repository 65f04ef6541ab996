package tunnel

import "fmt"

// A Decoder decodes base64 (RFC 4648 section 4) that comes in pieces cut
// anywhere. Line ends and blanks are passed over. Padding may come in the
// middle, since clients encode each request by itself; what follows begins
// anew. The zero value is ready.
type Decoder struct {
	bits   uint32 // of the quantum begun
	n      int    // characters of it
	padded int    // = that may still follow
}

// Append decodes src behind dst. What is not base64 is an error, and everything
// behind it is lost. A quantum that is not complete waits for the next call.
func (d *Decoder) Append(dst, src []byte) ([]byte, error) {
	for _, c := range src {
		switch c {
		case '\r', '\n', ' ', '\t':
			continue
		case '=':
			var err error
			if dst, err = d.pad(dst); err != nil {
				return dst, err
			}
			continue
		}
		v := value(c)
		if v < 0 {
			return dst, fmt.Errorf("tunnel: %q is no character of base64", c)
		}
		d.padded = 0
		d.bits = d.bits<<6 | uint32(v)
		if d.n++; d.n == 4 {
			dst = append(dst, byte(d.bits>>16), byte(d.bits>>8), byte(d.bits))
			d.bits, d.n = 0, 0
		}
	}
	return dst, nil
}

// pad takes a "=", the first of which ends the quantum.
func (d *Decoder) pad(dst []byte) ([]byte, error) {
	switch {
	case d.n == 2:
		dst = append(dst, byte(d.bits>>4))
		d.padded = 1
	case d.n == 3:
		dst = append(dst, byte(d.bits>>10), byte(d.bits>>2))
	case d.n == 0 && d.padded > 0:
		d.padded--
	default:
		return dst, fmt.Errorf("tunnel: padding behind %d characters of base64", d.n)
	}
	d.bits, d.n = 0, 0
	return dst, nil
}

// value of a character; -1: it has none.
func value(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return -1
}
