package rate

import (
	"testing"
)

func TestChoose(t *testing.T) {
	b := Bounds{200, 6000}
	for _, test := range []struct {
		name              string
		rates             []int
		majority, slowest int
	}{
		{"nobody", nil, 6000, 6000},
		{"one", []int{1700}, 1700, 1700},
		{"one who can take nothing", []int{0}, 200, 200},
		{"two", []int{6000, 1700}, 1700, 1700},
		{"one of three is slow", []int{6000, 1700, 6000}, 6000, 1700},
		{"two of three are slow", []int{1500, 6000, 1700}, 1700, 1500},
		{"two of four are slow", []int{1500, 6000, 1700, 6000}, 1700, 1500},
		{"two of five are slow", []int{1500, 6000, 1700, 6000, 5000}, 5000, 1500},
		{"all can take more than is set", []int{9000, 9000}, 6000, 6000},
	} {
		for policy, want := range map[Policy]int{Majority: test.majority, Slowest: test.slowest, Off: 6000} {
			if got := policy.Choose(append([]int(nil), test.rates...), b); got != want {
				t.Errorf("%s, policy %d: %d, want %d", test.name, policy, got, want)
			}
		}
	}
}

func TestThin(t *testing.T) {
	for _, test := range []struct {
		was   bool
		rate  int
		thins bool
	}{
		{false, 6000, false}, {false, 4500, false}, {false, 4499, true}, {true, 4500, true}, {true, 5399, true}, {true, 5400, false},
	} {
		if got := Thin(test.was, test.rate, 6000); got != test.thins {
			t.Errorf("%+v", test)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	for s, want := range map[string]Policy{"majority": Majority, "slowest": Slowest, "off": Off} {
		if got, err := ParsePolicy(s); got != want || err != nil {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "Off", "fastest"} {
		if _, err := ParsePolicy(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}
