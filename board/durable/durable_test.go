package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	for _, text := range []string{"one", "two"} {
		if err := Write(file, 0o600, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		info, _ := os.Stat(file)
		if err != nil || string(got) != text || info.Mode().Perm() != 0o600 {
			t.Errorf("%q with mode %v, %v", got, info.Mode(), err)
		}
	}
	if err := Write(filepath.Join(dir, "none", "secret"), 0o600, nil); err == nil {
		t.Error("written where there is no directory")
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "taken"), 0o600, nil); err == nil {
		t.Error("a directory was replaced")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
