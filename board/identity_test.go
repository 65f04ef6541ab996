package board

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// recorded lays out the file system of a board in testdata: a line is a path, a
// space, and the file's text as a Go string.
func recorded(t *testing.T, name string) (root string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".board"))
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	for line := range strings.Lines(string(b)) {
		if line[0] == '#' {
			continue
		}
		path, quoted, _ := strings.Cut(strings.TrimSpace(line), " ")
		text, err := strconv.Unquote(quoted)
		if err != nil {
			t.Fatalf("%s: %s: %v", name, line, err)
		}
		put(t, root, path, text)
	}
	return root
}

func put(t *testing.T, root, path, text string) {
	t.Helper()
	file := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestIdentifyIn(t *testing.T) {
	tests := []struct {
		board  string
		want   Identity
		suffix string
	}{
		{"zero2w", Identity{Model: "Raspberry Pi Zero 2 W Rev 1.0", Serial: "00000000ABcdef12", MAC: "d8:3a:dd:01:02:03", Revision: 0x902120, Family: "bcm2837"}, "cdef12"},
		{"pi5", Identity{Model: "Raspberry Pi 5 Model B Rev 1.0", Serial: "5d8f3c2a1b0e4f77", MAC: "2c:cf:67:0a:0b:0c", Revision: 0xc04170, Family: "bcm2712"}, "0e4f77"},
		{"mainline", Identity{Model: "Raspberry Pi 3 Model B Plus Rev 1.3", Serial: "0000000000000000", MAC: "b8:27:eb:0a:1b:2c", Family: "bcm2837"}, "0a1b2c"},
		{"pc", Identity{Model: "ThinkPad X1 Carbon Gen 9", MAC: "54:e1:ad:4e:5f:60"}, "4e5f60"},
		{"rockchip", Identity{Model: "Radxa ROCK 5B", Serial: "RK-2F00X7", MAC: "c8:63:14:7a:7b:7c", Family: "rk3588"}, "7a7b7c"},
		{"zerow", Identity{Model: "Raspberry Pi Zero W Rev 1.1", Serial: "00000000a1b2c3d4", Revision: 0x9000c1, Family: "bcm2835"}, "b2c3d4"},
		{"pi3b", Identity{Model: "Raspberry Pi 3 Model B Rev 1.2", Serial: "00000000b1b2c3d4", Revision: 0xa02082, Family: "bcm2837"}, "b2c3d4"},
		{"pi3bplus", Identity{Model: "Raspberry Pi 3 Model B Plus Rev 1.3", Serial: "00000000b2b2c3d4", Revision: 0xa020d3, Family: "bcm2837"}, "b2c3d4"},
		{"pi3aplus", Identity{Model: "Raspberry Pi 3 Model A Plus Rev 1.0", Serial: "00000000b3b2c3d4", Revision: 0x9020e0, Family: "bcm2837"}, "b2c3d4"},
		{"pi4b1", Identity{Model: "Raspberry Pi 4 Model B Rev 1.1", Serial: "10000000c1b2c3d4", Revision: 0xa03111, Family: "bcm2711"}, "b2c3d4"},
		{"pi4b2", Identity{Model: "Raspberry Pi 4 Model B Rev 1.5", Serial: "10000000c2b2c3d4", Revision: 0xb03115, Family: "bcm2711"}, "b2c3d4"},
		{"pi4b4", Identity{Model: "Raspberry Pi 4 Model B Rev 1.4", Serial: "10000000c4b2c3d4", Revision: 0xc03114, Family: "bcm2711"}, "b2c3d4"},
		{"pi4b8", Identity{Model: "Raspberry Pi 4 Model B Rev 1.4", Serial: "10000000c8b2c3d4", Revision: 0xd03114, Family: "bcm2711"}, "b2c3d4"},
		{"cm4", Identity{Model: "Raspberry Pi Compute Module 4 Rev 1.0", Serial: "10000000d1b2c3d4", Revision: 0xb03140, Family: "bcm2711"}, "b2c3d4"},
		{"virt", Identity{Model: "linux,dummy-virt", Family: "dummy-virt"}, "000000"},
		// printf 'lenslet 0123456789abcdef0123456789abcdef' | sha256sum
		{"container", Identity{Model: "Linux PC"}, "c2acd8"},
	}
	for _, test := range tests {
		t.Run(test.board, func(t *testing.T) {
			got := IdentifyIn(recorded(t, test.board))
			if suffix := got.Suffix(); suffix != test.suffix {
				t.Errorf("suffix %q, want %q", suffix, test.suffix)
			}
			got.fallback = ""
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestIdentifyNothing(t *testing.T) {
	id := IdentifyIn(t.TempDir())
	if want := (Identity{Model: "Linux PC"}); id != want {
		t.Errorf("got %+v, want %+v", id, want)
	}
	if got := id.Suffix(); got != "000000" {
		t.Errorf("suffix %q", got)
	}
}

// The first place that says something counts.
func TestModelInOrder(t *testing.T) {
	root := t.TempDir()
	for _, step := range []struct{ path, text, want string }{
		{"sys/class/dmi/id/product_name", "\n", "Linux PC"},
		{"sys/class/dmi/id/product_name", "NUC11\n", "NUC11"},
		{"proc/device-tree/model", "Old Board\x00", "Old Board"},
		{"sys/firmware/devicetree/base/model", "Board\x00\x00", "Board"},
	} {
		put(t, root, step.path, step.text)
		if got := IdentifyIn(root).Model; got != step.want {
			t.Errorf("with %s: got %q, want %q", step.path, got, step.want)
		}
	}
}

// An address that software chose changes with the software.
func TestHardwareAddressIsPermanent(t *testing.T) {
	for assigned, want := range map[string]string{ // include/uapi/linux/netdevice.h
		"0": "dc:a6:32:01:02:03", // NET_ADDR_PERM
		"1": "",                  // NET_ADDR_RANDOM
		"2": "",                  // NET_ADDR_STOLEN
		"3": "",                  // NET_ADDR_SET
	} {
		root := t.TempDir()
		put(t, root, "sys/class/net/eth0/address", "DC:A6:32:01:02:03\n")
		put(t, root, "sys/class/net/eth0/addr_assign_type", assigned+"\n")
		put(t, root, "sys/class/net/eth0/device/uevent", "")
		if got := IdentifyIn(root).MAC; got != want {
			t.Errorf("addr_assign_type %s: got %q, want %q", assigned, got, want)
		}
	}
}

// Wi-Fi serves where no Ethernet does, whatever their names' order.
func TestHardwareAddressPrefersEthernet(t *testing.T) {
	root := t.TempDir()
	physical := func(name, mac string) {
		put(t, root, "sys/class/net/"+name+"/address", mac)
		put(t, root, "sys/class/net/"+name+"/addr_assign_type", "0")
		put(t, root, "sys/class/net/"+name+"/device/uevent", "")
	}
	physical("can0", "10:00:00:00:00:01")
	physical("usb0", "10:00:00:00:00:02")
	physical("ebridge", "10:00:00:00:00:03")
	physical("wwan0", "10:00:00:00:00:04")
	if got := hardwareAddress(root); got != "" {
		t.Errorf("got %q of an interface that is neither Ethernet nor Wi-Fi", got)
	}
	physical("wlp2s0", "20:00:00:00:00:01")
	if got := hardwareAddress(root); got != "20:00:00:00:00:01" {
		t.Errorf("got %q, want the address of Wi-Fi", got)
	}
	physical("eth1", "30:00:00:00:00:02")
	physical("eth0", "00:00:00:00:00:00")
	if got := hardwareAddress(root); got != "30:00:00:00:00:02" {
		t.Errorf("got %q, want the first Ethernet address that is one", got)
	}
}

func TestSuffix(t *testing.T) {
	tests := []struct {
		name string
		id   Identity
		want string
	}{
		{"serial", Identity{Serial: "10000000ABCDEF01", MAC: "02:00:00:11:22:33"}, "cdef01"},
		{"short serial", Identity{Serial: "12345", MAC: "02:00:00:11:22:33"}, "112233"},
		{"exactly six", Identity{Serial: "123456"}, "123456"},
		{"serial of zeros", Identity{Serial: "000000000000", MAC: "02:00:00:AA:22:33"}, "aa2233"},
		{"serial with dashes", Identity{Serial: "1234-5678", fallback: "0f0f0f"}, "0f0f0f"},
		{"only the machine", Identity{fallback: "0a0b0c"}, "0a0b0c"},
		{"nothing", Identity{}, "000000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.id.Suffix(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// The machine id itself must not be read off the name.
func TestFallbackIsAHash(t *testing.T) {
	root := t.TempDir()
	put(t, root, "etc/hostname", "attic\n")
	byName := IdentifyIn(root).Suffix()
	put(t, root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	byID := IdentifyIn(root).Suffix()
	if byName == byID || strings.Contains("0123456789abcdef0123456789abcdef", byID) {
		t.Errorf("suffixes %q by host name and %q by machine id", byName, byID)
	}
	if again := IdentifyIn(root).Suffix(); again != byID {
		t.Errorf("suffix %q, then %q", byID, again)
	}
}

// What we run on right now, whatever it is.
func TestIdentifyHere(t *testing.T) {
	id := Identify()
	if id.Model == "" || id != Identify() {
		t.Errorf("got %+v, then %+v", id, Identify())
	}
	if !regexp.MustCompile(`^[0-9a-f]{6}$`).MatchString(id.Suffix()) {
		t.Errorf("suffix %q is not six hex digits", id.Suffix())
	}
}

func FuzzSuffix(f *testing.F) {
	f.Add("10000000abcdef01", "02:00:00:11:22:33")
	f.Add("", "")
	f.Add("ÄÖÜ-123456", "::::::")
	digits := regexp.MustCompile(`^[0-9a-f]{6}$`)
	f.Fuzz(func(t *testing.T, serial, mac string) {
		if s := (Identity{Serial: serial, MAC: mac}).Suffix(); !digits.MatchString(s) {
			t.Errorf("suffix %q of serial %q, MAC %q", s, serial, mac)
		}
	})
}
