//go:build virthost

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestBoardFindsItsCamera: unplugged and plugged in 20 times, each time under
// another number, half of them together with its driver, which is loaded again, the
// camera streams again within a second of its return, by the
// clock of the board. The time for which the emulated board was ready to run, and
// this machine had no processor for it, is not the board's.
func TestBoardFindsItsCamera(t *testing.T) {
	g := boot(t, "", "", obey+smallStream)
	viewers := watchBoth(t, g)
	wall := g.clock(t)
	var all []time.Duration
	for i := range 20 {
		before := viewers[0].get("camera")
		number := "modprobe v4l2loopback video_nr=0 exclusive_caps=1" // takes the number
		if i%2 == 1 {
			number = "rmmod v4l2loopback"
		}
		gone, there := "camera unbind", "camera bind"
		if i%4 >= 2 {
			gone, there = gone+"; away vivid", "(. /virt/conf; modprobe vivid node_types=1 vid_cap_nr=0 $vivid)"
		}
		starved := g.starved(t)
		g.do(t, gone+"; sleep 0.5; "+number+"; "+there+"; echo returned $(cut -d ' ' -f 1 /proc/uptime)")
		goOn(t, "plug "+strconv.Itoa(i+1), 30*time.Second, viewers)
		waitFor(t, 30*time.Second, "it is said", func() bool { return strings.Count(g.out.String(), "the stream goes on") == i+1 })
		took := g.wentOn(t).Sub(wall(g.returned(t)))
		starved = g.starved(t) - starved
		all = append(all, took)
		if took > time.Second+starved {
			t.Errorf("plug %d: %v from the camera's return to its pictures, and the board was starved for %v", i+1, took, starved)
		}
		if after := viewers[0].get("camera"); after == before || !strings.Contains(after, "vivid") {
			t.Errorf("the camera was %s, and is %s", before, after)
		}
	}
	slices.Sort(all)
	t.Logf("from the camera's return to its pictures: median %v, longest %v", all[len(all)/2], all[len(all)-1])
	endure(t, 10*time.Second, viewers)
}

// output is what the script that do ran has printed.
func (g *guest) output(t *testing.T, pattern string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(g.share, "done.log"))
	found := regexp.MustCompile(pattern).FindSubmatch(b)
	if err != nil || found == nil {
		t.Fatalf("the guest says %q, %v", b, err)
	}
	var groups []string
	for _, f := range found[1:] {
		groups = append(groups, string(f))
	}
	return groups
}

// clock tells the board's wall clock at a time since its start.
func (g *guest) clock(t *testing.T) func(up time.Duration) time.Time {
	t.Helper()
	g.do(t, "s=$(date +%s); while [ $(date +%s) = $s ]; do :; done; echo $((s + 1)) $(cut -d ' ' -f 1 /proc/uptime)")
	said := g.output(t, `(\d+) ([\d.]+)`)
	unix, err := strconv.ParseInt(said[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	at := seconds(t, said[1])
	return func(up time.Duration) time.Time { return time.Unix(unix, 0).Add(up - at) }
}

func seconds(t *testing.T, s string) time.Duration {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(f * float64(time.Second))
}

// returned is when the driver was bound again, since the board's start.
func (g *guest) returned(t *testing.T) time.Duration {
	t.Helper()
	return seconds(t, g.output(t, `returned ([\d.]+)`)[0])
}

// wentOn is when lensletd last said that the stream goes on, at most 50 ms after
// the first picture.
func (g *guest) wentOn(t *testing.T) time.Time {
	t.Helper()
	all := regexp.MustCompile(`time=(\S+) level=INFO msg="the stream goes on"`).FindAllStringSubmatch(g.out.String(), -1)
	at, err := time.Parse(time.RFC3339Nano, all[len(all)-1][1])
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// starved is the time for which threads of the emulator have waited for a
// processor of this machine (schedstat, Documentation/scheduler/sched-stats.rst).
func (g *guest) starved(t *testing.T) (sum time.Duration) {
	t.Helper()
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", g.emulator(t))) // the pattern is good
	for _, file := range threads {
		var ran, waited int64
		b, _ := os.ReadFile(file) // a thread that ended has nothing to say
		if n, _ := fmt.Sscan(string(b), &ran, &waited); n == 2 {
			sum += time.Duration(waited)
		}
	}
	if len(threads) == 0 {
		t.Fatal("the emulator is not there")
	}
	return sum
}

// emulator is the process of QEMU, a descendant of the script that began it.
func (g *guest) emulator(t *testing.T) int {
	t.Helper()
	parents, emulators := map[int]int{}, []int{}
	all, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is good
	for _, file := range all {
		b, _ := os.ReadFile(file) // none: it has just ended
		name, rest, _ := strings.Cut(string(b), ") ")
		var pid, parent int
		if n, _ := fmt.Sscanf(name, "%d", &pid); n != 1 {
			continue
		}
		if n, _ := fmt.Sscanf(rest, "%1s %d", new(string), &parent); n == 2 {
			parents[pid] = parent
		}
		if strings.Contains(name, "(qemu-system") {
			emulators = append(emulators, pid)
		}
	}
	for _, pid := range emulators {
		for up := parents[pid]; up > 1; up = parents[up] {
			if up == g.cmd.Process.Pid {
				return pid
			}
		}
	}
	t.Fatal("no emulator runs")
	return 0
}
