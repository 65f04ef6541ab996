package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStateDir(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	for _, test := range []struct {
		name, systemd, setting, xdg, want string
	}{
		{"systemd's", at("s"), at("c"), at("x"), "s"},
		{"the first of systemd's", at("s1") + ":" + at("s2"), "", "", "s1"},
		{"the setting", "", at("c"), at("x"), "c"},
		{"the user's", "", "", at("x"), "x/lenslet"},
		{"the home's", "", "", "", "home/.local/state/lenslet"},
		{"a relative one is none", "", "", "x", "home/.local/state/lenslet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("STATE_DIRECTORY", test.systemd)
			t.Setenv("XDG_STATE_HOME", test.xdg)
			t.Setenv("HOME", at("home"))
			got, err := (&config{State: test.setting}).stateDir()
			if err != nil || got != at(test.want) {
				t.Fatalf("%s, %v", got, err)
			}
			if info, err := os.Stat(got); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

func TestStateDirThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STATE_DIRECTORY", "")
	if got, err := (&config{State: filepath.Join(file, "x")}).stateDir(); err == nil {
		t.Errorf("%s", got)
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "")
	if got, err := (&config{}).stateDir(); err == nil {
		t.Errorf("%s", got)
	}
}
