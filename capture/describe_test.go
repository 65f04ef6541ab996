package capture

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDescribeErrors(t *testing.T) {
	none := filepath.Join(t.TempDir(), "video0")
	for path, want := range map[string]error{none: fs.ErrNotExist, "/dev/null": unix.ENOTTY} {
		_, err := Describe(path)
		if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "describe "+path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
