package wire

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const responsePrefix = "RTSP/"

// isResponse tells from its first line what kind of message it is.
func isResponse(first string) bool {
	return len(first) >= len(responsePrefix) && strings.EqualFold(first[:len(responsePrefix)], responsePrefix)
}

// maxFields is the number of lines that a header may have.
const maxFields = 256

var errManyFields = fmt.Errorf("more than %d header lines", maxFields)

// parseHead takes the lines of a head apart. The fault is the first thing wrong
// with a field; the fields that are good are there all the same, so that the
// message can be answered and skipped. After errManyFields the rest is missing.
func parseHead(head string) (first string, h Header, fault error) {
	first, rest := cutLine(head)
	lines := strings.Count(rest, "\n")
	h = make(Header, 0, min(lines, maxFields))
	for n := 0; rest != ""; n++ {
		if n > maxFields {
			return first, h, errManyFields
		}
		var line string
		line, rest = cutLine(rest)
		if line == "" {
			continue
		}
		if err := h.addLine(line); err != nil && fault == nil {
			fault = err
		}
	}
	return first, h, fault
}

// cutLine takes the first line off, without its line end.
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// addLine adds a field, or joins a folded line to the last one (RFC 2326
// section 15.1, LWS).
func (h *Header) addLine(line string) error {
	if hasControl(line) {
		return errors.New("control character in the header")
	}
	if line[0] == ' ' || line[0] == '\t' {
		return h.fold(trim(line))
	}
	name, value, ok := strings.Cut(line, ":")
	name = strings.TrimRight(name, " \t")
	if !ok || !all(name, isToken) {
		return errors.New("header line without a name")
	}
	h.Add(name, trim(value))
	return nil
}

func (h *Header) fold(text string) error {
	if len(*h) == 0 {
		return errors.New("header begins with a continuation line")
	}
	last := &(*h)[len(*h)-1]
	last.Value = trim(last.Value + " " + text)
	return nil
}

// contentLength is the size of the body, 0 if the header does not say. Sizes
// that differ are an error, since nobody can know where the message ends.
func contentLength(h Header) (int, error) {
	size, known := 0, false
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Content-Length") {
			continue
		}
		n, err := parseLength(f.Value)
		if err != nil {
			return 0, err
		}
		if known && n != size {
			return 0, errors.New("two different values of Content-Length")
		}
		size, known = n, true
	}
	return size, nil
}

// parseLength reads digits only. What does not fit is as large as can be.
func parseLength(s string) (int, error) {
	if !all(s, isDigit) {
		return 0, fmt.Errorf("Content-Length is not a number: %.20q", s)
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return math.MaxInt32, nil
	}
	return int(n), nil
}

// parseFirstLine reads a request line or a status line.
func parseFirstLine(line string) (Message, error) {
	if isResponse(line) {
		return parseStatusLine(line)
	}
	words := strings.FieldsFunc(line, isSpace)
	switch {
	case len(words) != 3:
		return nil, errors.New("the first line is not a method, a URL and a version")
	case !all(words[0], isToken), words[0][0] == '$': // which begins a frame
		return nil, fmt.Errorf("%.20q is no method", words[0])
	case !isVersion(words[2]):
		return nil, fmt.Errorf("%.20q is no version", words[2])
	}
	return &Request{Method: words[0], URL: words[1], Version: words[2]}, nil
}

func isSpace(c rune) bool { return c == ' ' || c == '\t' }

func parseStatusLine(line string) (Message, error) {
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if !isVersion(version) || len(code) != 3 || !all(code, isDigit) || code[0] == '0' {
		return nil, errors.New("the first line is not a version and a status")
	}
	n, err := strconv.Atoi(code)
	return &Response{Version: version, Status: Status(n), Reason: trim(reason)}, err
}

// isVersion tells whether s has the form of a version: "RTSP/1.0".
func isVersion(s string) bool {
	name, number, _ := strings.Cut(s, "/")
	major, minor, _ := strings.Cut(number, ".")
	return all(name, isToken) && all(major, isDigit) && all(minor, isDigit)
}
