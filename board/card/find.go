package card

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of the owner.
const (
	SettingsName = "lenslet.toml"
	WiFiName     = "wifi.conf"
	HostName     = "hostname"
	KeysName     = "authorized_keys"
)

// largest are the files of the owner in order, with the bytes that each may have.
func largest() []struct {
	name string
	size int64
} {
	return []struct {
		name string
		size int64
	}{{HostName, 4 << 10}, {WiFiName, 16 << 10}, {KeysName, 64 << 10}, {SettingsName, 64 << 10}}
}

// A File is one of the owner's.
type File struct {
	Name     string   // as the owner wrote it, such as WIFI.CONF.txt
	Lines    []string // without their ends; those that are no text are empty
	Mistakes []Mistake

	raw  []byte
	text string // of raw, with its line ends
	as   encoding
}

// Wrong notes a mistake.
func (f *File) Wrong(line int, format string, args ...any) {
	f.Mistakes = append(f.Mistakes, Mistake{f.Name, line, fmt.Sprintf(format, args...)})
}

// Files finds the owner's files in dir, by the names that they should have. Upper
// case and an ending .txt, which Windows may hide, are no matter. A file that
// cannot be read is left out, and is one of the mistakes.
func Files(dir string) (files map[string]*File, mistakes []Mistake, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("the card: %w", err)
	}
	files = map[string]*File{}
	for _, want := range largest() {
		names := candidates(entries, want.name)
		if len(names) == 0 {
			continue
		}
		for _, name := range names[1:] {
			mistakes = append(mistakes, Mistake{name, 0, "is not read, since " + names[0] + " is there, too"})
		}
		f := &File{Name: names[0]}
		if err := f.read(filepath.Join(dir, f.Name), want.size); err != nil {
			mistakes = append(mistakes, Mistake{f.Name, 0, err.Error()})
			continue
		}
		files[want.name] = f
	}
	return files, mistakes, nil
}

// candidates are the names that may stand for one, the best first.
func candidates(entries []fs.DirEntry, name string) (names []string) {
	for _, as := range []func(is string) bool{
		func(is string) bool { return is == name },
		func(is string) bool { return is != name && strings.EqualFold(is, name) },
		func(is string) bool { return strings.EqualFold(is, name+".txt") },
	} {
		for _, e := range entries { // in the order of their names
			if as(e.Name()) {
				names = append(names, e.Name())
			}
		}
	}
	return names
}

// read reads a file of at most so many bytes.
func (f *File) read(path string, size int64) error {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return errors.New("is no file")
	}
	file, err := os.Open(path)
	if err != nil {
		return errors.New("cannot be read")
	}
	f.raw, err = io.ReadAll(io.LimitReader(file, size+1))
	if closed := file.Close(); err == nil {
		err = closed
	}
	switch {
	case err != nil:
		return errors.New("cannot be read")
	case int64(len(f.raw)) > size:
		return fmt.Errorf("has more than %d bytes", size)
	}
	if f.text, f.as, err = decode(f.raw); err != nil {
		return err
	}
	f.Lines = f.lines(f.text)
	return nil
}
