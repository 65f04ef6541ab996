package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lenslet/board/durable"
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

// tidyState removes what a killed lensletd had not finished to write.
func (c *config) tidyState() {
	if dir, err := c.statePath(); err == nil {
		durable.Tidy(dir)
	}
}
