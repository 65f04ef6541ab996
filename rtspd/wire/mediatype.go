package wire

import "strings"

// ParseMediaType takes the value of Content-Type, or an element of Accept, apart:
// the type in lower case, and its parameters by their names in lower case (RFC
// 2326 12.16). What is no parameter is left out; package mime, which reads tables
// of types as well, would be a part of every program for this.
func ParseMediaType(value string) (name string, params map[string]string) {
	name, rest, _ := strings.Cut(value, ";")
	params = map[string]string{}
	for _, p := range split(rest, ';') {
		if key, v, ok := strings.Cut(p, "="); ok {
			params[strings.ToLower(trim(key))] = unquote(trim(v))
		}
	}
	return strings.ToLower(trim(name)), params
}
