package wire

import "strings"

// A Field is one line of a header, without the line end.
type Field struct {
	Name, Value string
}

// A Header is the fields of a message in the order in which they were sent.
// Names are compared without regard to case (RFC 2326 section 4.2).
type Header []Field

// Get is the value of the first field of that name, "" if there is none.
func (h Header) Get(name string) string {
	if i := h.index(name); i >= 0 {
		return h[i].Value
	}
	return ""
}

// Has tells whether there is a field of that name.
func (h Header) Has(name string) bool { return h.index(name) >= 0 }

// Values are the values of all fields of that name, in order.
func (h Header) Values(name string) []string {
	var values []string
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// Set gives the first field of that name the value and removes the others; if
// there is none it is added at the end.
func (h *Header) Set(name, value string) {
	i := h.index(name)
	if i < 0 {
		h.Add(name, value)
		return
	}
	(*h)[i].Value = value
	rest := (*h)[i+1:]
	rest.Del(name)
	*h = (*h)[:i+1+len(rest)]
}

// Add puts a field at the end.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// Del removes all fields of that name.
func (h *Header) Del(name string) {
	kept := (*h)[:0]
	for _, f := range *h {
		if !strings.EqualFold(f.Name, name) {
			kept = append(kept, f)
		}
	}
	*h = kept
}

func (h Header) index(name string) int {
	for i, f := range h {
		if strings.EqualFold(f.Name, name) {
			return i
		}
	}
	return -1
}

// List takes a value apart at its commas, but for those between quotes (RFC
// 2326 appendix D.1, "#rule"). Elements are trimmed; empty ones are left out.
func List(value string) []string { return split(value, ',') }

// split cuts at sep outside of quotes, trims, and leaves empty parts out.
func split(value string, sep byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i <= len(value); i++ {
		switch {
		case i == len(value), value[i] == sep && !quoted:
			if part := trim(value[start:i]); part != "" {
				parts = append(parts, part)
			}
			start = i + 1
		case value[i] == '"':
			quoted = !quoted
		}
	}
	return parts
}

// trim removes spaces and tabs at both ends.
func trim(s string) string { return strings.Trim(s, " \t") }

// unquote removes the quotes around a value, if it has them.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}
