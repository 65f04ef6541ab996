package slots

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const fresh = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"

// A recorded board, with its files.
func recorded(t *testing.T, text string, booted, tryboot uint32) Backend {
	t.Helper()
	b := Backend{Root: t.TempDir()}
	put(t, b, autoboot, []byte(text))
	put(t, b, bootloader+"/partition", binary.BigEndian.AppendUint32(nil, booted))
	put(t, b, bootloader+"/tryboot", binary.BigEndian.AppendUint32(nil, tryboot))
	put(t, b, routes4, []byte("Iface\tDestination\tGateway\n"))
	return b
}

func put(t *testing.T, b Backend, name string, text []byte) {
	t.Helper()
	file := filepath.Join(b.Root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, b Backend, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.Root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// primary is the slot that boots next.
func primary(t *testing.T, b Backend, want int) {
	t.Helper()
	if got, err := b.Primary(); err != nil || got != want {
		t.Errorf("the primary slot is %d (%v), want %d", got, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A firmware that does not tell the partition is known by the root that its
// cmdline.txt names.
func TestSlotByItsRoot(t *testing.T) {
	for line, want := range map[string]int{
		"coherent_pool=1M root=PARTUUID=4c4e534c-06 rootfstype=squashfs ro\n": 3, "root=PARTUUID=4c4e534c-05 ro": 2,
		"root=/dev/mmcblk0p6 ro": 0, "root=PARTUUID=4c4e534c-07": 0, "": 0,
	} {
		b := recorded(t, fresh, 0, 1)
		put(t, b, cmdline, []byte(line))
		if slot, trial, err := b.Booted(); slot != want || !trial || err != nil {
			t.Errorf("%q: slot %d, %v, %v", line, slot, trial, err)
		}
		if want == 3 {
			must(t, b.SetGood(3))
			primary(t, b, 3)
		}
		put(t, b, bootloader+"/partition", []byte{0, 0, 0, 2}) // what the firmware tells, counts
		if slot, _, err := b.Booted(); slot != 2 || err != nil {
			t.Errorf("%q: slot %d, %v", line, slot, err)
		}
	}
}

// An update as RAUC does it: the other slot is bad while it is written, then the
// primary one, by a trial; on trial it is marked good.
func TestUpdate(t *testing.T) {
	b := recorded(t, fresh, 2, 0)
	primary(t, b, 2)
	must(t, b.SetBad(3))
	if good, err := b.Good(3); good || err != nil {
		t.Errorf("the slot that is written is good (%v)", err)
	}
	must(t, b.SetPrimary(3))
	if good, err := b.Good(3); !good || err != nil {
		t.Errorf("the slot that was written is bad (%v)", err)
	}
	primary(t, b, 3)
	if text := get(t, b, autoboot); text != fresh {
		t.Fatalf("before the trial, autoboot.txt is\n%s", text)
	}

	trial := recorded(t, fresh, 3, 1) // /run is empty after a restart
	primary(t, trial, 2)
	before, err := os.Stat(filepath.Join(trial.Root, autoboot))
	must(t, err)
	must(t, trial.SetGood(3))
	primary(t, trial, 3)
	if text := get(t, trial, autoboot); text != "[all]\ntryboot_a_b=1\nboot_partition=3\n[tryboot]\nboot_partition=2\n" {
		t.Errorf("after the trial, autoboot.txt is\n%s", text)
	}
	after, err := os.Stat(filepath.Join(trial.Root, autoboot))
	must(t, err)
	if !os.SameFile(before, after) || before.Size() != after.Size() {
		t.Error("autoboot.txt was not written in place")
	}
	must(t, trial.SetGood(3)) // once more changes nothing
	primary(t, trial, 3)
	if good, err := trial.Good(2); !good || err != nil {
		t.Errorf("the slot before is bad (%v)", err)
	}
}

func TestTrialIsTakenBack(t *testing.T) {
	b := recorded(t, fresh, 2, 0)
	must(t, b.SetPrimary(3))
	must(t, b.SetPrimary(2))
	primary(t, b, 2)
	must(t, b.SetPrimary(3))
	must(t, b.SetBad(3))
	primary(t, b, 2)
}

// Nothing but the slot that runs on trial becomes the usual one.
func TestOnlyATrialIsMarkedGood(t *testing.T) {
	for name, b := range map[string]Backend{
		"not on trial":            recorded(t, fresh, 3, 0),
		"the other one runs":      recorded(t, fresh, 2, 1),
		"the usual one":           recorded(t, fresh, 2, 0),
		"another slot than named": recorded(t, fresh, 5, 1),
	} {
		if err := b.SetGood(3); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text := get(t, b, autoboot); text != fresh {
			t.Errorf("%s: autoboot.txt is\n%s", name, text)
		}
	}
	silent := recorded(t, fresh, 3, 1)
	must(t, os.RemoveAll(filepath.Join(silent.Root, bootloader)))
	if err := silent.SetGood(3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the firmware's word: %v", err)
	}
}

func TestTheLastSlotIsNotBad(t *testing.T) {
	b := recorded(t, fresh, 2, 0)
	if err := b.SetBad(2); err == nil || !strings.Contains(err.Error(), "no other one") {
		t.Errorf("the usual slot is marked bad: %v", err)
	}
	for _, do := range []func(int) error{b.SetBad, b.SetGood, b.SetPrimary} {
		if err := do(4); err == nil || !strings.Contains(err.Error(), "there is no slot 4; right would be 2 or 3") {
			t.Errorf("slot 4: %v", err)
		}
	}
}

// A file that somebody else wrote, or half of one: a sentence, and nothing changes.
func TestForeignFile(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "no tryboot_a_b=1"},
		"torn":              {fresh[:37], "partition in both sections"},
		"torn in a number":  {fresh[:len(fresh)-2], `names the partition ""`},
		"zeros":             {strings.Repeat("\x00", 61), "is not known here"},
		"without a/b":       {strings.Replace(fresh, "tryboot_a_b=1\n", "", 1), "no tryboot_a_b=1"},
		"one slot":          {strings.Replace(fresh, "=3", "=2", 1), "both of its sections name the partition 2"},
		"another partition": {strings.Replace(fresh, "=3", "=12", 1), `names the partition "12"`},
		"twice":             {fresh + "boot_partition=3\n", "names a partition twice"},
		"a filter":          {"[pi4]\nboot_partition=2\n" + fresh, `"[pi4]"`},
		"long":              {fresh + strings.Repeat("#\n", 256), "512 at most"},
	} {
		b := recorded(t, c.text, 3, 1)
		_, err := b.Primary()
		for _, err := range []error{err, b.SetPrimary(3), b.SetGood(3), b.SetBad(3)} {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "autoboot.txt is left as it is: ") {
				t.Errorf("%s: %v, want %q", name, err, c.want)
			}
		}
		if text := get(t, b, autoboot); text != c.text {
			t.Errorf("%s: it was written", name)
		}
		for _, file := range []string{pendingFile, badFile} {
			if b.noted(file) != 0 {
				t.Errorf("%s: %s was written", name, file)
			}
		}
	}
}

// What an owner's editor leaves: line ends of DOS, comments, empty lines.
func TestEditedFile(t *testing.T) {
	text := "# edited\r\n\r\n" + strings.ReplaceAll(fresh, "\n", "\r\n")
	b := recorded(t, text, 3, 1)
	must(t, b.SetGood(3))
	primary(t, b, 3)
	want := strings.NewReplacer("=2\r", "=3\r", "=3\r", "=2\r").Replace(text)
	if got := get(t, b, autoboot); got != want {
		t.Errorf("it became %q, want %q", got, want)
	}
}

func TestMissing(t *testing.T) {
	was := parseLinks([]byte("eth0 02:00:00:00:00:01 ipv4 ipv4-route\nwlan0 02:00:00:00:00:02 ipv4-link-local\nbad line\n"))
	for name, c := range map[string]struct {
		now  string
		want []string
	}{
		"as it was":   {"eth0 02:00:00:00:00:01 ipv4 ipv4-route\nwlan0 02:00:00:00:00:02 ipv4-link-local\n", nil},
		"more":        {"eth0 02:00:00:00:00:01 ipv4 ipv6 ipv4-route\nwlan0 02:00:00:00:00:02 ipv4\n", nil},
		"renamed":     {"end0 02:00:00:00:00:01 ipv4 ipv4-route\nwlan0 02:00:00:00:00:02 ipv4\n", nil},
		"another MAC": {"eth0 02:00:00:00:00:09 ipv4 ipv4-route\nwlan0 02:00:00:00:00:02 ipv4\n", nil},
		"no route":    {"eth0 02:00:00:00:00:01 ipv4\nwlan0 02:00:00:00:00:02 ipv4\n", []string{"eth0 has no ipv4 route"}},
		"no Wi-Fi":    {"eth0 02:00:00:00:00:01 ipv4 ipv4-route\n", []string{"wlan0 has no ipv4 link local"}},
		"no lease":    {"eth0 02:00:00:00:00:01 ipv4-link-local\nwlan0 02:00:00:00:00:02 ipv4\n", []string{"eth0 has no ipv4", "eth0 has no ipv4 route"}},
	} {
		if got := missing(was, parseLinks([]byte(c.now))); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// The network of whoever runs the test is as it was a moment ago.
func TestNetworkIsAsItWas(t *testing.T) {
	b := recorded(t, fresh, 2, 0)
	if words, err := b.Missing(); len(words) != 0 || err != nil {
		t.Errorf("without a note, %q is missing (%v)", words, err)
	}
	must(t, b.SetPrimary(3))
	if words, err := b.Missing(); len(words) != 0 || err != nil {
		t.Errorf("missing: %q (%v)", words, err)
	}
	put(t, b, networkFile, []byte(get(t, b, networkFile)+"away0 02:ff:ff:ff:ff:ff ipv4\n"))
	if words, err := b.Missing(); !slices.Equal(words, []string{"away0 has no ipv4"}) || err != nil {
		t.Errorf("missing: %q (%v)", words, err)
	}
}

func TestRoutes(t *testing.T) {
	b := recorded(t, fresh, 2, 0)
	put(t, b, routes4, []byte("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"+
		"eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth1\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"))
	put(t, b, routes6, []byte("00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000002 00000400 00000001 00000000 00000003     eth1\n"+
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"))
	found, err := b.routed()
	if err != nil || !slices.Equal(found["eth0"], []string{route4}) || !slices.Equal(found["eth1"], []string{route6}) || len(found) != 2 {
		t.Errorf("default routes %v (%v)", found, err)
	}
}
