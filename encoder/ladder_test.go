package encoder

import (
	"slices"
	"testing"
	"time"
)

func TestRungAt(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		silence, interval time.Duration
		want              rung
	}{
		{0, 40 * ms, fine},
		{-time.Second, 40 * ms, fine},
		{499 * ms, 40 * ms, fine},
		{500 * ms, 40 * ms, keyFrame},
		{999 * ms, 0, keyFrame},
		{1000 * ms, 0, restart},
		{1999 * ms, 33 * ms, restart},
		{2000 * ms, 33 * ms, reopenCodec},
		{3000 * ms, 33 * ms, reopenCamera},
		{9999 * ms, 33 * ms, reopenCamera},
		{10000 * ms, 33 * ms, giveUp},
		{599 * ms, 200 * ms, fine},
		{600 * ms, 200 * ms, keyFrame},
		{2999 * ms, time.Second, fine}, // a picture each second
		{3 * time.Second, time.Second, keyFrame},
		{6 * time.Second, time.Second, restart},
		{12 * time.Second, time.Second, reopenCodec},
		{18 * time.Second, time.Second, reopenCamera},
		{59 * time.Second, time.Second, reopenCamera},
		{60 * time.Second, time.Second, giveUp},
		{29 * time.Second, 10 * time.Second, fine},
	} {
		if got := rungAt(c.silence, c.interval); got != c.want {
			t.Errorf("%v without a picture, which come every %v: %d, want %d", c.silence, c.interval, got, c.want)
		}
	}
}

// The supervisor is called for by a silence in which no device was waited for.
func TestHopeless(t *testing.T) {
	const ms = time.Millisecond
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		silence, waited, interval time.Duration
		want                      bool
	}{
		{9999 * ms, time.Hour, 40 * ms, false},
		{10000 * ms, time.Hour, 40 * ms, true},
		{time.Hour, 100 * ms, 40 * ms, false}, // a device that was away came back
		{time.Hour, 9999 * ms, 40 * ms, false},
		{time.Hour, 10000 * ms, 40 * ms, true},
		{59 * time.Second, time.Hour, time.Second, false},
		{60 * time.Second, time.Hour, time.Second, true},
		{19 * time.Minute, time.Hour, 20 * time.Second, false},
	} {
		tr := trouble{waited: now.Add(-c.waited)}
		if got := tr.hopeless(condition{now: now, silence: c.silence, interval: c.interval}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if never := (trouble{}); !never.hopeless(condition{now: now, silence: time.Hour}) {
		t.Error("a stream that waited for nothing may stand still for ever")
	}
}

// Whatever silence a look finds, the next ones find the first rung when it is due,
// and are few until then.
func TestLooksAreInTime(t *testing.T) {
	const ms = time.Millisecond
	for _, interval := range []time.Duration{0, 33 * ms, 166 * ms, time.Second, 10 * time.Second} {
		due := silenceUnit(interval)
		for silence := time.Duration(0); silence < due; silence += 7 * ms {
			looks, at := 0, silence
			for rungAt(at, interval) == fine {
				at += lookAfter(at, interval)
				looks++
			}
			if at != due || looks > int((due-silence)/calmEvery)+1 {
				t.Fatalf("a picture every %v, none for %v: seen after %v by %d looks", interval, silence, at, looks)
			}
		}
		if got := lookAfter(-time.Second, interval); got != watchEvery {
			t.Errorf("before the first picture: %v", got)
		}
	}
}

// climbed plays 20 s of a stream that stands still, in steps of 50 ms, and tells
// what was done when, in ms. change adapts the condition; started is what came of
// a rung.
func climbed(change func(ms int, c *condition), started bool) (what []rung, when []int) {
	var tr trouble
	zero := time.Unix(0, 0)
	for ms := 0; ms < 20_000; ms += 50 {
		at := time.Duration(ms) * time.Millisecond
		c := condition{now: zero.Add(at), silence: at, interval: 40 * time.Millisecond}
		change(ms, &c)
		if r := tr.step(c); r > fine {
			what, when = append(what, r), append(when, ms)
			tr.done(r, c, 0, started)
		}
	}
	return what, when
}

func TestLadderIsClimbedInOrder(t *testing.T) {
	what, when := climbed(func(int, *condition) {}, true)
	if !slices.Equal(what[:4], []rung{keyFrame, restart, reopenCodec, reopenCamera}) || !slices.Equal(when[:4], []int{500, 1000, 2000, 3000}) {
		t.Errorf("%v at %v", what, when)
	}
	// then ever later, for a camera that is slow to begin
	if !slices.Equal(when[4:], []int{4000, 6000, 10000, 14000, 18000}) || what[8] != reopenCamera {
		t.Errorf("tried again at %v", when[4:])
	}
}

func TestLadderBeginsWhereAFailureIsMended(t *testing.T) {
	failed := func(r rung) func(int, *condition) {
		return func(_ int, c *condition) { c.failed, c.silence = r, 0 }
	}
	for _, r := range []rung{reopenCodec, reopenCamera} {
		what, when := climbed(failed(r), true)
		if what[0] != r || when[0] != 0 || len(what) > 22 {
			t.Errorf("%d: %v at %v", r, what, when)
		}
	}
	what, when := climbed(func(_ int, c *condition) { c.halted = true }, false)
	if what[0] != restart || len(what) < 19 || len(what) > 22 || what[10] != reopenCamera {
		t.Errorf("what refuses to start: %v at %v", what, when)
	}
}

func TestLadderLooksForWhatIsAway(t *testing.T) {
	what, when := climbed(func(_ int, c *condition) { c.halted, c.absent = true, true }, false)
	for i, r := range what {
		if r != restart || i > 0 && when[i]-when[i-1] != 100 {
			t.Fatalf("%d at %d ms", r, when[i])
		}
	}
	if len(what) != 200 {
		t.Errorf("looked %d times in 20 s", len(what))
	}
}

// TestLadderIsToldThatADeviceCame: what is missing is looked for at once, and
// nothing else is hurried.
func TestLadderIsToldThatADeviceCame(t *testing.T) {
	now := time.Unix(0, 0)
	for _, absent := range []bool{true, false} {
		var tr trouble
		c := condition{now: now, interval: 40 * time.Millisecond, halted: true, absent: absent}
		tr.done(restart, c, 0, false)
		if r := tr.step(c); r != fine {
			t.Errorf("absent %v: %d at once", absent, r)
		}
		tr.look()
		if r := tr.step(c); (r == restart) != absent {
			t.Errorf("absent %v: %d when a device came", absent, r)
		}
	}
}
