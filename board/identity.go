package board

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// An Identity tells one board from another.
type Identity struct {
	Model  string // "Raspberry Pi Zero 2 W Rev 1.0"; "Linux PC" where nothing is known
	Serial string // of the board, as the firmware writes it; "" if unknown
	MAC    string // "dc:a6:32:01:02:03", of the first physical interface; "" if there is none

	Revision Revision // of a Raspberry Pi; 0: it is none, or the firmware did not tell
	Family   string   // the chip, as the device tree has it: "bcm2837", "rk3588"; "" without a tree

	fallback string // six hex digits for want of a serial and a MAC
}

// Identify reads the identity of the board we run on. What cannot be read is
// empty in it.
func Identify() Identity { return IdentifyIn("/") }

// IdentifyIn is Identify for the file system below root.
func IdentifyIn(root string) Identity {
	return Identity{
		Model:    model(root),
		Serial:   first(root, deviceTree("serial-number")...),
		MAC:      hardwareAddress(root),
		Revision: revision(root),
		Family:   family(root),
		fallback: installation(root),
	}
}

// Suffix is six lower-case hex digits, never fewer, that stay the same across
// restarts: the end of the serial number, else of the hardware address, else
// of a hash over the machine id.
func (id Identity) Suffix() string {
	if s := lastDigits(id.Serial); s != "" {
		return s
	}
	if s := lastDigits(strings.ReplaceAll(id.MAC, ":", "")); s != "" {
		return s
	}
	if id.fallback == "" {
		return "000000"
	}
	return id.fallback
}

// lastDigits is "" where s is no number worth telling boards apart by.
func lastDigits(s string) string {
	s = strings.ToLower(s)
	if len(s) < 6 || strings.Trim(s, "0123456789abcdef") != "" || strings.Trim(s, "0") == "" {
		return ""
	}
	return s[len(s)-6:]
}

// deviceTree is where a root property of the device tree is found. The first
// place is the one /proc/device-tree points to, and needs no /proc.
func deviceTree(property string) []string {
	return []string{"sys/firmware/devicetree/base/" + property, "proc/device-tree/" + property}
}

func model(root string) string {
	if m := first(root, append(deviceTree("model"), "sys/class/dmi/id/product_name")...); m != "" {
		return m
	}
	return "Linux PC"
}

// hardwareAddress is the permanent address of the first Ethernet or Wi-Fi
// interface that has a device behind it. Bridges, containers and addresses
// drawn at random say nothing about the board.
func hardwareAddress(root string) string {
	const permanent = "0" // NET_ADDR_PERM of include/uapi/linux/netdevice.h
	for _, prefix := range []string{"e", "w"} {
		dirs, _ := filepath.Glob(filepath.Join(root, "sys/class/net", prefix+"*")) // sorted
		for _, dir := range dirs {
			name := filepath.Base(dir)
			if !strings.HasPrefix(name, "en") && !strings.HasPrefix(name, "eth") && !strings.HasPrefix(name, "wl") {
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, "device")); err != nil || read(dir, "addr_assign_type") != permanent {
				continue
			}
			if mac := read(dir, "address"); strings.Trim(mac, "0:") != "" {
				return strings.ToLower(mac)
			}
		}
	}
	return ""
}

// installation is a hash, because machine-id(5) is not to be shown.
func installation(root string) string {
	id := first(root, "etc/machine-id", "var/lib/dbus/machine-id", "etc/hostname")
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("lenslet " + id))
	return hex.EncodeToString(sum[:3])
}

// first is the text of the first file below root that has any.
func first(root string, names ...string) string {
	for _, name := range names {
		if s := read(root, name); s != "" {
			return s
		}
	}
	return ""
}

// read gives a file's text without the NUL that ends strings of the device
// tree, and without white space around it; "" if it cannot be read.
func read(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.TrimRight(string(b), "\x00"))
}
