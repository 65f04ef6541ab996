package advert

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/miekg/dns"
)

func TestInstanceNames(t *testing.T) {
	for _, c := range []struct{ name, full string }{
		{"lenslet-0a1b2c", `lenslet-0a1b2c._rtsp._tcp.local.`},
		{"front door", `front\ door._rtsp._tcp.local.`},
		{"a.b", `a\.b._rtsp._tcp.local.`},
		{`a\b`, `a\\b._rtsp._tcp.local.`},
		{`a\.b`, `a\\\.b._rtsp._tcp.local.`},
		{`\065`, `\\065._rtsp._tcp.local.`},
		{`"x"; (y) @z $`, `\"x\"\;\ \(y\)\ \@z\ $._rtsp._tcp.local.`},
		{"é", `\195\169._rtsp._tcp.local.`},
		{"門", `\233\150\128._rtsp._tcp.local.`},
		{"é1", `\195\1691._rtsp._tcp.local.`},
		{"door (2)", `door\ \(2\)._rtsp._tcp.local.`},
		{strings.Repeat("x", 63), strings.Repeat("x", 63) + `._rtsp._tcp.local.`},
	} {
		full, err := instanceName(c.name)
		if err != nil || full != c.full {
			t.Errorf("instanceName(%q) = %q, %v; want %q", c.name, full, err, c.full)
		}
		if back := firstLabel(full); back != c.name {
			t.Errorf("firstLabel(%q) = %q, want %q", full, back, c.name)
		}
	}
	if full, err := instanceName(strings.Repeat("x", 64)); err == nil {
		t.Errorf("a label of 64 bytes became %q", full)
	}
}

func TestFirstLabelOfOddNames(t *testing.T) {
	for _, c := range []struct{ full, label string }{
		{"", ""},
		{".", ""},
		{"plain", "plain"},
		{`ends with\`, `ends with\`},
		{`\`, `\`},
		{`\1`, `1`},
		{`\12`, `12`},
		{`\999x.y`, `999x`},
		{`\065\066.y`, "AB"},
		{`a\.b.c`, "a.b"},
	} {
		if label := firstLabel(c.full); label != c.label {
			t.Errorf("firstLabel(%q) = %q, want %q", c.full, label, c.label)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"x", "front door", "a.b", `a\b`, "Küche №1", "門", strings.Repeat("é", 31), "a;b", " "} {
		if err := checkName(good); err != nil {
			t.Errorf("checkName(%q) = %v", good, err)
		}
	}
	for _, c := range []struct{ name, says string }{
		{"", "empty"},
		{strings.Repeat("x", 64), "64 bytes, at most 63"},
		{strings.Repeat("é", 32), "64 bytes, at most 63"},
		{"a\nb", "control character"},
		{"a\x00", "control character"},
		{"\x7f", "control character"},
		{"\xff", "not UTF-8"},
	} {
		if err := checkName(c.name); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("checkName(%q) = %v, want %q", c.name, err, c.says)
		}
	}
}

func TestCheckHost(t *testing.T) {
	for _, good := range []string{"x", "lenslet-0a1b2c", "RPi4", "1a", strings.Repeat("x", 63)} {
		if err := checkHost(good); err != nil {
			t.Errorf("checkHost(%q) = %v", good, err)
		}
	}
	for _, bad := range []string{"", "-x", "x-", "a.b", "a.local", "a b", "a_b", "é", `a\b`, strings.Repeat("x", 64)} {
		if err := checkHost(bad); err == nil || !strings.Contains(err.Error(), "host name") {
			t.Errorf("checkHost(%q) = %v, want an error", bad, err)
		}
	}
}

func TestNextName(t *testing.T) {
	long := strings.Repeat("x", 63)
	for _, c := range []struct{ name, next string }{
		{"door", "door (2)"},
		{"door (2)", "door (3)"},
		{"door (9)", "door (10)"},
		{"door (99)", "door (100)"},
		{"door (1)", "door (1) (2)"},
		{"door (0)", "door (0) (2)"},
		{"door (-5)", "door (-5) (2)"},
		{"door (x)", "door (x) (2)"},
		{"door(2)", "door(2) (2)"},
		{" (2)", " (2) (2)"},
		{"door (2) ", "door (2)  (2)"},
		{"door (999999999)", "door (999999999) (2)"},
		{"é", "é (2)"},
		{long, long[:59] + " (2)"},
		{long[:59] + " (9)", long[:58] + " (10)"},
		{strings.Repeat("é", 31), strings.Repeat("é", 29) + " (2)"},
		{strings.Repeat("門", 21), strings.Repeat("門", 19) + " (2)"},
	} {
		next := nextName(c.name)
		if next != c.next {
			t.Errorf("nextName(%q) = %q, want %q", c.name, next, c.next)
		}
		if err := checkName(next); err != nil {
			t.Errorf("nextName(%q): %v", c.name, err)
		}
	}
}

func TestSameName(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"_rtsp._tcp.local.", "_RTSP._tcp.Local.", true},
		{"a.", "b.", false},
		{`\195\169.`, `\195\137.`, false}, // é and É are different to DNS
	} {
		if same := sameName(c.a, c.b); same != c.same {
			t.Errorf("sameName(%q, %q) = %t", c.a, c.b, same)
		}
	}
}

// FuzzNames takes any bytes as a name through the wire format and back.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"x", "front door", `a.b\c`, `\065`, "é門", "\x00\xff", strings.Repeat("y", 63)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || len(name) > maxLabel {
			return
		}
		full, err := instanceName(name)
		if err != nil {
			t.Fatalf("instanceName(%q): %v", name, err)
		}
		if back := firstLabel(full); back != name {
			t.Fatalf("%q became %q and then %q", name, full, back)
		}
		if !isInstance(full) || dns.CountLabel(full) != 4 {
			t.Fatalf("%q: full name %q is not one of an instance", name, full)
		}
		if back := unescape(escape(name)); back != name {
			t.Fatalf("%q escaped and unescaped is %q", name, back)
		}
		if checkName(name) == nil && !utf8.ValidString(nextName(name)) {
			t.Fatalf("next name of %q is not UTF-8: %q", name, nextName(name))
		}
	})
}

// FuzzUnescape reads what others may have written.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{``, `\`, `\1`, `\12`, `\123`, `\999`, `a\.b.c`, `\\.`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if out := unescape(s); len(out) > len(s) {
			t.Fatalf("unescape(%q) grew to %q", s, out)
		}
		if out := firstLabel(s); len(out) > len(s) {
			t.Fatalf("firstLabel(%q) grew to %q", s, out)
		}
	})
}
