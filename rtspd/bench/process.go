package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what a process has used of the CPU, in the kernel and above it, to
// the nanosecond: the clock that clock_getcpuclockid(3) names.
func cpuTime(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Memory of a process in bytes.
type memory struct {
	all  int64 // resident
	anon int64 // of that, not of a file
	clip int64 // of that, of the clip's file
}

// memoryOf reads it. A clip that a server has read instead of mapped is in anon.
func memoryOf(pid int, clip string) (memory, error) {
	var m memory
	dir := fmt.Sprintf("/proc/%d", pid)
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return m, err
	}
	m.all, m.anon = field(string(status), "VmRSS:")<<10, field(string(status), "RssAnon:")<<10
	maps, err := os.Open(filepath.Join(dir, "smaps"))
	if err != nil {
		return m, err
	}
	defer maps.Close()
	m.clip, err = residentOf(maps, clip)
	return m, err
}

// residentOf sums up what is resident of a file, in bytes, by smaps (proc(5)).
func residentOf(smaps io.Reader, file string) (sum int64, err error) {
	lines := bufio.NewScanner(smaps)
	ours := false
	for lines.Scan() {
		line := lines.Text()
		if name, _, _ := strings.Cut(line, " "); !strings.HasSuffix(name, ":") { // a mapping begins
			ours = strings.HasSuffix(line, " "+file)
		}
		if ours {
			sum += field(line+"\n", "Rss:") << 10
		}
	}
	return sum, lines.Err()
}

// field is the number behind a name at the beginning of a line; 0 without it.
func field(text, name string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, _ := strconv.ParseInt(value, 10, 64) // 0: there is none
			return n
		}
	}
	return 0
}

// switches is how often the threads of a process have left the CPU.
func switches(pid int) (int64, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil { // else the thread has ended
			sum += field(string(b), "voluntary_ctxt_switches:") + field(string(b), "nonvoluntary_ctxt_switches:")
		}
	}
	return sum, nil
}
