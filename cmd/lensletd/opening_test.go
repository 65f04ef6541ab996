package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/board"
	"lenslet/capture"
	"lenslet/encoder"
)

// TestOpeningThatFails: devices that hang or fail when they are opened are counted as
// a stream that stands still is, and the third start in a row ends with the error that
// starts the board anew. Mistakes are not counted.
func TestOpeningThatFails(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	for _, c := range []struct {
		name          string
		open          error // nil: it never ends
		before, after string
		want          error
	}{
		{"hangs", nil, "", "1\n", errNoAnswer},
		{"hangs again", nil, "2\n", "3\n", errReboot},
		{"hangs also after that", nil, "3\n", "3\n", errNoAnswer},
		{"fails", unix.EIO, "", "1\n", unix.EIO},
		{"fails again", unix.ETIMEDOUT, "2\n", "3\n", errReboot},
		{"is none", unix.ENOTTY, "2\n", "2\n", unix.ENOTTY},
		{"is not there", fs.ErrNotExist, "", "", fs.ErrNotExist},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Dir(newState(t))
			_ = supervisor(t, "15000000")
			file := filepath.Join(dir, rescueFile)
			if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(file, []byte(c.before), 0o600)); err != nil {
				t.Fatal(err)
			}
			o, err := parseFlags([]string{"-listen", "127.0.0.1:0", "-auth", "none", "-source", "/dev/cam"}, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			o.MDNS = false
			d := &daemon{config: o.config, stdout: io.Discard, id: board.Identify(), log: slog.New(slog.DiscardHandler),
				openSource: func(string, *slog.Logger) (encoder.Source, error) {
					if c.open == nil {
						<-hang
						return nil, unix.EIO
					}
					return nil, fmt.Errorf("camera /dev/cam: %w", c.open)
				}}
			if c.open == nil {
				d.timing.open = 100 * time.Millisecond
			}
			ctx, cancel := timeout(t)
			defer cancel()
			if err := d.serve(ctx); !errors.Is(err, c.want) || errors.Is(err, errReboot) != (c.want == errReboot) {
				t.Errorf("ended with %v, want %v", err, c.want)
			}
			if b, _ := os.ReadFile(file); string(b) != c.after {
				t.Errorf("the count is %q, want %q", b, c.after)
			}
		})
	}
}

// TestIsFault: what a driver says of its device counts, not what is missing, in use,
// or named by mistake.
func TestIsFault(t *testing.T) {
	none := func(errs ...error) error {
		var e encoder.NoEncoder
		for _, err := range errs {
			e.Looked = append(e.Looked, capture.Looked{Path: "/dev/video0", Err: err})
		}
		return &partError{"encoder", fmt.Errorf("no H.264 encoder: %w; %w", &e, errors.New("no software"))}
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errNoAnswer, true},
		{&partError{"encoder", fmt.Errorf("encoder /dev/video11: %w", unix.EIO)}, true},
		{&partError{"encoder", fmt.Errorf("encoder /dev/video11: %w", unix.EBUSY)}, false},
		{&partError{"encoder", fmt.Errorf("encoder /dev/video11: %w", unix.EACCES)}, false},
		{&partError{"source", errors.New("(cam) is a codec or a converter")}, false},
		{none(), false},
		{none(errors.New("(cam) is no codec"), fmt.Errorf("cannot be opened: %w", unix.EBUSY)), false},
		{none(errors.New("(cam) is no codec"), fmt.Errorf("cannot be opened: %w", unix.ETIME)), true},
		{&usageError{text: "gop: 0", cause: unix.EINVAL}, false},
		{unix.EADDRINUSE, false},
	} {
		if got := isFault(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
