package slots

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lenslet/board/durable"
)

// A Backend answers what RAUC asks of a boot loader. Its zero value knows the
// places of the image.
type Backend struct {
	Root string // prefix of every path; "" = none
}

const (
	autoboot    = "/boot/card/autoboot.txt"
	bootloader  = "/proc/device-tree/chosen/bootloader"
	cmdline     = "/proc/cmdline"
	pendingFile = "/run/lenslet-slot"      // the slot whose trial is to come; gone with a restart, like the firmware's flag
	badFile     = "/data/rauc/slot.bad"    // the slot that is not whole
	networkFile = "/data/rauc/network.was" // before the trial
)

// Booted is the slot that runs, and whether it is on trial. The error is
// fs.ErrNotExist where the firmware tells nothing.
func (b Backend) Booted() (slot int, trial bool, err error) {
	partition, err := b.cell("partition")
	if err != nil {
		return 0, false, err
	}
	if slot = int(partition); slot == 0 { // of the Pi 5's boot loader before May 2024
		slot = b.ofRoot()
	}
	tryboot, err := b.cell("tryboot")
	return slot, tryboot != 0, err
}

// ofRoot is the slot whose root the kernel was told to mount, 0 if none is.
func (b Backend) ofRoot() int {
	text, _ := os.ReadFile(filepath.Join(b.Root, cmdline)) // none: no slot
	for _, word := range strings.Fields(string(text)) {
		if id, ok := strings.CutPrefix(word, "root=PARTUUID="); ok {
			_, number, _ := strings.Cut(id, "-")
			return map[string]int{"05": 2, "06": 3}[number]
		}
	}
	return 0
}

// cell reads a number of the device tree: 32 bits, big endian.
func (b Backend) cell(name string) (uint32, error) {
	file := filepath.Join(b.Root, bootloader, name)
	v, err := os.ReadFile(file)
	if err == nil && len(v) != 4 {
		err = fmt.Errorf("%s has %d bytes; right would be 4", file, len(v))
	}
	if err != nil {
		return 0, fmt.Errorf("what the firmware has booted is unknown: %w", err)
	}
	return binary.BigEndian.Uint32(v), nil
}

// Primary is the slot that boots next.
func (b Backend) Primary() (int, error) {
	c, err := b.choice()
	if err == nil && b.noted(pendingFile) == c.trial {
		return c.trial, nil
	}
	return c.usual, err
}

// SetPrimary has a slot booted next: the usual one by nothing, the other one by
// a trial that whoever restarts the board asks for.
func (b Backend) SetPrimary(slot int) error {
	c, err := b.choice()
	if err != nil {
		return err
	}
	switch slot {
	case c.usual:
		return b.forget(pendingFile)
	case c.trial:
		if err := b.noteNetwork(); err != nil {
			return err
		}
		return errors.Join(b.note(pendingFile, slot), b.clearBad(slot))
	}
	return unknown(slot)
}

// Good tells whether a slot is whole, as far as is known.
func (b Backend) Good(slot int) (bool, error) {
	c, err := b.choice()
	switch {
	case err != nil:
		return false, err
	case slot != c.usual && slot != c.trial:
		return false, unknown(slot)
	}
	return b.noted(badFile) != slot, nil
}

// SetGood makes the slot that runs on trial the usual one. Another slot that is
// said to be good becomes nothing by it.
func (b Backend) SetGood(slot int) error {
	c, err := b.choice()
	if err != nil {
		return err
	}
	if slot != c.usual && slot != c.trial {
		return unknown(slot)
	}
	booted, trial, err := b.Booted()
	if err != nil {
		return err
	}
	if trial && slot == booted && slot == c.trial {
		if err := c.swap(filepath.Join(b.Root, autoboot)); err != nil {
			return fmt.Errorf("slot %d cannot be made the usual one: %w", slot, err)
		}
	}
	return b.clearBad(slot)
}

// SetBad notes that a slot is not whole, as one that is written. That the usual
// one were bad would leave none to boot.
func (b Backend) SetBad(slot int) error {
	c, err := b.choice()
	switch {
	case err != nil:
		return err
	case slot == c.usual:
		return fmt.Errorf("slot %d boots usually, and no other one has proven to be good; right would be to mark that one good first", slot)
	case slot != c.trial:
		return unknown(slot)
	}
	if b.noted(pendingFile) == slot {
		if err := b.forget(pendingFile); err != nil {
			return err
		}
	}
	return b.note(badFile, slot)
}

func unknown(slot int) error {
	return fmt.Errorf("there is no slot %d; right would be 2 or 3", slot)
}

func (b Backend) choice() (choice, error) { return readChoice(filepath.Join(b.Root, autoboot)) }

// noted is the slot that a file names, 0 if none.
func (b Backend) noted(file string) int {
	text, _ := os.ReadFile(filepath.Join(b.Root, file)) // none: no slot
	slot, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return slot
}

func (b Backend) note(file string, slot int) error {
	return b.write(file, fmt.Appendf(nil, "%d\n", slot))
}

// write replaces a file, so that all of it is there or what was before.
func (b Backend) write(file string, text []byte) error {
	file = filepath.Join(b.Root, file)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	durable.Tidy(filepath.Dir(file))
	return durable.Write(file, 0o644, text)
}

func (b Backend) forget(file string) error {
	file = filepath.Join(b.Root, file)
	switch err := os.Remove(file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return durable.SyncDir(filepath.Dir(file))
}

func (b Backend) clearBad(slot int) error {
	if b.noted(badFile) != slot {
		return nil
	}
	return b.forget(badFile)
}
