package wire

import (
	"strconv"
	"strings"
)

// The versions in a start line.
const (
	Version10 = "RTSP/1.0" // RFC 2326
	Version20 = "RTSP/2.0" // RFC 7826
)

// A Message is what Decode finds: a *Request, a *Response or an Interleaved.
type Message interface{ message() }

// A Request as RFC 2326 section 6 has it.
type Request struct {
	Method  string // as sent; methods are case-sensitive
	URL     string // absolute, or "*"; not looked into here
	Version string // "RTSP/1.0"; Decode passes any, also "HTTP/1.1"; "" is written as RTSP/1.0
	Header  Header
	Body    []byte // nil if there is none
}

// A Response as RFC 2326 section 7 has it.
type Response struct {
	Version string // "" is written as RTSP/1.0
	Status  Status // 100..999
	Reason  string // "" is written as the status's own
	Header  Header
	Body    []byte // nil if there is none
}

// Interleaved is one binary frame between messages (RFC 2326 section 10.12).
type Interleaved struct {
	Channel byte
	Payload []byte // at most 65535 bytes; lies in the bytes given to Decode
}

func (*Request) message()    {}
func (*Response) message()   {}
func (Interleaved) message() {}

// Append writes the request behind dst. Content-Length is written when there is
// a body, whatever the header says about it. Characters that would end a line
// or a word are replaced.
func (r *Request) Append(dst []byte) []byte {
	dst = appendToken(dst, r.Method)
	dst = append(dst, ' ')
	dst = appendURL(dst, r.URL)
	dst = append(dst, ' ')
	dst = appendVersion(dst, r.Version)
	dst = append(dst, "\r\n"...)
	return appendRest(dst, r.Header, r.Body)
}

// Append writes the response behind dst, in the way of Request.Append.
func (r *Response) Append(dst []byte) []byte {
	reason := r.Reason
	if reason == "" {
		reason = r.Status.Reason()
	}
	dst = appendVersion(dst, r.Version)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(dst, ' ')
	dst = appendValue(dst, reason)
	dst = append(dst, "\r\n"...)
	return appendRest(dst, r.Header, r.Body)
}

// appendRest writes the fields, the empty line and the body.
func appendRest(dst []byte, h Header, body []byte) []byte {
	sized := false
	for _, f := range h {
		switch {
		case strings.EqualFold(f.Name, "Content-Length"):
			if !sized {
				dst = appendLength(dst, body)
			}
			sized = true
		case f.Name != "":
			dst = appendToken(dst, f.Name)
			dst = append(dst, ": "...)
			dst = appendValue(dst, f.Value)
			dst = append(dst, "\r\n"...)
		}
	}
	if !sized && len(body) > 0 {
		dst = appendLength(dst, body)
	}
	dst = append(dst, "\r\n"...)
	return append(dst, body...)
}

func appendLength(dst, body []byte) []byte {
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	return append(dst, "\r\n"...)
}

// appendToken writes s with "_" in the place of what a token cannot contain.
func appendToken(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if !isToken(c) {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendURL writes s with spaces and control characters percent-encoded.
func appendURL(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// appendVersion writes s as one word.
func appendVersion(dst []byte, s string) []byte {
	if s == "" {
		s = Version10
	}
	return appendURL(dst, s)
}

// appendValue writes s with spaces in the place of control characters.
func appendValue(dst []byte, s string) []byte {
	for i := range len(s) {
		c := s[i]
		if isControl(c) {
			c = ' '
		}
		dst = append(dst, c)
	}
	return dst
}
