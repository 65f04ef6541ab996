package capture

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Rate is a number of frames per second as a fraction, 30000/1001 for
// example. The zero Rate means unknown.
type Rate struct{ Num, Den int }

// ParseRate reads "25", "30000/1001" or "12.5". A rate lies above 0 and is at
// most 1000 frames per second.
func ParseRate(s string) (Rate, error) {
	num, den, fraction := strings.Cut(s, "/")
	r := Rate{Den: 1}
	var err error
	switch {
	case fraction:
		r.Num, err = strconv.Atoi(num)
		if err == nil {
			r.Den, err = strconv.Atoi(den)
		}
	case strings.Contains(s, "."):
		var f float64
		f, err = strconv.ParseFloat(s, 64)
		r = Rate{int(math.Round(min(f, 1e6) * 1000)), 1000} // what is too much fits an int
	default:
		r.Num, err = strconv.Atoi(s)
	}
	if err != nil || r.Num <= 0 || r.Den <= 0 || r.Num > 1<<24 || r.Den > 1<<24 || r.Float() > 1000 {
		return Rate{}, fmt.Errorf("%q is not a frame rate; right would be 25 or 30000/1001", s)
	}
	return r.reduced(), nil
}

func (r Rate) reduced() Rate {
	a, b := r.Num, r.Den
	for b != 0 {
		a, b = b, a%b
	}
	return Rate{r.Num / a, r.Den / a}
}

// String is the form that ParseRate reads.
func (r Rate) String() string {
	if r.Den == 1 {
		return strconv.Itoa(r.Num)
	}
	return fmt.Sprintf("%d/%d", r.Num, r.Den)
}

// Float is the rate in frames per second, 0 if unknown.
func (r Rate) Float() float64 {
	if r.Den == 0 {
		return 0
	}
	return float64(r.Num) / float64(r.Den)
}

// Interval is the time from a frame to the next, 0 if the rate is unknown.
func (r Rate) Interval() time.Duration {
	if r.Num == 0 {
		return 0
	}
	return time.Duration(int64(time.Second) * int64(r.Den) / int64(r.Num))
}
