package tunnel

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// A Kind is what a connection carries.
type Kind int

// The kinds.
const (
	Undecided Kind = iota // more bytes will tell
	RTSP                  // not HTTP
	Get                   // an HTTP GET
	Post                  // an HTTP POST
	Upload                // an HTTP PUT or HEAD, which belongs to no tunnel
)

// MaxHead is the most bytes of a head, its empty line included.
const MaxHead = 8 << 10

// maxCookie is the most bytes of a cookie; QuickTime's have 22.
const maxCookie = 256

// ErrIncomplete says that the head is good as far as it goes.
var ErrIncomplete = errors.New("tunnel: head is incomplete")

// Sniff tells what the bytes begin that a connection begins with. RTSP has none
// of these methods; GET_PARAMETER is told from GET by the space.
func Sniff(b []byte) Kind {
	for _, k := range []struct {
		method string
		kind   Kind
	}{{"GET ", Get}, {"POST ", Post}, {"PUT ", Upload}, {"HEAD ", Upload}} {
		n := min(len(b), len(k.method))
		switch {
		case string(b[:n]) != k.method[:n]:
		case n == len(k.method):
			return k.kind
		default:
			return Undecided
		}
	}
	return RTSP
}

// A Head is what matters of the head of a request.
type Head struct {
	Kind   Kind   // Get or Post
	Path   string // as sent
	Cookie string // x-sessioncookie, 1 to 256 bytes
}

// ParseHead reads the head that b begins with, and tells how many bytes it has,
// its empty line included. The error is ErrIncomplete when it goes on behind b;
// another one when it is no head of a tunnel.
func ParseHead(b []byte) (Head, int, error) {
	n := end(b)
	switch {
	case n < 0 && len(b) > MaxHead, n > MaxHead:
		return Head{}, 0, fmt.Errorf("tunnel: the head is longer than %d bytes", MaxHead)
	case n < 0:
		return Head{}, 0, ErrIncomplete
	}
	lines := strings.Split(string(b[:n]), "\n")
	h, err := parseLine(strings.TrimSuffix(lines[0], "\r"))
	if err != nil {
		return Head{}, 0, err
	}
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\r"), ":")
		if !ok || !strings.EqualFold(name, "x-sessioncookie") {
			continue
		}
		if h.Cookie != "" {
			return Head{}, 0, errors.New("tunnel: two cookies")
		}
		h.Cookie = strings.Trim(value, " \t")
		if !visible(h.Cookie) || len(h.Cookie) > maxCookie {
			return Head{}, 0, fmt.Errorf("tunnel: the cookie is not of 1 to %d visible characters", maxCookie)
		}
	}
	if h.Cookie == "" {
		return Head{}, 0, errors.New("tunnel: no x-sessioncookie")
	}
	return h, n, nil
}

// end finds the end of the head; -1: it is not there.
func end(b []byte) int {
	for i := 0; ; {
		line := bytes.IndexByte(b[i:], '\n')
		if line < 0 {
			return -1
		}
		i += line + 1
		switch rest := b[i:]; {
		case bytes.HasPrefix(rest, []byte("\n")):
			return i + 1
		case bytes.HasPrefix(rest, []byte("\r\n")):
			return i + 2
		}
	}
}

// parseLine reads "GET /main HTTP/1.0".
func parseLine(line string) (Head, error) {
	words := strings.Split(line, " ")
	if len(words) != 3 || !visible(words[1]) || !strings.HasPrefix(words[2], "HTTP/1.") {
		return Head{}, fmt.Errorf("tunnel: %.60q is no request line of HTTP/1", line)
	}
	h := Head{Path: words[1], Kind: Sniff([]byte(line))}
	if h.Kind != Get && h.Kind != Post {
		return Head{}, fmt.Errorf("tunnel: %.20q is neither GET nor POST", words[0])
	}
	return h, nil
}

// visible tells whether s has characters, and no others than visible ASCII.
func visible(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}
