package wire

import (
	"bytes"
	"errors"
	"fmt"
)

// Limits bound what Decode takes.
type Limits struct {
	Head int // bytes of start line and header; 0: 16 KiB
	Body int // bytes; 0: 64 KiB
}

const (
	defaultHead = 16 << 10
	defaultBody = 64 << 10
)

// A SyntaxError says what is wrong with a message and how to go on.
type SyntaxError struct {
	Status   Status // to answer with
	Text     string // what is wrong
	CSeq     string // of the message, as far as it could be read; "" if not
	Skip     int    // bytes to drop to go on; 0: answer, then close the connection
	Response bool   // it was a response: there is nothing to answer
}

// Error says what is wrong.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("wire: %s (%d)", e.Text, e.Status)
}

// Decode reads the first message in b and tells how many bytes it took, empty
// lines in front of it included. The error is ErrIncomplete when the message
// goes on behind b, or a *SyntaxError. What it says does not depend on how much
// of the following bytes is there already. Head and body are copied out of b;
// an Interleaved lies in it.
//
// Lines end with CRLF or LF. A CR elsewhere, and any other control character
// but a tab, is an error: in the first line one that ends the connection, since
// the peer does not speak RTSP.
func Decode(b []byte, lim Limits) (Message, int, error) {
	lim = lim.withDefaults()
	start := emptyLines(b)
	if start > lim.Head {
		return nil, 0, &SyntaxError{Status: BadRequest, Text: "too many empty lines"}
	}
	b = b[start:]
	if len(b) > 0 && b[0] == '$' {
		ch, payload, n, err := DecodeInterleaved(b)
		if err != nil {
			return nil, 0, err
		}
		return Interleaved{ch, payload}, start + n, nil
	}
	end, err := headEnd(b, lim.Head)
	if err != nil {
		return nil, 0, err
	}
	m, n, err := decodeMessage(b, end, lim.Body)
	if n > 0 {
		n += start
	}
	if e, ok := err.(*SyntaxError); ok && e.Skip > 0 {
		e.Skip += start
	}
	return m, n, err
}

func (l Limits) withDefaults() Limits {
	if l.Head <= 0 {
		l.Head = defaultHead
	}
	if l.Body <= 0 {
		l.Body = defaultBody
	}
	return l
}

// emptyLines counts the bytes of line ends that b begins with.
func emptyLines(b []byte) int {
	n := 0
	for n < len(b) && (b[n] == '\n' || b[n] == '\r') {
		n++
	}
	return n
}

// headEnd finds the end of the header, the empty line included.
func headEnd(b []byte, limit int) (int, error) {
	if err := checkFirstLine(b, limit); err != nil {
		return 0, err
	}
	for i, end := 0, 0; ; {
		line := bytes.IndexByte(b[i:], '\n')
		if line < 0 {
			break
		}
		i += line + 1
		switch rest := b[i:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			end = i + 1
		case bytes.HasPrefix(rest, []byte("\r\n")):
			end = i + 2
		}
		if end > limit || i > limit {
			break
		}
		if end > 0 {
			return end, nil
		}
	}
	if len(b) > limit {
		return 0, tooLong(b[:limit])
	}
	return 0, ErrIncomplete
}

// checkFirstLine refuses at once what can never become RTSP, such as the first
// message of TLS, and a line that does not end.
func checkFirstLine(b []byte, limit int) error {
	line := b[:min(len(b), limit)]
	end := bytes.IndexByte(line, '\n')
	if end >= 0 {
		line = line[:end]
	}
	switch {
	case hasControl(bytes.TrimSuffix(line, []byte{'\r'})):
		return &SyntaxError{Status: BadRequest, Text: "control character in the first line"}
	case end < 0 && len(b) >= limit:
		return &SyntaxError{Status: RequestURITooLong, Text: "the first line is too long"}
	}
	return nil
}

// tooLong is the error for a header that begins with b and does not end there.
func tooLong(b []byte) error {
	whole := b[:bytes.LastIndexByte(b, '\n')+1]
	first, header, _ := parseHead(string(whole))
	return &SyntaxError{
		Status: BadRequest, Text: fmt.Sprintf("header longer than %d bytes", len(b)),
		CSeq: header.Get("CSeq"), Response: isResponse(first),
	}
}

// decodeMessage reads the message whose header ends at end.
func decodeMessage(b []byte, end, maxBody int) (Message, int, error) {
	first, header, fault := parseHead(string(b[:end]))
	fail := func(status Status, text string, skip int) error {
		return &SyntaxError{
			Status: status, Text: text, Skip: skip,
			CSeq: header.Get("CSeq"), Response: isResponse(first),
		}
	}
	if errors.Is(fault, errManyFields) {
		return nil, 0, fail(BadRequest, fault.Error(), 0)
	}
	size, err := contentLength(header)
	switch {
	case err != nil:
		return nil, 0, fail(BadRequest, err.Error(), 0)
	case size > maxBody:
		return nil, 0, fail(RequestEntityTooLarge, fmt.Sprintf("body longer than %d bytes", maxBody), 0)
	case len(b) < end+size:
		return nil, 0, ErrIncomplete
	case fault != nil:
		return nil, 0, fail(BadRequest, fault.Error(), end+size)
	}
	m, err := parseFirstLine(first)
	if err != nil {
		return nil, 0, fail(BadRequest, err.Error(), end+size)
	}
	var body []byte
	if size > 0 {
		body = bytes.Clone(b[end : end+size])
	}
	switch m := m.(type) {
	case *Request:
		m.Header, m.Body = header, body
	case *Response:
		m.Header, m.Body = header, body
	}
	return m, end + size, nil
}
