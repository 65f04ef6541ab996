package main

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// What this process uses is what the kernel says by another way.
func TestCPUTime(t *testing.T) {
	pid := os.Getpid()
	runtime.GC() // and no more of it: it would be other threads' time, noted later
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before, err := cpuTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	used := ownCPU()
	for ownCPU() < used+100*time.Millisecond {
		_ = strings.Repeat("x", 1000)
	}
	used = ownCPU() - used
	after, err := cpuTime(pid)
	if err != nil {
		t.Fatal(err)
	}
	if d := after - before - used; d < -20*time.Millisecond || d > 50*time.Millisecond {
		t.Errorf("%v of CPU time, want %v", after-before, used)
	}
}

func TestCPUTimeOfAnother(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if d, err := cpuTime(pid); err != nil || time.Now().After(limit) {
			t.Fatalf("%v, %v", d, err)
		} else if d > 0 {
			break
		}
	}
	if n, err := switches(pid); err != nil || n < 0 {
		t.Errorf("%d switches, %v", n, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if _, err := cpuTime(pid); err == nil {
		t.Error("a process that is over uses CPU time")
	}
	if _, err := memoryOf(pid, "clip"); err == nil {
		t.Error("a process that is over has memory")
	}
}

func TestMemory(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m, err := memoryOf(os.Getpid(), self)
	if err != nil || m.all < 1<<20 || m.anon < 1<<18 || m.clip < 1<<18 || m.anon+m.clip > m.all+4<<20 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := memoryOf(os.Getpid(), "/nowhere"); err != nil || m.clip != 0 {
		t.Errorf("%+v of no file, %v", m, err)
	}
}

func TestResidentOf(t *testing.T) {
	const smaps = `00400000-00e00000 r-xp 00000000 fe:00 12 /usr/bin/lensletd
Size:              10240 kB
Rss:                4000 kB
7f0000000000-7f0001000000 r--p 00000000 fe:00 34 /data/clip one.264
Size:              16384 kB
Rss:                1000 kB
Pss:                 500 kB
VmFlags: rd mr mw me
7f0002000000-7f0003000000 r--p 00000000 fe:00 34 /data/clip one.264
Rss:                  24 kB
7f0004000000-7f0005000000 rw-p 00000000 00:00 0
Rss:                7777 kB
`
	for file, want := range map[string]int64{"/data/clip one.264": 1024 << 10, "/usr/bin/lensletd": 4000 << 10, "/data/clip": 0} {
		if got, err := residentOf(strings.NewReader(smaps), file); err != nil || got != want {
			t.Errorf("%s: %d bytes, %v; want %d", file, got, err, want)
		}
	}
}

func TestField(t *testing.T) {
	const status = "Name:\tx\nVmRSS:\t   12345 kB\nRssAnon:\t678 kB\nvoluntary_ctxt_switches:\t9\nnonvoluntary_ctxt_switches:\t3\n"
	for name, want := range map[string]int64{"VmRSS:": 12345, "RssAnon:": 678, "voluntary_ctxt_switches:": 9, "nonvoluntary_ctxt_switches:": 3, "Name:": 0, "Nothing:": 0} {
		if got := field(status, name); got != want {
			t.Errorf("%s %d, want %d", name, got, want)
		}
	}
}
