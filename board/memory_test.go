package board

import "testing"

func TestReadMemoryIn(t *testing.T) {
	const kB = 1 << 10
	for board, want := range map[string]Memory{
		"zerow":     {300000 * kB, 65536 * kB, 41000 * kB},
		"zero2w":    {210000 * kB, 262144 * kB, 9000 * kB},
		"pi4b4":     {3600000 * kB, 524288 * kB, 508000 * kB},
		"pi5":       {3600000 * kB, 65536 * kB, 60000 * kB},
		"virt":      {800000 * kB, 32768 * kB, 32000 * kB},
		"container": {},
	} {
		if got := ReadMemoryIn(recorded(t, board)); got != want {
			t.Errorf("%s: got %+v, want %+v", board, got, want)
		}
	}
	root := t.TempDir()
	put(t, root, "proc/meminfo", "MemAvailable: -5 kB\nCmaTotal: 99999999999999999999 kB\nCmaFree: 5 MB\nCmaFree:\n")
	if got := ReadMemoryIn(root); got != (Memory{}) {
		t.Errorf("nonsense is %+v", got)
	}
	if got := ReadMemory(); got.Available <= 0 || got.CMAFree > got.CMATotal {
		t.Errorf("here: %+v", got)
	}
}

func TestSignalIn(t *testing.T) {
	const heads = "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n" +
		" face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"
	tests := []struct {
		name, table string
		want        int
		ok          bool
	}{
		{"no Wi-Fi", heads, 0, false},
		{"in none", heads + " wlan0: 0000    0.  -256.  -256        0      0      0      0      0        0\n", 0, false},
		{"not new", heads + " wlan0: 0000   70   -40   -256        0      0      0      0      0        0\n", -40, true},
		{"a share", heads + " wlan0: 0000  100.   78.    0.        0      0      0      0      0        0\n", 0, false},
		{"the second", heads + " wlan0: 0000    0    0    0 0 0 0 0 0 0\n wlan1: 0000   58.  -61.  -256 0 0 0 0 0 0\n", -61, true},
		{"cut off", heads + " wlan0: 0000   58.", 0, false},
	}
	for _, test := range tests {
		root := t.TempDir()
		put(t, root, "proc/net/wireless", test.table)
		if got, ok := SignalIn(root); got != test.want || ok != test.ok {
			t.Errorf("%s: got %d, %v", test.name, got, ok)
		}
	}
	for board, want := range map[string]int{"zerow": -61, "zero2w": -48, "pi5": 0} {
		if got, ok := SignalIn(recorded(t, board)); got != want || ok != (want != 0) {
			t.Errorf("%s: got %d, %v", board, got, ok)
		}
	}
	if got, ok := Signal(); ok && (got >= 0 || got < -120) {
		t.Errorf("here: %d", got)
	}
}
