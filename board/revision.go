package board

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Revision is the revision code of a Raspberry Pi, as its documentation
// ("Raspberry Pi revision codes") and /proc/cpuinfo have it. 0 is none.
type Revision uint32

// newStyle marks codes that are made of fields.
const newStyle Revision = 1 << 23

// String is the code as /proc/cpuinfo writes it: "902120"; "" for none.
func (r Revision) String() string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf("%04x", uint32(r))
}

// Memory is how much the board was made with, in bytes; 0 where the code does not
// tell.
func (r Revision) Memory() int64 {
	const bits, reserved = 20, 7
	if r&newStyle == 0 || r>>bits&reserved == reserved {
		return 0
	}
	return 256 << 20 << (r >> bits & reserved)
}

// revision reads system/linux,revision of the device tree, a big-endian cell
// that the firmware writes.
func revision(root string) Revision {
	for _, name := range deviceTree("system/linux,revision") {
		if b, err := os.ReadFile(filepath.Join(root, name)); err == nil && len(b) == 4 {
			return Revision(binary.BigEndian.Uint32(b))
		}
	}
	return 0
}

// family is the last entry of the device tree's compatible, which begins with the
// board and ends with the chip, without the maker's name.
func family(root string) string {
	all := strings.Split(first(root, deviceTree("compatible")...), "\x00")
	_, chip, _ := strings.Cut(all[len(all)-1], ",")
	return chip
}
