package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// statePath is the directory of what must outlive the daemon: what systemd gives
// (StateDirectory=), else the setting, else that of the user. It need not be
// there.
func (c *config) statePath() (string, error) {
	dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":") // systemd.exec(5): a list
	if dir == "" {
		dir = c.State
	}
	if dir == "" {
		base := os.Getenv("XDG_STATE_HOME")
		if !filepath.IsAbs(base) { // XDG base directories: anything else is to be ignored
			home, err := os.UserHomeDir()
			if err != nil {
				return "", fmt.Errorf("no place to keep state in; the setting state can name one: %w", err)
			}
			base = filepath.Join(home, ".local", "state")
		}
		dir = filepath.Join(base, "lenslet")
	}
	return dir, nil
}

// stateDir is that directory, made for its owner alone if it was not there.
func (c *config) stateDir() (string, error) {
	dir, err := c.statePath()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	return dir, nil
}

// writeWhole writes a file so that whoever reads it, also after a loss of power,
// finds all of it or what was there before.
func writeWhole(file string, mode os.FileMode, data []byte) error {
	return writeOwned(file, mode, -1, -1, data)
}

// writeOwned does so with an owner, which -1 leaves as it is.
func writeOwned(file string, mode os.FileMode, uid, gid int, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
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
		err = syncDir(filepath.Dir(file)) // else the loss of power could take the new name
	}
	return err
}

// syncDir writes the names in a directory to the disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// tidyState removes what a killed lensletd had not finished to write.
func (c *config) tidyState() {
	dir, err := c.statePath()
	if err != nil {
		return
	}
	unfinished, _ := filepath.Glob(filepath.Join(dir, ".new-*")) // the pattern is good
	for _, file := range unfinished {
		_ = os.Remove(file) // it does no harm
	}
}
