package wire

import (
	"reflect"
	"strings"
	"testing"
)

func TestAddrs(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []Addr
		out  string // "": as in
	}{
		{`":5000"`, []Addr{{Port: 5000}}, ""},
		{`"192.0.2.5:5000"/"192.0.2.5:5001"`, []Addr{{"192.0.2.5", 5000}, {"192.0.2.5", 5001}}, ""},
		{`"[2001:db8::1]:5000"/":5001"`, []Addr{{"2001:db8::1", 5000}, {Port: 5001}}, ""},
		{`"[2001:DB8:0:0::1]"`, []Addr{{"2001:db8::1", 0}}, `"[2001:db8::1]"`},
		{`"[::ffff:192.0.2.5]:1"`, []Addr{{"::ffff:192.0.2.5", 1}}, ""},
		{`"camera-1.example.com:65535"`, []Addr{{"camera-1.example.com", 65535}}, ""},
		{`"192.0.2.5:"`, []Addr{{"192.0.2.5", 0}}, `"192.0.2.5"`},
		{`"239.1.2.3"`, []Addr{{"239.1.2.3", 0}}, ""},
		{` ":5000" / ":5001" `, []Addr{{Port: 5000}, {Port: 5001}}, `":5000"/":5001"`},
		{`:5000/:5001`, []Addr{{Port: 5000}, {Port: 5001}}, `":5000"/":5001"`},
	} {
		got, err := parseAddrs(test.in)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v, want %+v", test.in, got, err, test.want)
			continue
		}
		if test.out == "" {
			test.out = test.in
		}
		if out := formatAddrs(got); out != test.out {
			t.Errorf("%s: wrote %s", test.in, out)
		}
	}
}

func TestAddrsRefuses(t *testing.T) {
	for _, in := range []string{
		"", `""`, `":"`, `":0"`, `":65536"`, `":-1"`, `":x"`, `"a:b:1"`, `"2001:db8::1"`, `"[2001:db8::1"`, `"2001:db8::1]:5"`,
		`"[192.0.2.1]:5"`, `"[fe80::1%eth0]:5"`, `"[]"`, `"[::1]5"`, `"a b:1"`, `"ä:1"`, `":1"x`, `"a;b:1"`,
		`":1"/"":2`, strings.Repeat(`":1"/`, maxAddrs+1),
	} {
		if got, err := parseAddrs(in); err == nil {
			t.Errorf("%s: %+v", in, got)
		}
	}
}

func FuzzParseAddrs(f *testing.F) {
	for _, seed := range []string{
		`":5000"/":5001"`, `"192.0.2.5:5000"`, `"[2001:db8::1]:5000"/"[2001:db8::1]"`, `host.example:9`, `"[::ffff:1.2.3.4]:1"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		got, err := parseAddrs(v)
		if err != nil {
			return
		}
		again, err := parseAddrs(formatAddrs(got))
		if err != nil || !reflect.DeepEqual(got, again) || hasControl(formatAddrs(got)) {
			t.Fatalf("%q\nwrote %q, error %v\ngot  %+v\nwant %+v", v, formatAddrs(got), err, again, got)
		}
	})
}
