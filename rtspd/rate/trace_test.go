package rate

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recorded is a link as it was: kbit/s that UDP got in each 100 ms, again and again.
func recorded(t *testing.T, name string) func(time.Duration) float64 {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var kbit []float64
	for _, f := range strings.Fields(string(b)) {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			t.Fatal(err)
		}
		kbit = append(kbit, n)
	}
	return func(at time.Duration) float64 { return 1000 * kbit[int(at/(100*time.Millisecond))%len(kbit)] }
}

// A link of 8 Mbit/s of which three TCP connections take most, now and then: recorded
// from the kernel's htb, whose classes have 1 Mbit/s each and borrow the rest.
func TestRecordedLink(t *testing.T) {
	link := recorded(t, "shared_link.txt")
	for name, s := range map[string]scene{
		"reports every second": {every: time.Second},
		"every five seconds":   {every: 5 * time.Second},
		"about every packet":   {every: 500 * time.Millisecond, trips: true},
		"TCP":                  {every: time.Second, tcp: true},
	} {
		t.Run(name, func(t *testing.T) {
			s.link, s.queue, s.length, s.bounds = link, 400*time.Millisecond, 85*time.Second, usualBounds
			log := run(s)
			report(t, log)
			packets, lost, carried, queue := 0, 0, 0.0, time.Duration(0)
			for _, l := range log[17:] { // the first time is new to it
				packets, lost, carried = packets+l.packets, lost+l.lost, carried+l.carried
				queue = max(queue, l.queue)
			}
			carried /= float64(len(log) - 17)
			t.Logf("%.0f bit/s are carried, of %d packets %d are lost, the queue is up to %v", carried, packets, lost, queue)
			most := 0.01
			if s.every > 2*time.Second {
				most = 0.1 // what it hears of is over
			}
			if carried < 1*mbit || float64(lost) > most*float64(packets) { // so much is there at all times
				t.Errorf("%.0f bit/s are carried, of %d packets %d are lost, the queue is up to %v", carried, packets, lost, queue)
			}
		})
	}
}
