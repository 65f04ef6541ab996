package update

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// find gives the file of a program in the folders of PATH; "": there is none.
func find(program string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		file := filepath.Join(dir, program)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

func onPath(program string) bool { return find(program) != "" }

// run runs a program to its end, or until ctx ends, and gives each line that it
// says to tell; those of stderr too. An error has the last line of it.
// (os/exec would cost the daemon as much as all of this package.)
func run(ctx context.Context, tell func(line string), program string, args ...string) error {
	file := find(program)
	if file == "" {
		return fmt.Errorf("%s is not installed", program)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	defer r.Close()
	p, err := os.StartProcess(file, append([]string{program}, args...), &os.ProcAttr{
		Env: append(os.Environ(), "LC_ALL=C"), Files: []*os.File{nil, w, w},
	})
	_ = w.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	defer context.AfterFunc(ctx, func() { _ = p.Kill() })()
	last := lines(r, tell)
	state, err := p.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%s: %w", program, err)
	case !state.Success():
		return &programError{program: program, last: last, state: state.String()}
	}
	return nil
}

// A programError is a program that ended with another status than 0.
type programError struct{ program, last, state string }

// Error is what the program said last.
func (e *programError) Error() string {
	if e.last == "" {
		return e.program + ": " + e.state
	}
	return e.program + ": " + e.last
}

// lines gives each line to tell, and the last one that is not empty to its
// caller. Longer ones than 4 KiB are cut.
func lines(r io.Reader, tell func(string)) (last string) {
	b := bufio.NewReaderSize(r, 4<<10)
	for {
		line, err := b.ReadSlice('\n')
		if text := strings.TrimSpace(clean(string(line))); text != "" {
			last = text
			tell(text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return last
		}
	}
}
