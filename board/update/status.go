package update

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lenslet/board/durable"
)

// A State is what happens to a bundle.
type State string

// The states, in the order of an update.
const (
	Idle       State = "idle"
	Receiving  State = "receiving" // from its sender
	Fetching   State = "fetching"  // from the URL
	Waiting    State = "waiting"   // received; the Installer begins
	Checking   State = "checking"  // its signature and model
	Installing State = "installing"
	Restarting State = "restarting" // into the new version, on trial
	Failed     State = "failed"
)

// A Status is how far an update is.
type Status struct {
	State    State
	Progress int    // percent of receiving, fetching or installing
	Version  string // of the bundle; "": not known yet
	Text     string // one sentence: why it failed, or what is done now
}

// String is the state in one line: with the reason where it failed.
func (s Status) String() string {
	switch {
	case s.State == Failed:
		return "failed: " + s.Text
	case s.Version != "":
		return string(s.State) + " " + s.Version
	}
	return string(s.State)
}

// Names in the Store's directory.
const (
	receivingName = "receiving-"     // and the name that its sender gives it
	receivedName  = "received.raucb" // whole; the Installer takes it
)

// Names in the Installer's directory.
const (
	statusName   = "status"
	lockName     = "lock"      // locked while an Installer runs
	fetchingName = "fetching-" // and what tells it from the one before
	polledName   = "polled"    // what was at the URL, and needs no other look
	triedName    = "tried"     // bundles whose installation has begun, and what was at the URL and fell back
	attemptName  = "attempt"   // what the board restarts into
	reasonName   = "reason"    // why its trial failed
)

// readStatus is what the Installer wrote last.
func readStatus(dir string) Status {
	text, _ := os.ReadFile(filepath.Join(dir, statusName)) // none: idle
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 {
		return Status{State: Idle}
	}
	progress, _ := strconv.Atoi(lines[1]) // an Installer's
	return Status{State(lines[0]), progress, lines[2], lines[3]}
}

// write replaces the file at once: who reads it finds this or the one before.
func (s Status) write(dir string) error {
	return replace(filepath.Join(dir, statusName), fmt.Sprintf("%s\n%d\n%s\n%s\n", s.State, s.Progress, clean(s.Version), clean(s.Text)))
}

// replace writes a file that everybody may read.
func replace(file, text string) error { return durable.Write(file, 0o644, []byte(text)) }

// clean is text in which nothing ends a line.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return ' '
		}
		return r
	}, s)
}

// lock takes the directory for an Installer; false: another one has it. The file
// is to be closed.
func lock(dir string) (f *os.File, free bool, err error) {
	f, err = os.OpenFile(filepath.Join(dir, lockName), os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, false, err
	}
	if err = f.Chmod(0o644); err == nil {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		f.Close()
	}
	if err == unix.EWOULDBLOCK {
		return nil, false, nil
	}
	return f, err == nil, err
}

// installs tells whether an Installer runs.
func installs(dir string) bool {
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == unix.EWOULDBLOCK
}
