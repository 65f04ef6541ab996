package slots

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lenslet/board/card"
)

// sector is what a card writes whole or not at all, in bytes.
const sector = 512

// A choice is autoboot.txt: the slot that boots usually, and the one that is
// booted on trial.
type choice struct {
	usual, trial int
	text         []byte
	at           [2]int // of both digits in text
}

// readChoice reads the file. What is not exactly one choice between two slots is
// an error: then it is better to change nothing.
func readChoice(file string) (c choice, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return c, fmt.Errorf("which slot boots is unknown: %w", err)
	}
	if c, err = parseChoice(text); err != nil {
		return c, fmt.Errorf("%s is left as it is: %w", file, err)
	}
	return c, nil
}

// parseChoice reads the text of the file, as documented for the Raspberry Pi:
// sections, and one NAME=VALUE a line.
func parseChoice(text []byte) (choice, error) {
	c := choice{text: text}
	if len(text) > sector {
		return c, fmt.Errorf("it has %d bytes; right would be %d at most, which are written at once", len(text), sector)
	}
	section, enabled, at := "", false, 0
	found := map[string]int{}
	for line := range bytes.Lines(text) {
		begin := at
		at += len(line)
		word := strings.TrimRight(string(line), "\r\n")
		name, value, isSetting := strings.Cut(word, "=")
		switch {
		case word == "" || word[0] == '#':
		case word == "[all]" || word == "[tryboot]":
			section = word
		case section == "[all]" && word == "tryboot_a_b=1":
			enabled = true
		case isSetting && name == "boot_partition" && section != "":
			if value != "2" && value != "3" {
				return c, fmt.Errorf("its section %s names the partition %q; right would be 2 or 3", section, value)
			}
			if found[section] != 0 {
				return c, fmt.Errorf("its section %s names a partition twice", section)
			}
			found[section] = begin + len("boot_partition=")
		default:
			return c, fmt.Errorf("its line %q is not known here", word)
		}
	}
	switch {
	case !enabled:
		return c, errors.New("its section [all] has no tryboot_a_b=1")
	case found["[all]"] == 0 || found["[tryboot]"] == 0:
		return c, errors.New("it does not name a partition in both sections, [all] and [tryboot]")
	}
	c.at = [2]int{found["[all]"], found["[tryboot]"]}
	c.usual, c.trial = int(text[c.at[0]]-'0'), int(text[c.at[1]]-'0')
	if c.usual == c.trial {
		return c, fmt.Errorf("both of its sections name the partition %d", c.usual)
	}
	return c, nil
}

// swapped is the text with the slots' places changed.
func (c *choice) swapped() []byte {
	text := bytes.Clone(c.text)
	text[c.at[0]], text[c.at[1]] = text[c.at[1]], text[c.at[0]]
	return text
}

// swap makes the slot on trial the usual one. The file is of the same length,
// and lies in one sector: the loss of power leaves the old text or the new one,
// and neither directory nor allocation table says anything else.
func (c *choice) swap(file string) error {
	return card.Writable(filepath.Dir(file), func() error {
		f, err := os.OpenFile(file, os.O_WRONLY|unix.O_SYNC, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(c.swapped(), 0)
		return errors.Join(err, f.Close())
	})
}
