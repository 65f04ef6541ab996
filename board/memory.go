package board

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is how much is left of the board's, in bytes. What the kernel does not
// tell is 0.
type Memory struct {
	Available         int64 // for programs, without swapping
	CMATotal, CMAFree int64 // contiguous, which cameras and codecs need for pictures; a total of 0: there is none
}

// ReadMemory asks the kernel, by /proc/meminfo (proc_meminfo(5)).
func ReadMemory() Memory { return ReadMemoryIn("/") }

// ReadMemoryIn is ReadMemory for the file system below root.
func ReadMemoryIn(root string) (m Memory) {
	b, _ := os.ReadFile(filepath.Join(root, "proc/meminfo")) // none: nothing is known
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 53)
		if err != nil || n < 0 {
			continue
		}
		switch f[0] {
		case "MemAvailable:":
			m.Available = n << 10
		case "CmaTotal:":
			m.CMATotal = n << 10
		case "CmaFree:":
			m.CMAFree = n << 10
		}
	}
	return m
}

// Signal is how strong the Wi-Fi is that the board is in, in dBm: -30 is next to
// the access point, -80 hardly enough. ok is false where no interface is in one.
// Of several the first counts.
func Signal() (dBm int, ok bool) { return SignalIn("/") }

// SignalIn is Signal for the file system below root. It reads the table
// /proc/net/wireless, which the kernel has with CONFIG_CFG80211_WEXT: after two lines of
// heads, an interface a line, its status, and quality, level and noise, each with
// a dot behind it if it is new.
func SignalIn(root string) (dBm int, ok bool) {
	b, _ := os.ReadFile(filepath.Join(root, "proc/net/wireless")) // none: no Wi-Fi
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasSuffix(f[0], ":") {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSuffix(f[3], "."))
		if err == nil && n < 0 && n > -256 { // others are a share of what the driver finds best, or nothing
			return n, true
		}
	}
	return 0, false
}
