package capture

import (
	"math"
	"math/big"

	"lenslet/capture/v4l2"
)

// Drivers round: 30000/1001 counts as 30, and 29.97 as 30000/1001.
const rateTolerance = 0.0015

// rate is the offered rate that fits the wish best at a size: the lowest one not
// below it, else the highest.
func (o offer) rate(w, h int, wish Rate) (Rate, int) {
	var ranges []v4l2.IntervalRange
	if o.intervals != nil {
		ranges = o.intervals(w, h)
	}
	var best Rate
	for _, r := range ranges {
		if got := rateIn(r, wish); got.Num > 0 && (best.Num == 0 || fitsBetter(got, best, wish)) {
			best = got
		}
	}
	switch {
	case best.Num == 0:
		return wish, untold
	case reaches(best, wish):
		return best, reached
	}
	return best, missed
}

func reaches(r, wish Rate) bool { return r.Float() >= wish.Float()*(1-rateTolerance) }

func fitsBetter(a, b, wish Rate) bool {
	switch enough := reaches(a, wish); {
	case enough != reaches(b, wish):
		return enough
	case enough:
		return math.Abs(a.Float()-wish.Float()) < math.Abs(b.Float()-wish.Float())
	}
	return a.Float() > b.Float()
}

// rateIn is the rate of a range that is nearest to the wish and, where it can,
// not below it. It is zero for a range that makes no sense.
func rateIn(r v4l2.IntervalRange, wish Rate) Rate {
	if r.Min.Num == 0 || r.Min.Den == 0 || r.Max.Num == 0 || r.Max.Den == 0 {
		return Rate{}
	}
	least, most, want := ratOf(r.Min), ratOf(r.Max), big.NewRat(int64(wish.Den), int64(wish.Num))
	switch {
	case want.Cmp(least) <= 0:
		return rateOf(least)
	case want.Cmp(most) >= 0:
		return rateOf(most)
	case r.Step.Den == 0 || r.Step.Num == 0 || r.Step.Num >= r.Step.Den:
		// every interval: drivers write a step of 1/1 s for it, or of 0
		return wish.reduced()
	}
	step := ratOf(r.Step)
	steps := new(big.Rat).Quo(new(big.Rat).Sub(want, least), step)
	whole := new(big.Rat).SetInt(new(big.Int).Quo(steps.Num(), steps.Denom()))
	return rateOf(least.Add(least, whole.Mul(whole, step)))
}

func ratOf(f v4l2.Fraction) *big.Rat { return big.NewRat(int64(f.Num), int64(f.Den)) }

// rateOf turns an interval in seconds into a rate. One that needs larger numbers
// than a Rate takes is rounded to a thousandth.
func rateOf(interval *big.Rat) Rate {
	num, den := interval.Denom(), interval.Num()
	const most = 1 << 24
	if num.IsInt64() && den.IsInt64() && num.Int64() <= most && den.Int64() <= most {
		return Rate{int(num.Int64()), int(den.Int64())}
	}
	f, _ := new(big.Rat).Inv(interval).Float64()
	if f = math.Round(f * 1000); f < 1 || f > most {
		return Rate{}
	}
	return Rate{int(f), 1000}.reduced()
}

// rateFrom turns what a driver told into a rate, zero if it told nothing.
func rateFrom(f v4l2.Fraction) Rate {
	if f.Num == 0 || f.Den == 0 {
		return Rate{}
	}
	return rateOf(ratOf(f))
}

// interval is the time per frame as V4L2 wants it.
func (r Rate) interval() v4l2.Fraction {
	return v4l2.Fraction{Num: uint32(r.Den), Den: uint32(r.Num)}
}
