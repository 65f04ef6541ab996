package wire

import (
	"errors"
	"strings"
)

// VersionHTTP is the version in the start line of HTTP (RFC 9112).
const VersionHTTP = "HTTP/1.1"

// DecodeHead reads the head of an HTTP/1 message that b begins with, and tells
// how many bytes it has, its empty line included: a *Request or a *Response
// without its body, which is the caller's to read. HTTP has its heads in the
// form of RTSP's. limit is how many bytes a head may have; 0: 16 KiB. The error
// is ErrIncomplete when the head goes on behind b, or a *SyntaxError, after
// which nobody knows where the next message begins.
func DecodeHead(b []byte, limit int) (Message, int, error) {
	end, err := headEnd(b, Limits{Head: limit}.withDefaults().Head)
	if err != nil {
		return nil, 0, err
	}
	first, header, fault := parseHead(string(b[:end]))
	var m Message
	if fault == nil {
		m, fault = parseHTTPLine(first)
	}
	if fault != nil {
		return nil, 0, &SyntaxError{Status: BadRequest, Text: fault.Error(), Response: strings.HasPrefix(first, "HTTP/")}
	}
	switch m := m.(type) {
	case *Request:
		m.Header = header
	case *Response:
		m.Header = header
	}
	return m, end, nil
}

// parseHTTPLine reads a request line or a status line.
func parseHTTPLine(line string) (Message, error) {
	if strings.HasPrefix(line, "HTTP/1.") {
		return parseStatusLine(line)
	}
	m, err := parseFirstLine(line)
	if r, ok := m.(*Request); err == nil && (!ok || !strings.HasPrefix(r.Version, "HTTP/1.")) {
		return nil, errors.New("the first line is not HTTP/1")
	}
	return m, err
}
