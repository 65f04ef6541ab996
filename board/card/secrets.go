package card

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Secret is a line of a file that is not to stay on the card.
type Secret struct {
	Line int      // from 1
	Rest []string // what stays of it: the first that is short enough; else nothing does
}

// without is the file with other lines in place of secrets, and with as many
// bytes: FAT has no change that a loss of power leaves whole or undone but that of
// bytes in their place. It also leaves no secret in free sectors.
func (f *File) without(secrets []Secret) []byte {
	if len(secrets) == 0 {
		return f.raw
	}
	lines := ended(f.text)
	for _, s := range secrets {
		line := strings.TrimRight(lines[s.Line-1], "\r\n")
		end := lines[s.Line-1][len(line):]
		room, rest := f.as.units(line), ""
		for _, r := range append(s.Rest, "#") {
			if f.as.units(r) <= room {
				rest = r
				break
			}
		}
		lines[s.Line-1] = rest + strings.Repeat(" ", room-f.as.units(rest)) + end
	}
	return f.as.encode(strings.Join(lines, ""))
}

// ended are the lines of a text with their ends: LF, CRLF or CR.
func ended(text string) (lines []string) {
	for text != "" {
		n := strings.IndexAny(text, "\r\n")
		switch {
		case n < 0:
			return append(lines, text)
		case strings.HasPrefix(text[n:], "\r\n"):
			n++
		}
		lines, text = append(lines, text[:n+1]), text[n+1:]
	}
	return lines
}

// pendingPrefix begins the names of files in the system's directory that say what
// a file on the card is being changed from and to: both texts, one behind the
// other.
const pendingPrefix = "pending-"

// announce notes that the bytes of a file will be changed.
func (t *Takeover) announce(name string, f *File, to []byte) error {
	if len(to) != len(f.raw) {
		return fmt.Errorf("%s: the secrets in it cannot be removed in place", f.Name)
	}
	return t.store(pendingPrefix+name, append(bytes.Clone(f.raw), to...))
}

// overwrite changes bytes of a file on the card, in their place.
func (t *Takeover) overwrite(name string, from, to []byte) (err error) {
	if err := t.at("overwrite " + name); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(t.Card, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	first, end := 0, len(to)
	for first < end && from[first] == to[first] {
		first++
	}
	for end > first && from[end-1] == to[end-1] {
		end--
	}
	if _, err := file.WriteAt(to[first:end], int64(first)); err != nil {
		return err
	}
	return file.Sync()
}

// finish ends changes that a loss of power broke off: where a file consists of
// bytes before and after, it is what that left. What the owner changed meanwhile
// stays.
func (t *Takeover) finish() error {
	for _, want := range largest() {
		both, err := os.ReadFile(filepath.Join(t.System, pendingPrefix+want.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		from, to := both[:len(both)/2], both[len(both)/2:]
		files, _, err := Files(t.Card)
		if err != nil {
			return err
		}
		if f := files[want.name]; f != nil && !bytes.Equal(f.raw, to) && between(f.raw, from, to) {
			if err := t.writable(func() error { return t.overwrite(f.Name, f.raw, to) }); err != nil {
				return err
			}
		}
		if err := t.remove(pendingPrefix + want.name); err != nil {
			return err
		}
	}
	return nil
}

// between tells whether each byte is the one before or the one after.
func between(b, from, to []byte) bool {
	if len(b) != len(from) || len(b) != len(to) {
		return false
	}
	for i := range b {
		if b[i] != from[i] && b[i] != to[i] {
			return false
		}
	}
	return true
}
