// Package durable writes files that a loss of power leaves whole: whoever reads one
// finds all of it, or all of what was there before.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// unfinished are the names of files whose writing was not ended.
const unfinished = ".new-*"

// Write replaces a file at once, with a mode whatever the umask is. Its directory
// must be there.
func Write(file string, mode os.FileMode, data []byte) error {
	return WriteOwned(file, mode, -1, -1, data)
}

// WriteOwned does so with an owner, which -1 leaves as it is.
func WriteOwned(file string, mode os.FileMode, uid, gid int, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	owned := func() error { return f.Chown(uid, gid) }
	if uid < 0 {
		owned = func() error { return nil }
	}
	for _, step := range []func() error{func() error { return f.Chmod(mode) }, owned, f.Sync} {
		if err == nil {
			err = step()
		}
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err == nil {
		err = SyncDir(filepath.Dir(file)) // else the loss of power could take the new name
	}
	return err
}

// SyncDir writes the names in a directory to the disk.
func SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Tidy removes from a directory what a process that was killed had not finished to
// write. Nobody writes there meanwhile.
func Tidy(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, unfinished)) // the pattern is good
	for _, file := range files {
		_ = os.Remove(file) // it does no harm
	}
}
