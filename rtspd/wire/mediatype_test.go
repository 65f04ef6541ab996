package wire

import (
	"maps"
	"mime"
	"strings"
	"testing"
)

func TestParseMediaType(t *testing.T) {
	type params = map[string]string
	for value, want := range map[string]struct {
		name   string
		params params
	}{
		"application/sdp":                       {"application/sdp", params{}},
		" Application/SDP ":                     {"application/sdp", params{}},
		"application/sdp;q=0.5":                 {"application/sdp", params{"q": "0.5"}},
		"text/parameters ; Charset = \"utf-8\"": {"text/parameters", params{"charset": "utf-8"}},
		`a/b;c="d;e";f=g`:                       {"a/b", params{"c": "d;e", "f": "g"}},
		"a/b;c;;=d; e=":                         {"a/b", params{"": "d", "e": ""}},
		"":                                      {"", params{}},
		";q=1":                                  {"", params{"q": "1"}},
	} {
		if name, p := ParseMediaType(value); name != want.name || !maps.Equal(p, want.params) {
			t.Errorf("%q: %q %q, want %q %q", value, name, p, want.name, want.params)
		}
	}
}

// What package mime reads is read likewise, but for what a backslash or RFC 2231
// makes of a value.
func FuzzParseMediaType(f *testing.F) {
	for _, s := range []string{"application/sdp", "a/b;c=d", `A/B; c="d;e"; F=g`, "a/b;c", ";", "a/b;c=\"\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		name, params := ParseMediaType(value)
		want, wantParams, err := mime.ParseMediaType(value)
		if err != nil || strings.ContainsAny(value, "\\*%") || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		if name != want || !maps.Equal(params, wantParams) {
			t.Errorf("%q: %q %q, want %q %q", value, name, params, want, wantParams)
		}
	})
}
