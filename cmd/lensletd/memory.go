package main

import (
	"bufio"
	"io/fs"
	slash "path"
	"runtime/debug"
	"strconv"
	"strings"
)

// Bounds of what Go may take, in bytes. It takes some 10 MB; what it needs beyond
// is for viewers who are slow, at most 2 MiB each.
const (
	memoryLeast = 32 << 20
	memoryMost  = 256 << 20
)

// boundMemory lets Go collect garbage in time for a small board: from a quarter
// of its memory on, or of what the service may have. Who sets GOMEMLIMIT knows
// better. root is the root directory. It tells the limit; 0: it set none.
func boundMemory(getenv func(string) string, root fs.FS) int64 {
	limit := memoryLimit(root)
	if getenv("GOMEMLIMIT") != "" || limit == 0 {
		return 0
	}
	debug.SetMemoryLimit(limit)
	return limit
}

// memoryLimit is 0 where the memory of the board is not known.
func memoryLimit(root fs.FS) int64 {
	has := totalMemory(root)
	if has == 0 {
		return 0
	}
	if most := serviceMemory(root); most > 0 {
		has = min(has, most)
	}
	return max(memoryLeast, min(has/4, memoryMost))
}

// totalMemory is what the kernel has, in bytes (proc_meminfo(5)); 0: unknown.
func totalMemory(root fs.FS) int64 {
	b, _ := fs.ReadFile(root, "proc/meminfo") // none: unknown
	_, rest, _ := strings.Cut(string(b), "MemTotal:")
	if f := strings.Fields(rest); len(f) > 1 && f[1] == "kB" {
		if n, err := strconv.ParseInt(f[0], 10, 64); err == nil && n > 0 && n < 1<<50 {
			return n << 10
		}
	}
	return 0
}

// serviceMemory is the least memory.max of the control groups (version 2) that
// this process is in, in bytes; 0: no limit.
func serviceMemory(root fs.FS) (least int64) {
	b, _ := fs.ReadFile(root, "proc/self/cgroup") // none: no limit
	lines := bufio.NewScanner(strings.NewReader(string(b)))
	for lines.Scan() {
		group, ok := strings.CutPrefix(lines.Text(), "0::/")
		for dir := slash.Clean(group); ok && dir != "."; dir = slash.Dir(dir) {
			b, _ := fs.ReadFile(root, slash.Join("sys/fs/cgroup", dir, "memory.max"))
			n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64) // "max" is none
			if err == nil && n > 0 && (least == 0 || n < least) {
				least = n
			}
		}
	}
	return least
}
