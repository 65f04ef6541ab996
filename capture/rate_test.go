package capture

import (
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	tests := []struct {
		in       string
		want     Rate
		text     string
		float    float64
		interval time.Duration
	}{
		{"25", Rate{25, 1}, "25", 25, 40 * time.Millisecond},
		{"1", Rate{1, 1}, "1", 1, time.Second},
		{"1000", Rate{1000, 1}, "1000", 1000, time.Millisecond},
		{"30000/1001", Rate{30000, 1001}, "30000/1001", 30000.0 / 1001, 33366666},
		{"60/2", Rate{30, 1}, "30", 30, 33333333},
		{"1/5", Rate{1, 5}, "1/5", 0.2, 5 * time.Second},
		{"12.5", Rate{25, 2}, "25/2", 12.5, 80 * time.Millisecond},
		{"29.97", Rate{2997, 100}, "2997/100", 29.97, 33366700},
		{"0.001", Rate{1, 1000}, "1/1000", 0.001, 1000 * time.Second},
		{"16777216/16777215", Rate{1 << 24, 1<<24 - 1}, "16777216/16777215", float64(1<<24) / (1<<24 - 1), 999999940},
	}
	for _, tt := range tests {
		got, err := ParseRate(tt.in)
		if err != nil || got != tt.want {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", tt.in, got, err, tt.want)
			continue
		}
		if got.String() != tt.text || got.Float() != tt.float || got.Interval() != tt.interval {
			t.Errorf("%q: %q, %v, %v; want %q, %v, %v", tt.in, got.String(), got.Float(), got.Interval(), tt.text, tt.float, tt.interval)
		}
	}
}

func TestParseRateRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "0", "-25", "25 ", "fast", "25fps", "1001", "1001/1", "0/1", "25/0", "25/-1", "-25/-1", "/", "25/", "/25", "25/1/1",
		"0.0001", "-12.5", ".", "1e300.", "1000.5", "99999999999999999999", "99999999999999999999.0", "1/16777217", "NaN", "Inf", "2.5/1", "0x19",
	} {
		got, err := ParseRate(in)
		if err == nil {
			t.Errorf("ParseRate(%q) = %v", in, got)
		}
		if got != (Rate{}) {
			t.Errorf("ParseRate(%q) gives %v with its error", in, got)
		}
	}
}

func TestParseRateSaysWhatIsRight(t *testing.T) {
	_, err := ParseRate("fast")
	const want = `"fast" is not a frame rate; right would be 25 or 30000/1001`
	if err == nil || err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestUnknownRate(t *testing.T) {
	var r Rate
	if r.Float() != 0 || r.Interval() != 0 {
		t.Errorf("the zero Rate is %v/s, %v", r.Float(), r.Interval())
	}
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"25", "30000/1001", "12.5", "1/5", "0x1.8p3", "+25", "1000", "1e3.", ".5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRate(s)
		if err != nil {
			return
		}
		if r.Num <= 0 || r.Den <= 0 || r.Float() > 1000 || r.Interval() <= 0 || r != r.reduced() {
			t.Errorf("ParseRate(%q) = %#v", s, r)
		}
		if again, err := ParseRate(r.String()); err != nil || again != r {
			t.Errorf("%q becomes %q becomes %v, %v", s, r.String(), again, err)
		}
	})
}
