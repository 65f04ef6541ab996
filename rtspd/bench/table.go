package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// String is a run in one line.
func (r result) String() string {
	return fmt.Sprintf("%s %s %d: %.1f CPU-ms/s (readers %.0f), lost %d, pictures %d-%d, not to all %d, p50 %s, RSS %s", r.subject, r.transport, r.viewers,
		r.cpu, r.readers, r.lost, r.least, r.most, r.missed, ms(percentile(r.latency, 50)), mb(r.memory.all))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1000) }

func mb(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/1e6) }

// A group is the runs of one setting, in their order.
type cell []result

// cells are the results by setting, and the settings in their order.
func cells(results []result) (map[setting]cell, []setting) {
	by, order := map[setting]cell{}, []setting{}
	for _, r := range results {
		if by[r.setting] == nil {
			order = append(order, r.setting)
		}
		by[r.setting] = append(by[r.setting], r)
	}
	return by, order
}

// middle is the median of a value over the runs; NaN without any.
func (c cell) middle(value func(*result) float64) float64 {
	var all []float64
	for i := range c {
		all = append(all, value(&c[i]))
	}
	return median(all)
}

func (c cell) cpu() float64 { return c.middle(func(r *result) float64 { return r.cpu }) }

// cost is the CPU time for a viewer, in ms for each nominal of the megabits that
// it got: a server that falls behind is not cheaper for that.
func (r *result) cost() float64 { return r.cpu / float64(r.viewers) / r.megabits * nominal }

// nominal is the bit rate of the clip, in Mbit/s.
const nominal = 8

func (c cell) cost() float64 { return c.middle((*result).cost) }

// pooled is a percentile over all runs' pictures; false without any.
func (c cell) pooled(p int, of func(*result) []time.Duration) (time.Duration, bool) {
	var all []time.Duration
	for i := range c {
		all = append(all, of(&c[i])...)
	}
	return percentile(all, p), len(all) > 0
}

// ratios compares the runs of two settings pair by pair: those of the same round,
// if neither failed.
func ratios(a, b cell) []float64 {
	var all []float64
	for i := range a {
		if j := slices.IndexFunc(b, func(r result) bool { return r.round == a[i].round }); j >= 0 {
			all = append(all, a[i].cost()/b[j].cost())
		}
	}
	return all
}

func (c cell) lost() (n uint64) {
	for _, r := range c {
		n += r.lost
	}
	return n
}

// pictures are the fewest and the most that a viewer got.
func (c cell) pictures() string {
	least, most := c[0].least, c[0].most
	for _, r := range c {
		least, most = min(least, r.least), max(most, r.most)
	}
	return fmt.Sprintf("%d-%d", least, most)
}

// own is what a server keeps in memory besides the clip, which stands for the
// codec. lensletd reads it picture by picture; the others hold all of it, in
// anonymous memory or mapped.
func (r *result) own(clip int64) int64 {
	if r.memory.clip > 0 {
		return r.memory.all - r.memory.clip
	}
	if isLensletd(r.subject) {
		return r.memory.all
	}
	return r.memory.all - clip
}

// report prints the machine, the runs, what could not be measured, and the targets.
func report(w io.Writer, results []result, failures []error, clip int64) error {
	by, order := cells(results)
	fmt.Fprintf(w, "%s\n\n", machine())
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "by\tviewers\tserver\truns\tCPU-ms/s\tper viewer\t/floor\tpairs from-to\tlost\tpictures\tnot to all\tp50 ms\tp99 ms\tspread p50\tRSS MB\tanon\tof files\twithout clip\tswitches/s\tallocs/frame\tGC\treaders' CPU\tMbit/s\t")
	for _, s := range order {
		c := by[s]
		floor := by[setting{theFloor, s.transport, s.viewers}]
		fmt.Fprintln(t, strings.Join(c.row(s, floor, clip), "\t")+"\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, `
Medians over the runs; lensletd and floor take turns, and /floor is the median of the pairs. CPU-ms/s: the server's CPU time;
per viewer: for each 8 Mbit that came. Pictures: of the viewer with the fewest, and of that with the most; not to all: those that some got. p50, p99: from the frame being ready (lensletd, gst: by their sender reports; floor,
gortsplib: when it was due) to its last packet read by the last viewer; spread: from the first viewer to the last. RSS: VmRSS, its anonymous
part, and that of files, which is the program; without clip: the clip, which others than lensletd hold, stands for the codec's memory. GC: collections by need in a window.

`)
	for _, err := range failures {
		fmt.Fprintf(w, "not measured: %v\n\n", err)
	}
	return printTargets(w, targets(by, clip))
}

func (c cell) row(s setting, floor cell, clip int64) []string {
	optional := func(d time.Duration, ok bool) string {
		if !ok {
			return "-"
		}
		return ms(d)
	}
	ratio, from := "-", "-"
	if r := ratios(c, floor); len(r) > 0 && s.subject != theFloor {
		ratio, from = fmt.Sprintf("%.2f", median(r)), fmt.Sprintf("%.2f-%.2f", slices.Min(r), slices.Max(r))
	}
	allocations := "-"
	if a := c.middle(func(r *result) float64 { return r.allocations }); a >= 0 {
		allocations = fmt.Sprintf("%.2f", a)
	}
	number := func(format string, value func(*result) float64) string { return fmt.Sprintf(format, c.middle(value)) }
	return []string{
		s.transport, fmt.Sprint(s.viewers), s.subject, fmt.Sprint(len(c)),
		fmt.Sprintf("%.1f", c.cpu()), fmt.Sprintf("%.2f", c.cost()), ratio, from, fmt.Sprint(c.lost()),
		c.pictures(), number("%.0f", func(r *result) float64 { return float64(r.missed) }),
		optional(c.pooled(50, func(r *result) []time.Duration { return r.latency })),
		optional(c.pooled(99, func(r *result) []time.Duration { return r.latency })),
		optional(c.pooled(50, func(r *result) []time.Duration { return r.spread })),
		number("%.1f", func(r *result) float64 { return float64(r.memory.all) / 1e6 }),
		number("%.1f", func(r *result) float64 { return float64(r.memory.anon) / 1e6 }),
		number("%.1f", func(r *result) float64 { return float64(r.memory.all-r.memory.anon) / 1e6 }),
		number("%.1f", func(r *result) float64 { return float64(r.own(clip)) / 1e6 }),
		number("%.0f", func(r *result) float64 { return r.switches }), allocations,
		number("%.0f", func(r *result) float64 { return float64(r.collections) }),
		number("%.0f", func(r *result) float64 { return r.readers }),
		number("%.2f", func(r *result) float64 { return r.megabits }),
	}
}

// machine says what was measured on.
func machine() string {
	model := "CPU"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
			}
		}
	}
	var u unix.Utsname
	_ = unix.Uname(&u) // cannot fail
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%d cores of %s, Linux %s, %s; load %s", runtime.NumCPU(), model, unix.ByteSliceToString(u.Release[:]),
		runtime.Version(), strings.TrimSpace(string(load)))
}

// A goal is one line of the targets.
type goal struct {
	what     string
	most     float64
	measured float64 // NaN: not measured
	unit     string
	floor    float64 // the floor's, measured likewise; NaN: it has none
}

func (g goal) met() string {
	switch {
	case math.IsNaN(g.measured):
		return "not measured"
	case g.measured <= g.most:
		return "met"
	}
	return "NOT MET"
}

func printTargets(w io.Writer, goals []goal) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "target\tat most\tmeasured\tthe floor\t")
	for _, g := range goals {
		floor := "-"
		if !math.IsNaN(g.floor) {
			floor = fmt.Sprintf("%.2f", g.floor)
		}
		fmt.Fprintf(t, "%s\t%g %s\t%.2f\t%s\t%s\n", g.what, g.most, g.unit, g.measured, floor, g.met())
	}
	return t.Flush()
}
