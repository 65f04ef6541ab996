package main

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// resultOf is a run with round numbers.
func resultOf(subject, transport string, viewers int, cpu float64) result {
	return result{
		setting: setting{subject, transport, viewers}, seconds: 2, cpu: cpu, memory: memory{all: 20e6, anon: 15e6},
		latency: []time.Duration{time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond}, spread: []time.Duration{time.Millisecond},
		allocations: 0, packets: 750, megabits: 8, least: 74, most: 75, missed: 2,
	}
}

// good meets all targets: a viewer costs 1 ms/s, and the first 2 more.
func good() []result {
	var all []result
	for _, transport := range []string{byUDP, byTCP} {
		for _, n := range []int{1, 10, 50, 100, 500} {
			r := resultOf(lensletd, transport, n, float64(n)+2)
			r.memory = memory{all: 12e6, anon: 5e6}
			if transport == byTCP {
				r.latency = []time.Duration{time.Millisecond}
			}
			f := resultOf(theFloor, transport, n, float64(n)+1)
			f.allocations = -1
			all = append(all, r, f)
		}
	}
	return append(all, resultOf(pacedDaemon, byUDP, pacedViewers, 81)) // of the floor's 51
}

func notMet(results []result) (list []string) {
	by, _ := cells(results)
	for _, g := range targets(by, 10e6) {
		if g.met() != "met" {
			list = append(list, g.what+": "+g.met())
		}
	}
	return list
}

// Each target is met by what is good, and by that alone.
func TestTargets(t *testing.T) {
	if list := notMet(good()); list != nil {
		t.Errorf("not met: %q", list)
	}
	for _, c := range []struct {
		subject   string
		transport string
		viewers   int
		spoil     func(*result)
		want      []string
	}{
		{lensletd, byUDP, 50, func(r *result) { r.cpu = 62 }, []string{"CPU of 50 viewers by udp"}},
		{pacedDaemon, byUDP, 50, func(r *result) { r.cpu = 82 }, []string{"CPU of 50 viewers by udp, paced"}},
		{lensletd, byTCP, 100, func(r *result) { r.cpu = 133 }, []string{"CPU of 100 viewers by tcp", "cost of a viewer from 10 to 500 by tcp, off its mean"}},
		{lensletd, byTCP, 1, func(r *result) { r.cpu = 8.1 }, []string{"fixed cost, one viewer by tcp", "cost of a viewer from 10 to 500 by tcp, off its mean"}},
		{lensletd, byUDP, 100, func(r *result) { r.lost = 1 }, []string{"lost packets, 100 viewers by udp"}},
		{lensletd, byTCP, 50, func(r *result) { r.latency[0] += time.Microsecond }, []string{"frame ready to read by the last of 50, p50, by tcp"}},
		{lensletd, byUDP, 50, func(r *result) { r.latency[1] = 2501 * time.Microsecond }, []string{"frame ready to read by the last of 50, p50, by udp"}},
		{lensletd, byUDP, 100, func(r *result) { r.memory.all = 12.1e6 }, []string{"RSS with 100 viewers by udp"}},
		{lensletd, byUDP, 500, func(r *result) { r.allocations = 1 }, []string{"heap allocations per frame, any viewers by udp"}},
		{lensletd, byUDP, 10, func(r *result) { r.cpu = 17 }, []string{"cost of a viewer from 10 to 500 by udp, off its mean"}},
	} {
		all := good()
		i := slices.IndexFunc(all, func(r result) bool { return r.setting == setting{c.subject, c.transport, c.viewers} })
		c.spoil(&all[i])
		var want []string
		for _, w := range c.want {
			want = append(want, w+": NOT MET")
		}
		if got := notMet(all); !slices.Equal(got, want) {
			t.Errorf("not met: %q; want %q", got, want)
		}
	}
}

func TestTargetsThatWereNotMeasured(t *testing.T) {
	list := notMet([]result{resultOf(lensletd, byUDP, 1, 3)})
	if len(list) != 15 { // all but the fixed cost and the allocations by UDP
		t.Errorf("%d are not met: %q", len(list), list)
	}
	for _, l := range list {
		if !strings.HasSuffix(l, ": not measured") {
			t.Error(l)
		}
	}
}

func TestRatiosAreThoseOfPairs(t *testing.T) {
	run := func(cpu, megabits float64) result {
		return result{setting: setting{viewers: 10}, cpu: cpu, megabits: megabits}
	}
	var a, b cell
	for i, pair := range [][2]float64{{10, 5}, {100, 100}, {9, 6}} { // the machine was busy in the second
		a, b = append(a, run(pair[0], 8)), append(b, run(pair[1], 8))
		a[i].round, b[i].round = i, i
	}
	if r := ratios(a, b); !slices.Equal(r, []float64{2, 1, 1.5}) || median(r) != 1.5 {
		t.Errorf("ratios %v", r)
	}
	if r := ratios(cell{run(10, 4)}, cell{run(10, 8)}); r[0] != 2 {
		t.Errorf("who sends half of it for the same costs %v of the other", r)
	}
	if r := ratios(a, b[:1]); len(r) != 1 {
		t.Errorf("ratios of one pair are %v", r)
	}
	if r := ratios(a[1:], b[:2:2]); !slices.Equal(r, []float64{1}) {
		t.Errorf("where a run failed on either side, the ratios are %v", r)
	}
	if r := ratios(cell{a[0], a[2]}, b); !slices.Equal(r, []float64{2, 1.5}) {
		t.Errorf("where the second run failed, the ratios are %v", r)
	}
}

// What a server keeps, whether it maps the clip or reads it.
func TestOwnMemory(t *testing.T) {
	read, mapped := result{memory: memory{all: 20e6}}, result{memory: memory{all: 20e6, clip: 4e6}}
	ours := result{setting: setting{subject: lensletd}, memory: memory{all: 12e6}}
	if read.own(10e6) != 10e6 || mapped.own(10e6) != 16e6 || ours.own(10e6) != 12e6 {
		t.Errorf("%d, %d and %d bytes", read.own(10e6), mapped.own(10e6), ours.own(10e6))
	}
}

func TestReport(t *testing.T) {
	var out strings.Builder
	if err := report(&out, good(), []error{errors.New("gst by udp with 500 viewers: a viewer got nothing")}, 10e6); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(out.String()) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		"by viewers server runs CPU-ms/s per viewer /floor pairs from-to lost pictures not to all p50 ms p99 ms spread p50 RSS MB anon of files without clip switches/s allocs/frame GC readers' CPU Mbit/s",
		"udp 10 lensletd 1 12.0 1.20 1.09 1.09-1.09 0 74-75 2 2.00 2.00 1.00 12.0 5.0 7.0 12.0 0 0.00 0 0 8.00",
		"udp 10 floor 1 11.0 1.10 - - 0 74-75 2 2.00 2.00 1.00 20.0 15.0 5.0 10.0 0 - 0 0 8.00",
		"CPU of 50 viewers by udp 1.2 x floor 1.02 1.00 met",
		"CPU of 50 viewers by udp, paced 1.6 x floor 1.59 1.00 met",
		"fixed cost, one viewer by udp 8 CPU-ms/s 3.00 2.00 met",
		"lost packets, 100 viewers by tcp 0 0.00 - met",
		"not measured: gst by udp with 500 viewers: a viewer got nothing",
	} {
		if !slices.Contains(rows, want) {
			t.Errorf("there is no line %q in:\n%s", want, out.String())
		}
	}
	if !strings.Contains(rows[0], "cores of") || !strings.Contains(rows[0], "Linux") || !strings.Contains(rows[0], "go1.") {
		t.Errorf("the machine is %q", rows[0])
	}
	if g := (goal{measured: math.NaN()}); g.met() != "not measured" {
		t.Errorf("nothing is %s", g.met())
	}
}
