package rate

import (
	"fmt"
	"math"
	"testing"
	"time"
)

const mbit = 1_000_000

var usualBounds = Bounds{250_000, 6 * mbit}

// link is 10 Mbit/s, from the 20th to the 50th second 2 Mbit/s.
func link(t time.Duration) float64 {
	if t >= 20*time.Second && t < 50*time.Second {
		return 2 * mbit
	}
	return 10 * mbit
}

func constant(bps float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return bps }
}

func TestLinkThatNarrowsAndWidens(t *testing.T) {
	for name, s := range map[string]scene{
		"reports every second":   {every: time.Second, queue: 200 * time.Millisecond},
		"three a second":         {every: 350 * time.Millisecond, queue: 200 * time.Millisecond},
		"every two seconds":      {every: 2 * time.Second, queue: 200 * time.Millisecond},
		"a short queue":          {every: time.Second, queue: 100 * time.Millisecond},
		"a long way":             {every: time.Second, queue: 200 * time.Millisecond, delay: 100 * time.Millisecond},
		"large key frames":       {every: time.Second, queue: 400 * time.Millisecond, keyFrames: 4},
		"a queue of two seconds": {every: time.Second, queue: 2 * time.Second},
		"about every packet":     {every: 500 * time.Millisecond, trips: true, queue: 200 * time.Millisecond},
		"TCP":                    {tcp: true, every: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s.link, s.length, s.bounds = link, 90*time.Second, usualBounds
			s.delay += 5 * time.Millisecond
			log := run(s)
			report(t, log)
			if log[19].rate != 6*mbit {
				t.Errorf("%d bit/s before the link narrows", log[19].rate)
			}
			settled := 20 + int(math.Ceil(2*s.every.Seconds())) + 1 // a second: the codec is told at its end
			packets, lost := 0, 0
			for i := settled; i < 50; i++ {
				if i < settled+20 {
					packets, lost = packets+log[i].packets, lost+log[i].lost
				}
				if log[i].rate > 2.25*mbit || log[i].rate < 0.9*mbit {
					t.Errorf("second %d: %d bit/s", i, log[i].rate)
				}
			}
			if log[settled].sent > 2*mbit {
				t.Errorf("%.0f bit/s are sent in second %d", log[settled].sent, settled)
			}
			if lost*100 > packets {
				t.Errorf("of %d packets after the fall %d are lost", packets, lost)
			}
			if log[79].rate < 5.4*mbit {
				t.Errorf("%d bit/s half a minute after the link widened", log[79].rate)
			}
		})
	}
}

// What the air loses says nothing of the rate.
func TestRandomLoss(t *testing.T) {
	for _, loss := range []float64{0.005, 0.01, 0.02, 0.04, 0.05} {
		for _, every := range []time.Duration{350 * time.Millisecond, time.Second, 5 * time.Second} {
			log := run(scene{
				link: constant(100 * mbit), queue: time.Second, loss: loss, delay: 20 * time.Millisecond,
				every: every, length: 3 * time.Minute, bounds: usualBounds,
			})
			least, sum := math.MaxInt, 0
			for _, s := range log {
				least, sum = min(least, s.rate), sum+s.rate
			}
			if mean := sum / len(log); least < 3*mbit || mean < 4*mbit {
				t.Errorf("loss of %v, reports every %v: at least %d bit/s, %d on average", loss, every, least, mean)
			}
		}
	}
}

// The air at the edge of a room: half a second of this, a second of that.
func TestLinkThatFluctuates(t *testing.T) {
	steps := []float64{9, 7, 3, 8, 5, 2.5, 6, 9, 4, 7, 3.5, 8, 2, 6, 5, 9, 3, 4}
	air := func(t time.Duration) float64 { return steps[int(t/(700*time.Millisecond))%len(steps)] * mbit }
	for _, tcp := range []bool{false, true} {
		log := run(scene{link: air, queue: time.Second, loss: 0.005, every: time.Second, length: 2 * time.Minute, tcp: tcp, bounds: usualBounds})
		sent, carried, packets, lost := 0., 0., 0, 0
		for _, s := range log[10:] {
			sent, carried, packets, lost = sent+s.sent, carried+s.carried, packets+s.packets, lost+s.lost
		}
		if seconds := float64(len(log) - 10); carried/seconds < 1.5*mbit {
			t.Errorf("TCP %v: %.0f bit/s arrive by a link of 2 to 9 Mbit/s", tcp, carried/seconds)
		}
		if lost*33 > packets {
			t.Errorf("TCP %v: of %d packets %d are lost", tcp, packets, lost)
		}
	}
}

// The air is gone for 20 s.
func TestLinkThatVanishes(t *testing.T) {
	gone := func(t time.Duration) float64 {
		if t >= 20*time.Second && t < 40*time.Second {
			return 0
		}
		return 10 * mbit
	}
	for _, every := range []time.Duration{time.Second, 2 * time.Second} {
		log := run(scene{link: gone, queue: 300 * time.Millisecond, every: every, length: 80 * time.Second, bounds: usualBounds})
		report(t, log)
		if log[39].rate != 1.5*mbit {
			t.Errorf("reports every %v: %d bit/s into the void, want a quarter", every, log[39].rate)
		}
		if log[69].rate < 5.4*mbit {
			t.Errorf("reports every %v: %d bit/s half a minute after the return", every, log[69].rate)
		}
	}
}

// The air is silent for a moment, and then catches up.
func TestMomentsOfSilence(t *testing.T) {
	pauses := func(t time.Duration) float64 {
		if t%(7300*time.Millisecond) < 500*time.Millisecond {
			return 1 // bit/s
		}
		return 40 * mbit
	}
	for _, tcp := range []bool{false, true} {
		for _, every := range []time.Duration{500 * time.Millisecond, time.Second, 5 * time.Second} {
			log := run(scene{link: pauses, queue: 3 * time.Second, every: every, length: 2 * time.Minute, tcp: tcp, bounds: usualBounds})
			least, sum := math.MaxInt, 0
			for _, s := range log {
				least, sum = min(least, s.rate), sum+s.rate
			}
			if mean := sum / len(log); least < 3*mbit || mean < 5*mbit {
				t.Errorf("TCP %v, reports every %v: at least %d bit/s, %d on average", tcp, every, least, mean)
			}
		}
	}
}

// A picture that needs little does not keep the rate down, nor does a report on a few
// packets.
func TestQuietPicture(t *testing.T) {
	quiet := func(t time.Duration) bool { return t > 5*time.Second && t < 60*time.Second }
	log := run(scene{link: constant(10 * mbit), queue: time.Second, loss: 0.01, every: 350 * time.Millisecond, length: time.Minute, quiet: quiet, bounds: usualBounds})
	for i, s := range log {
		if s.rate < 3*mbit {
			t.Errorf("second %d: %d bit/s", i, s.rate)
		}
	}
}

// Reports every five seconds are all that some receivers send (RFC 3550 6.2). Whenever
// they come, two of them are enough after a fall, and the rate is back within half a
// minute.
func TestSlowReports(t *testing.T) {
	for _, every := range []time.Duration{2500 * time.Millisecond, 4 * time.Second, 5 * time.Second} {
		for late := time.Duration(0); late < every; late += 500 * time.Millisecond {
			t.Run(fmt.Sprintf("every %v, %v late", every, late), func(t *testing.T) {
				shifted := func(t time.Duration) float64 { return link(t + late) }
				log := run(scene{link: shifted, queue: 300 * time.Millisecond, every: every, length: 90 * time.Second, bounds: usualBounds})
				report(t, log)
				fell := 20*time.Second - late
				settled := int(math.Ceil((fell + 2*every).Seconds())) + 1 // a second: the codec is told at its end
				if log[settled].sent > 2*mbit {
					t.Errorf("%.0f bit/s after two reports", log[settled].sent)
				}
				packets, lost := 0, 0
				for _, s := range log[settled:min(settled+20, 50-int(late.Seconds()))] {
					packets, lost = packets+s.packets, lost+s.lost
				}
				if lost*100 > packets {
					t.Errorf("of %d packets after two reports %d are lost", packets, lost)
				}
				if got := log[79-int(late.Seconds())].rate; got < 5.4*mbit {
					t.Errorf("%d bit/s half a minute after the link widened", got)
				}
			})
		}
	}
}

// Jitter that jumps lets the rate stay as it is, until it is usual.
func TestJitterThatGrows(t *testing.T) {
	var e Estimator
	n, lost, at := uint32(0), int32(0), time.Duration(0)
	report := func(l int32, jitter time.Duration) int {
		at, n, lost = at+time.Second, n+200, lost+l
		e.Report(Report{At: at, Highest: n, Lost: lost, Packets: n, Bytes: n * 1000, Jitter: jitter}, usualBounds)
		return e.Rate(usualBounds)
	}
	for range 3 {
		report(0, 5*time.Millisecond)
	}
	report(100, 5*time.Millisecond)
	for range 4 {
		report(0, 5*time.Millisecond)
	}
	before := report(0, 5*time.Millisecond)
	if got := report(0, 90*time.Millisecond); got != before {
		t.Errorf("%d bit/s after %d, though the jitter grows", got, before)
	}
	for range 5 {
		report(0, 90*time.Millisecond)
	}
	if got := report(0, 90*time.Millisecond); got <= before {
		t.Errorf("%d bit/s after %d, though the jitter is as it was", got, before)
	}
}

func TestCap(t *testing.T) {
	var e Estimator
	e.Cap(0, 1*mbit)
	if got := e.Rate(usualBounds); got != 1*mbit {
		t.Errorf("%d bit/s, want what the receiver says", got)
	}
	e.Cap(0, math.Inf(1))
	e.Tick(capAge/2, usualBounds)
	e.Cap(capAge/2, 100)
	if got := e.Rate(usualBounds); got != usualBounds.Min {
		t.Errorf("%d bit/s, want the least", got)
	}
	e.Tick(2*capAge, usualBounds)
	if got := e.Rate(usualBounds); got != usualBounds.Max {
		t.Errorf("%d bit/s after the receiver's word was forgotten", got)
	}
}

func TestNothingIsKnown(t *testing.T) {
	var e Estimator
	e.Tick(time.Hour, usualBounds)
	if e.Heard() || e.Rate(usualBounds) != usualBounds.Max || e.Carried() != 0 {
		t.Errorf("%v, %d bit/s, %d carried", e.Heard(), e.Rate(usualBounds), e.Carried())
	}
	if got := e.Rate(Bounds{300, 200}); got != 200 {
		t.Errorf("%d bit/s where the least is more than the most", got)
	}
}

// The owner sets more: who was held back by nothing else takes it, others grow.
func TestMostIsRaised(t *testing.T) {
	var free, slow Estimator
	feed := func(e *Estimator, from int, lost int32) {
		for i := range 10 {
			n := uint32(from+i) * 200
			e.Report(Report{At: time.Duration(from+i) * time.Second, Highest: n, Lost: lost * int32(i), Packets: n, Bytes: n * 1000}, usualBounds)
		}
	}
	feed(&free, 0, 0)
	feed(&slow, 0, 60)
	more := Bounds{usualBounds.Min, 12 * mbit}
	if got := free.Rate(more); got != more.Max {
		t.Errorf("%d bit/s without any trouble", got)
	}
	if got := slow.Rate(more); got != slow.Rate(usualBounds) || got > 140*1000*8 || slow.Carried() != 140*1000*8 {
		t.Errorf("%d bit/s where %d are carried", got, slow.Carried())
	}
}

// What was given up has left the queue, and tells as much as if it stood there.
func TestSkippedQueue(t *testing.T) {
	var e Estimator
	for i := range 5 {
		e.Queue(Queue{At: time.Duration(i) * time.Second, Bytes: uint64(i) * 250_000, Skips: uint32(i / 4)}, usualBounds)
		want := usualBounds.Max
		if i == 4 {
			want = 0.85 * 2 * mbit
		}
		if got := e.Rate(usualBounds); got != want {
			t.Errorf("second %d: %d bit/s, want %d", i, got, want)
		}
	}
}

func TestReceiverThatBeginsAnew(t *testing.T) {
	var e Estimator
	e.Report(Report{At: time.Second, Highest: 70000, Packets: 1000, Bytes: 1e6}, usualBounds)
	e.Report(Report{At: 2 * time.Second, Highest: 10, Lost: 5, Packets: 1100, Bytes: 1.1e6}, usualBounds)
	e.Report(Report{At: 3 * time.Second, Highest: 110, Lost: 5, Packets: 1200, Bytes: 1.2e6}, usualBounds)
	if got := e.Rate(usualBounds); got != usualBounds.Max {
		t.Errorf("%d bit/s", got)
	}
}

func TestSkippedPacketsAreNotLost(t *testing.T) {
	var e Estimator
	for i := range 10 {
		n := uint32(i * 100)
		e.Report(Report{
			At: time.Duration(i) * time.Second, Highest: n, Lost: int32(n) * 9 / 10, Skipped: n * 9 / 10,
			Packets: n / 10, Bytes: n * 100,
		}, usualBounds)
	}
	if got := e.Rate(usualBounds); got != usualBounds.Max {
		t.Errorf("%d bit/s", got)
	}
}

// report writes what a failed test is understood by.
func report(t *testing.T, log []second) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() || testing.Verbose() {
			for i, s := range log {
				t.Logf("%3d s: %7d bit/s, sent %7.0f, carried %7.0f, lost %3d of %3d, queue %v", i, s.rate, s.sent, s.carried, s.lost, s.packets, s.queue)
			}
		}
	})
}
