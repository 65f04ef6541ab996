package auth

import (
	"errors"
	"strings"
)

// A param is one name=value of a challenge or of credentials.
type param struct {
	name, value string
	bare        bool // written without quotes
}

// A section is one challenge, or the credentials, as they are written.
type section struct {
	scheme string
	params []param
	token  string // what Basic has in the place of params
}

// get is the value of a parameter, whose name is in lower case. The first one
// counts.
func (s *section) get(name string) string {
	for _, p := range s.params {
		if strings.EqualFold(p.name, name) {
			return p.value
		}
	}
	return ""
}

// twice finds a parameter that is there twice: two readers may take different
// ones for the right one.
func (s *section) twice() bool {
	for i, p := range s.params {
		for _, q := range s.params[:i] {
			if strings.EqualFold(p.name, q.name) {
				return true
			}
		}
	}
	return false
}

var errSyntax = errors.New("the authentication header cannot be read")

// parse takes a value apart into its challenges (RFC 9110 section 11.6.1).
// Commas part both parameters and challenges; a word that no = follows begins
// a challenge.
func parse(v string) ([]section, error) {
	var all []section
	for {
		v = strings.TrimLeft(v, " \t,")
		if v == "" {
			break
		}
		word, rest := cutToken(v)
		if word == "" {
			return nil, errSyntax
		}
		after := strings.TrimLeft(rest, " \t")
		if !strings.HasPrefix(after, "=") {
			s := section{scheme: word}
			s.token, v = cutToken68(after)
			all = append(all, s)
			continue
		}
		value, bare, rest, ok := cutValue(strings.TrimLeft(after[1:], " \t"))
		if !ok || len(all) == 0 {
			return nil, errSyntax
		}
		last := &all[len(all)-1]
		last.params = append(last.params, param{word, value, bare})
		v = rest
	}
	if all == nil {
		return nil, errSyntax
	}
	return all, nil
}

// cutToken takes a token off.
func cutToken(s string) (token, rest string) {
	n := 0
	for n < len(s) && isToken(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

// cutToken68 takes off what may stand in the place of parameters: one word
// that is the last, or has a comma behind it, and is no name=value.
func cutToken68(s string) (token, rest string) {
	n := 0
	for n < len(s) && (isToken(s[n]) || s[n] == '/') {
		n++
	}
	for n > 0 && n < len(s) && s[n] == '=' {
		n++
	}
	if next := strings.TrimLeft(s[n:], " \t"); next == "" || next[0] == ',' {
		return s[:n], next
	}
	return "", s
}

// cutValue takes a token or a quoted string off. Some clients do not quote
// what they should, so anything but a comma and a space is taken.
func cutValue(s string) (value string, bare bool, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		n := strings.IndexAny(s, ", \t")
		if n < 0 {
			n = len(s)
		}
		return s[:n], true, s[n:], !strings.Contains(s[:n], `"`)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), false, s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false, "", false
}

// isToken tells a character of a token (RFC 9110 section 5.6.2).
func isToken(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// String writes the challenge or the credentials.
func (s *section) String() string {
	var b strings.Builder
	b.WriteString(s.scheme)
	if s.token != "" {
		b.WriteByte(' ')
		b.WriteString(s.token)
		return b.String()
	}
	sep := " "
	for _, p := range s.params {
		b.WriteString(sep)
		b.WriteString(p.name)
		b.WriteByte('=')
		if p.bare {
			b.WriteString(p.value)
		} else {
			b.WriteString(quote(p.value))
		}
		sep = ", "
	}
	return b.String()
}

// quote writes a quoted string; control characters become spaces, so that no
// value ends the line.
func quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c == 0x7f:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
