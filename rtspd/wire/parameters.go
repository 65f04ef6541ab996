package wire

import (
	"fmt"
	"strings"
)

// A Parameter is one line of a text/parameters body: a name with a value, or
// the bare name that GET_PARAMETER asks for (RFC 2326 sections 10.8 and 10.9).
type Parameter struct {
	Name  string // no spaces, no colon
	Value string // "" for a bare name
}

// ParseParameters reads "name: value" and "name" lines, which end with CRLF or
// LF. Empty lines are passed over. The error names the first bad line.
func ParseParameters(body []byte) ([]Parameter, error) {
	var ps []Parameter
	for n, rest := 1, string(body); rest != ""; n++ {
		var line string
		line, rest = cutLine(rest)
		if trim(line) == "" {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		p := Parameter{trim(name), trim(value)}
		if hasControl(line) || !all(p.Name, isParameterName) {
			return nil, fmt.Errorf("line %d: %.40q is not a parameter", n, line)
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// AppendParameters writes a text/parameters body behind dst, bare names where
// the value is empty. Characters that would end a name or a line are replaced.
func AppendParameters(dst []byte, ps []Parameter) []byte {
	for _, p := range ps {
		for i := range len(p.Name) {
			c := p.Name[i]
			if !isParameterName(c) {
				c = '_'
			}
			dst = append(dst, c)
		}
		if p.Value != "" {
			dst = append(dst, ": "...)
			dst = appendValue(dst, p.Value)
		}
		dst = append(dst, "\r\n"...)
	}
	return dst
}

func isParameterName(c byte) bool { return c > ' ' && c != 0x7f && c != ':' }
