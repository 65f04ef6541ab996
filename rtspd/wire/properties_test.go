package wire

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestProperties(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []Param
		out  string
	}{
		{"", nil, ""},
		{"No-Seeking, Time-Progressing, Time-Duration=0.0",
			[]Param{{"No-Seeking", ""}, {"Time-Progressing", ""}, {"Time-Duration", "0.0"}}, "No-Seeking, Time-Progressing, Time-Duration=0.0"},
		{`Random-Access = 2.5,Immutable ,, Unlimited,Scales="-20, -10, 0.5:1.5"`,
			[]Param{{"Random-Access", "2.5"}, {"Immutable", ""}, {"Unlimited", ""}, {"Scales", `"-20, -10, 0.5:1.5"`}},
			`Random-Access=2.5, Immutable, Unlimited, Scales="-20, -10, 0.5:1.5"`},
	} {
		got, err := ParseProperties(test.in)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, %v, want %+v", test.in, got, err, test.want)
		}
		if out := FormatProperties(got); out != test.out {
			t.Errorf("%q: wrote %q", test.in, out)
		}
	}
	for _, in := range []string{"=1", "a b", "a/b=1", "a=\x01", strings.Repeat("a,", maxElements+1)} {
		if got, err := ParseProperties(in); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func TestRanges(t *testing.T) {
	at := time.Date(2026, 11, 22, 19, 44, 3, 250e6, time.UTC)
	from := func(d time.Duration) Instant { return Instant{Set: true, NPT: d} }
	for _, test := range []struct {
		in   string
		want []Range
		out  string
	}{
		{" ", nil, ""},
		{"npt=1256-,clock=20261122T194403.25Z-", []Range{{Unit: "npt", Start: from(1256 * time.Second)},
			{Unit: "clock", Start: Instant{Set: true, Clock: at}}}, "npt=1256-, clock=20261122T194403.25Z-"},
		{"npt=0-10, npt=20-30.5", []Range{{Unit: "npt", Start: from(0), End: from(10 * time.Second)},
			{Unit: "npt", Start: from(20 * time.Second), End: from(30500 * time.Millisecond)}}, "npt=0-10, npt=20-30.5"},
	} {
		got, err := ParseRanges(test.in)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %+v, %v, want %+v", test.in, got, err, test.want)
		}
		if out := FormatRanges(got); out != test.out {
			t.Errorf("%q: wrote %q", test.in, out)
		}
	}
	for _, in := range []string{"npt", "npt=0-,x", "npt=0-, now-", strings.Repeat("npt=0-,", maxElements+1)} {
		if got, err := ParseRanges(in); err == nil {
			t.Errorf("%q: %+v", in, got)
		}
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add("No-Seeking, Time-Progressing, Time-Duration=0.0")
	f.Add(`Random-Access=2.5,,Scales="1, 2"`)
	f.Fuzz(func(t *testing.T, v string) {
		got, err := ParseProperties(v)
		if err != nil || strings.Count(v, `"`)%2 != 0 { // an open quote takes in what follows
			return
		}
		again, err := ParseProperties(FormatProperties(got))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q\nwrote %q, error %v\ngot  %+v\nwant %+v", v, FormatProperties(got), err, again, got)
		}
	})
}

func FuzzParseRanges(f *testing.F) {
	f.Add("npt=1256-, clock=20261122T194403.25Z-")
	f.Add("npt=0-10,,npt=20-30.5;time=20261122T194403Z")
	f.Fuzz(func(t *testing.T, v string) {
		got, err := ParseRanges(v)
		if err != nil {
			return
		}
		again, err := ParseRanges(FormatRanges(got))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q\nwrote %q, error %v\ngot  %+v\nwant %+v", v, FormatRanges(got), err, again, got)
		}
	})
}
