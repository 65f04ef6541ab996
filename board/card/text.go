package card

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An encoding is how an editor wrote a file.
type encoding int

const (
	plain  encoding = iota // UTF-8
	marked                 // UTF-8 behind a byte order mark
	utf16LE
	utf16BE
)

var errBinary = errors.New("is no text; right would be a file of a text editor, saved as UTF-8")

// decode makes text of a file: of UTF-8, with or without a byte order mark, or of
// UTF-16 with one. Line ends stay as they are.
func decode(b []byte) (text string, as encoding, err error) {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		text, as = string(b[3:]), marked
	case bytes.HasPrefix(b, []byte("\xff\xfe")) && len(b)%2 == 0:
		text, as = wide(b[2:], 0), utf16LE
	case bytes.HasPrefix(b, []byte("\xfe\xff")) && len(b)%2 == 0:
		text, as = wide(b[2:], 1), utf16BE
	default:
		text = string(b)
	}
	if strings.IndexByte(text, 0) >= 0 {
		return "", as, errBinary
	}
	return text, as, nil
}

// wide makes text of UTF-16 whose low byte is the one at low in each pair.
func wide(b []byte, low int) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i+low]) | uint16(b[2*i+1-low])<<8
	}
	return string(utf16.Decode(units))
}

// encode is the opposite of decode.
func (e encoding) encode(text string) []byte {
	switch e {
	case marked:
		return []byte("\xef\xbb\xbf" + text)
	case utf16LE, utf16BE:
		b := []byte("\xff\xfe")
		if e == utf16BE {
			b = []byte("\xfe\xff")
		}
		for _, u := range utf16.Encode([]rune(text)) {
			if e == utf16BE {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
		return b
	}
	return []byte(text)
}

// units is the length of a text in what the encoding counts.
func (e encoding) units(text string) int {
	if e == utf16LE || e == utf16BE {
		return len(utf16.Encode([]rune(text)))
	}
	return len(text)
}

// lines cuts a text at LF, CRLF or CR, without them. A line that is no UTF-8 is
// empty instead, and a mistake.
func (f *File) lines(text string) (lines []string) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	for i, line := range strings.Split(text, "\n") {
		if !utf8.ValidString(line) {
			f.Wrong(i+1, "has characters that are no UTF-8; right would be to save the file as UTF-8")
			line = ""
		}
		lines = append(lines, line)
	}
	return lines
}

// A Mistake is what an owner is to correct.
type Mistake struct {
	File   string // its name on the card
	Line   int    // from 1; 0: the file as a whole
	Reason string // one sentence, that shows no secret
}

// String is FILE, line N: REASON.
func (m Mistake) String() string {
	if m.Line == 0 {
		return m.File + ": " + m.Reason
	}
	return fmt.Sprintf("%s, line %d: %s", m.File, m.Line, m.Reason)
}
