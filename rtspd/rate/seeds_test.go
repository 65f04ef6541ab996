package rate

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"
)

// By -seeds 100 the scenes of chance are played so many times as often.
var seeds = flag.Int("seeds", 1, "how many times as many scenes of chance")

// Reports every five seconds, about, through the queue of a real link: whenever they
// come, and whenever it narrows between them, what is sent is less than it carries after
// two of them, and from then on nothing is lost to speak of.
func TestReportsWheneverTheyCome(t *testing.T) {
	n := 50 * *seeds
	for seed := range n {
		late := time.Duration(seed) * 5 * time.Second / time.Duration(n)
		log := run(scene{
			link: func(t time.Duration) float64 { return link(t - late) }, queue: 400 * time.Millisecond, overhead: 54,
			every: 5 * time.Second, uneven: 0.02, delay: 10 * time.Millisecond, length: 90 * time.Second, bounds: usualBounds, seed: uint64(seed + 1),
		})
		fell, widened := int((21*time.Second+late-1)/time.Second), int((50*time.Second+late)/time.Second)
		settled := fell + 10 + 1
		packets, lost := 0, 0
		for _, s := range log[settled : settled+20] {
			packets, lost = packets+s.packets, lost+s.lost
		}
		if log[settled].sent > 2*mbit || lost*100 > packets {
			t.Errorf("seed %d: after two reports %.0f bit/s are sent, and of %d packets %d are lost", seed+1, log[settled].sent, packets, lost)
		}
		if got := log[widened+30].rate; got < 5.4*mbit {
			t.Errorf("seed %d: %d bit/s half a minute after the link widened", seed+1, got)
		}
	}
}

// Receivers let chance decide when they report, from half of the interval to one and a half
// (RFC 3550 6.3.1; what is 5 s there is 4.1 s on average, 6.3.1 and A.7). After two reports
// what is sent is less than the link carries all the same, and nothing is lost to speak of,
// and half a minute after the link widened the rate is back, but for few seeds: of 1000,
// 12 miss one of these bounds by little at 4.1 s, and 15 at 5 s.
func TestReportsThatComeByChance(t *testing.T) {
	for _, every := range []time.Duration{4100 * time.Millisecond, 5 * time.Second} {
		n, missed := 50**seeds, 0
		for seed := range n {
			late := time.Duration(seed) * every / time.Duration(n)
			w := newWorld(scene{
				link: func(t time.Duration) float64 { return link(t - late) }, queue: 400 * time.Millisecond, overhead: 54,
				every: every, uneven: 0.5, delay: 10 * time.Millisecond, length: 90 * time.Second, bounds: usualBounds, seed: uint64(seed + 1),
			})
			log := w.run()
			fell, widened := 20*time.Second+late, int((50*time.Second+late)/time.Second)
			first := slices.IndexFunc(w.came, func(at time.Duration) bool { return at > fell+2*w.delay })
			settled := int((max(fell+2*every, w.came[first+1])+time.Second-1)/time.Second) + 1 // a second: the codec is told at its end
			packets, lost := 0, 0
			for _, s := range log[settled:min(settled+20, widened)] {
				packets, lost = packets+s.packets, lost+s.lost
			}
			if log[settled].sent > 2*mbit || lost*100 > packets || log[widened+30].rate < 5.4*mbit {
				missed++
				t.Logf("every %v, seed %d: after two reports %.0f bit/s are sent, and of %d packets %d are lost; %d bit/s half a minute after the link widened",
					every, seed+1, log[settled].sent, packets, lost, log[widened+30].rate)
			}
			if lost*20 > packets {
				t.Errorf("every %v, seed %d: of %d packets %d are lost", every, seed+1, packets, lost)
			}
		}
		if missed*50 > n {
			t.Errorf("every %v: of %d seeds %d miss a bound", every, n, missed)
		}
	}
}

// The queue is seen although there was one report only without.
func TestLinkNarrowsAtOnce(t *testing.T) {
	for seed := range 10 * *seeds {
		log := run(scene{
			link: func(t time.Duration) float64 { return link(t + 14*time.Second) }, queue: 400 * time.Millisecond, overhead: 54,
			every: 5 * time.Second, delay: 10 * time.Millisecond, length: 36 * time.Second, bounds: usualBounds, seed: uint64(seed + 1),
		})
		packets, lost := 0, 0
		for _, s := range log[6+11:] {
			packets, lost = packets+s.packets, lost+s.lost
		}
		if lost*100 > packets {
			t.Errorf("seed %d: of %d packets after two reports %d are lost", seed+1, packets, lost)
		}
	}
}

// One packet in fifty is lost, alone or with all that was sent with it. That never
// halves the rate, nor lowers it much for long.
func TestChanceNeverHalvesTheRate(t *testing.T) {
	for _, s := range []scene{{bounds: Bounds{50_000, 1 * mbit}, framerate: 10}, {bounds: usualBounds, framerate: 30}} {
		for _, s.every = range []time.Duration{time.Second, 5 * time.Second} {
			for _, s.together = range []int{1, 4, 16} {
				t.Run(fmt.Sprintf("%d bit/s, reports every %v, %d together", s.bounds.Max, s.every, s.together), func(t *testing.T) {
					s.link, s.queue, s.loss, s.delay, s.keyFrames, s.length = constant(100*mbit), time.Second, 0.02, 20*time.Millisecond, 4, 10*time.Minute
					for seed := range 2 * *seeds {
						s.seed = uint64(seed + 1)
						w, sum := newWorld(s), 0
						log := w.run()
						for _, l := range log {
							sum += l.rate
						}
						if mean := sum / len(log); w.least <= s.bounds.Max/2 || mean < s.bounds.Max*3/4 {
							t.Errorf("seed %d: at least %d bit/s, %d on average", s.seed, w.least, mean)
						}
					}
				})
			}
		}
	}
}

// One in twenty is lost with all that was sent with it: more than the law holds for the
// air's. The rate is three quarters on average, though it falls below the half for a
// while in one seed of six (with 1 or 4 lost together it never does).
func TestMuchChance(t *testing.T) {
	n, sum, below := 6**seeds, 0.0, 0
	for seed := range n {
		w := newWorld(scene{
			link: constant(100 * mbit), queue: time.Second, loss: 0.05, together: 16, delay: 20 * time.Millisecond, keyFrames: 4,
			every: 350 * time.Millisecond, uneven: 0.5, length: 10 * time.Minute, bounds: usualBounds, seed: uint64(seed + 1),
		})
		log := w.run()
		for _, l := range log {
			sum += float64(l.rate) / float64(n*len(log))
		}
		if w.least < 3*mbit {
			below++
		}
	}
	t.Logf("of %d seeds %d fall below the half; %.0f bit/s on average", n, below, sum)
	if sum < 4.5*mbit || below*3 > n {
		t.Errorf("of %d seeds %d fall below the half; %.0f bit/s on average", n, below, sum)
	}
}
