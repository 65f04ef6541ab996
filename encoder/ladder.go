package encoder

import (
	"fmt"
	"time"
)

// A rung is a step against a stream that stands still, from the gentlest to the
// last.
type rung int

const (
	fine         rung = iota
	keyFrame          // ask for a key frame
	restart           // stop and start the queues of codec and source
	reopenCodec       // close and open the codec
	reopenCamera      // the camera too
	giveUp            // the supervisor of the service restarts it
	rungs
)

// String says in words what the rung does.
func (r rung) String() string {
	return [...]string{"", "a key frame is asked for", "the queues are restarted", "the encoder is opened anew",
		"camera and encoder are opened anew", "the watchdog is not fed"}[r]
}

// The shortest silence that is a fault, and the number of frame intervals that
// it must last too: a slow camera is not ill.
const (
	shortestSilence = 500 * time.Millisecond
	missedFrames    = 3
)

// silenceUnit is the silence that the first rung waits for; the others wait for
// multiples of it.
func silenceUnit(interval time.Duration) time.Duration {
	return max(shortestSilence, missedFrames*interval)
}

// rungAt is the rung for a silence of a stream with the given time from frame
// to frame: at 10 frames per second and more the rungs lie at 0.5, 1, 2, 3 and
// 10 s.
func rungAt(silence, interval time.Duration) rung {
	unit := silenceUnit(interval)
	switch {
	case silence < unit:
		return fine
	case silence < 2*unit:
		return keyFrame
	case silence < 4*unit:
		return restart
	case silence < 6*unit:
		return reopenCodec
	case silence < 20*unit:
		return reopenCamera
	}
	return giveUp
}

// The time between two looks at the flow of units: while it begins or something is
// wrong, and at most while all is well.
const (
	watchEvery = 50 * time.Millisecond
	calmEvery  = 250 * time.Millisecond
)

// lookAfter is the time to the next look after one that found nothing wrong, so
// that the first rung is taken when it is due. A negative silence is one that has
// not begun.
func lookAfter(silence, interval time.Duration) time.Duration {
	if silence < 0 {
		return watchEvery
	}
	return min(calmEvery, silenceUnit(interval)-silence)
}

// A trouble is what the ladder remembers from the first rung to the next
// picture. The zero value is none.
type trouble struct {
	at     rung      // reached
	gaveUp bool      // the last rung was noted
	absent bool      // a device is not there
	acted  time.Time // when the last step ended
	next   time.Time // when the next one may follow
	tries  int       // of the last rung but one
	waited time.Time // when the stream last waited for a device, and nothing was wrong but that
}

// A condition is what the ladder decides by.
type condition struct {
	now      time.Time
	silence  time.Duration
	interval time.Duration // from frame to frame
	failed   rung          // that mends a failure reported by a device; fine: none
	halted   bool          // nothing runs
	absent   bool          // a device is not there: it is looked for, and nothing else helps
}

// step tells what to do now; fine: nothing.
func (t *trouble) step(c condition) rung {
	want := min(rungAt(c.silence, c.interval), reopenCamera)
	if c.halted {
		want = max(want, restart)
	}
	switch {
	case c.failed > t.at:
		return c.failed
	case c.now.Before(t.next):
		return fine
	case c.absent || c.halted && t.justCame(c.now):
		return restart
	case want > t.at:
		return want
	case t.at == reopenCamera || t.at >= restart && (c.halted || c.failed > fine):
		return t.at
	}
	return fine
}

// hopeless tells whether the stream stands still for so long that only the
// supervisor of the service is left. The time in which it waited for a device does
// not count.
func (t *trouble) hopeless(c condition) bool {
	return rungAt(min(c.silence, c.now.Sub(t.waited)), c.interval) == giveUp
}

// look lets a device that is not there be looked for at once.
func (t *trouble) look() {
	if t.absent {
		t.next = time.Time{}
	}
}

// justCame tells whether a device came back so lately that it may refuse still, as
// cameras do that are plugged in.
func (t *trouble) justCame(now time.Time) bool { return now.Sub(t.waited) < 2*time.Second }

// The times between two tries.
const (
	lookEvery  = 100 * time.Millisecond // of a device that is not there, or has just come
	tryEvery   = time.Second            // of one that refuses to start
	longestTry = 4 * time.Second        // of one that starts and gives nothing: some are slow
)

// done notes a step that has ended, and how; took is the time that it needed.
func (t *trouble) done(r rung, c condition, took time.Duration, started bool) {
	t.at, t.acted, t.absent = max(t.at, r), c.now, c.absent
	unit := silenceUnit(c.interval)
	wait := max(unit, 2*unit-took)
	switch {
	case c.absent, !started && t.justCame(c.now):
		wait = lookEvery
	case !started:
		wait = tryEvery
	case r == keyFrame:
		wait = 0 // the next rung comes by the silence alone
	case r == reopenCamera:
		wait = max(2*unit, min(tryEvery<<t.tries, longestTry))
		t.tries = min(t.tries+1, 8)
	}
	t.next = c.now.Add(wait)
}

// shortly writes a duration for people.
func shortly(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}
