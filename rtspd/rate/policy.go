package rate

import (
	"fmt"
	"slices"
	"sort"
)

// A Policy says whom the codec follows.
type Policy int

// The policies.
const (
	Majority Policy = iota // the best rate that more than half of the viewers can take
	Slowest                // the viewer with the lowest rate
	Off                    // nobody: the rate stays as it is set
)

// ParsePolicy reads "majority", "slowest" or "off".
func ParsePolicy(s string) (Policy, error) {
	i := slices.Index([]string{"majority", "slowest", "off"}, s)
	if i < 0 {
		return 0, fmt.Errorf("adapt %q is not known; right would be majority, slowest or off", s)
	}
	return Policy(i), nil
}

// Choose is the codec's rate for viewers that can take the given rates, all in
// bit/s. It sorts rates.
func (p Policy) Choose(rates []int, b Bounds) int {
	if p == Off || len(rates) == 0 {
		return b.Max
	}
	sort.Slice(rates, func(i, j int) bool { return rates[i] < rates[j] })
	i := 0
	if p == Majority {
		i = (len(rates) - 1) / 2 // so many can take less
	}
	return b.fit(float64(rates[i]))
}

// Thin tells whether a viewer that can take a rate is to be sent less than the codec
// gives, when it was or was not until now. Both are in bit/s.
func Thin(was bool, rate, codec int) bool {
	if was {
		return rate < codec*9/10
	}
	return rate < codec*3/4
}
