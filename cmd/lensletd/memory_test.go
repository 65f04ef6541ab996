package main

import (
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestMemoryLimit(t *testing.T) {
	const kib512, unit = "MemTotal:         524288 kB\nMemFree: 1 kB\n", "sys/fs/cgroup/system.slice/lenslet.service/memory.max"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing is known", nil, 0},
		{"no number", map[string]string{"proc/meminfo": "MemTotal: many kB\n"}, 0},
		{"another unit", map[string]string{"proc/meminfo": "MemTotal: 512 MB\n"}, 0},
		{"512 MiB", map[string]string{"proc/meminfo": kib512}, 128 << 20},
		{"64 MiB", map[string]string{"proc/meminfo": "MemTotal: 65536 kB\n"}, memoryLeast},
		{"8 GiB", map[string]string{"proc/meminfo": "MemTotal: 8388608 kB\n"}, memoryMost},
		{"a service without a limit", map[string]string{"proc/meminfo": kib512, "proc/self/cgroup": "0::/system.slice/lenslet.service\n", unit: "max\n"}, 128 << 20},
		{"a service with one", map[string]string{"proc/meminfo": kib512, "proc/self/cgroup": "0::/system.slice/lenslet.service\n", unit: "201326592\n"}, 48 << 20},
		{"a slice with one", map[string]string{"proc/meminfo": kib512, "proc/self/cgroup": "1:cpu:/x\n0::/system.slice/lenslet.service\n", "sys/fs/cgroup/system.slice/memory.max": "201326592", unit: "max"}, 48 << 20},
		{"one above what there is", map[string]string{"proc/meminfo": kib512, "proc/self/cgroup": "0::/system.slice/lenslet.service\n", unit: "99999999999\n"}, 128 << 20},
		{"no group", map[string]string{"proc/meminfo": kib512, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1"}, 128 << 20},
		{"above its root", map[string]string{"proc/meminfo": kib512, "proc/self/cgroup": "0::/../../x\n"}, 128 << 20},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := memoryLimit(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// GOMEMLIMIT in the environment wins.
func TestBoundMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	root := fstest.MapFS{"proc/meminfo": &fstest.MapFile{Data: []byte("MemTotal: 524288 kB\n")}}
	set := func(string) string { return "100MiB" }
	if boundMemory(set, root) != 0 || debug.SetMemoryLimit(-1) != before {
		t.Error("the environment does not win")
	}
	unset := func(string) string { return "" }
	if boundMemory(unset, fstest.MapFS{}) != 0 || debug.SetMemoryLimit(-1) != before {
		t.Error("a limit though nothing is known")
	}
	if boundMemory(unset, root) != 128<<20 || debug.SetMemoryLimit(-1) != 128<<20 {
		t.Errorf("the limit is %d", debug.SetMemoryLimit(-1))
	}
}
