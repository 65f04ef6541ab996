package update

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/board/durable"
)

// most is how often the installation of a bundle may begin. One that never ends
// (the power fails, RAUC hangs) would be tried at every start.
const most = 3

// patience is how long the restart of the board may take until it ends the
// process.
const patience = 2 * time.Minute

// notice is how long before the restart it is told: whoever looks once a second
// learns of it.
const notice = 3 * time.Second

// An Installer checks bundles, installs them, and restarts the board. It is
// root's.
type Installer struct {
	Dir     string // its own, which it makes
	Store   string // the directory of a Store
	System  string // RAUC's configuration
	Card    string // folder of the card's partition for its owner; "": none
	Version string // that runs: what the URL has is installed if it is another one
	Log     *slog.Logger

	last Status // as written
}

// ErrBusy says that another Installer runs.
var ErrBusy = errors.New("another update is under way")

// Run installs what was received, or what lies on the card; url is then looked
// at, "" means not. The error tells what went wrong with the installation.
func (in *Installer) Run(ctx context.Context, url string) error {
	if _, err := os.Stat(in.System); err != nil || !onPath("rauc") {
		return nil // nothing here is updated that way
	}
	if err := os.MkdirAll(in.Dir, 0o755); err != nil {
		return fmt.Errorf("updates: %w", err)
	}
	held, free, err := lock(in.Dir)
	if err != nil {
		return fmt.Errorf("updates: %w", err)
	}
	if !free {
		return ErrBusy
	}
	defer held.Close()
	durable.Tidy(in.Dir)
	in.last = readStatus(in.Dir)
	in.judge()
	if in.last.State != Failed { // which is told until the next one begins
		in.tell(Status{State: Idle})
	}
	next, err := in.received(ctx)
	if next == nil && err == nil {
		next, err = in.fromCard(ctx)
	}
	if next == nil && err == nil && url != "" {
		next, err = in.fetched(ctx, url)
	}
	if next == nil {
		return err
	}
	return in.restart(ctx, *next)
}

// received installs what a Store has taken. nil: nothing.
func (in *Installer) received(ctx context.Context) (*attempt, error) {
	file := filepath.Join(in.Store, receivedName)
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil { // RAUC installs nothing that others could write to
		err = errors.Join(f.Chown(os.Geteuid(), os.Getegid()), f.Chmod(0o600), f.Close())
	}
	if err == nil {
		err = in.install(ctx, file)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // it is there at the next start
	}
	if gone := os.Remove(file); err == nil { // or it would be installed again and again
		err = gone
	}
	if err != nil {
		return nil, in.failed(err)
	}
	return &attempt{version: in.last.Version}, nil
}

// install checks a bundle and hands it to RAUC.
func (in *Installer) install(ctx context.Context, file string) error {
	in.tell(Status{State: Checking})
	id, err := identify(file)
	if err != nil {
		return err
	}
	if in.tried(id) >= most {
		in.untry(id)
		return unfitError(fmt.Sprintf("its installation began %d times, and never ended", most))
	}
	r := rauc{in.System}
	b, err := r.info(ctx, file)
	if err != nil {
		return err
	}
	if err := in.try(id); err != nil {
		return err
	}
	in.Log.Info("an update is installed", "version", b.version, "running", in.Version)
	in.tell(Status{State: Installing, Version: b.version})
	err = r.install(ctx, file, func(percent int, what string) {
		in.tell(Status{State: Installing, Progress: percent, Version: b.version, Text: what})
	})
	if ctx.Err() == nil { // else it is tried again
		in.untry(id)
	}
	return err
}

// failed tells that there is no update, and why. nil stays nil.
func (in *Installer) failed(err error) error {
	if err == nil {
		return nil
	}
	in.tell(Status{State: Failed, Version: in.last.Version, Text: err.Error()})
	return fmt.Errorf("update: %w", err)
}

// tell writes how far the update is, if that is news.
func (in *Installer) tell(s Status) {
	if s == in.last {
		return
	}
	in.last = s
	if err := s.write(in.Dir); err != nil {
		in.Log.Warn("how far the update is cannot be told", "error", err)
	}
}

// restart ends with the process, as a rule.
func (in *Installer) restart(ctx context.Context, into attempt) error {
	if err := in.begin(into); err != nil {
		return in.failed(err)
	}
	in.tell(Status{State: Restarting, Progress: 100, Version: in.last.Version, Text: "restarts into the new version, on trial"})
	in.Log.Info("the board restarts into the new version, on trial", "version", in.last.Version)
	if !sleep(ctx, notice) {
		in.leaveOff()
		return nil
	}
	// The firmware takes the other slots, once.
	err := run(ctx, func(string) {}, "systemctl", "--no-block", "reboot", "--reboot-argument=0 tryboot")
	if err == nil && sleep(ctx, patience) { // else all services end, and this one with them
		err = errors.New("it was told to, and goes on")
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	in.leaveOff()
	return in.failed(fmt.Errorf("the update is installed, but the board does not restart: %w", err))
}

// sleep waits; false: ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// tried is how often the installation of a bundle has begun, and not ended.
func (in *Installer) tried(id string) int {
	return strings.Count(in.trials(), id+"\n")
}

func (in *Installer) trials() string {
	text, _ := os.ReadFile(in.note(triedName)) // none: nothing was tried
	return string(text)
}

// note is a file of the Installer's own.
func (in *Installer) note(name string) string { return filepath.Join(in.Dir, name) }

// try notes that it begins, before it does.
func (in *Installer) try(id string) error {
	if err := replace(in.note(triedName), in.trials()+id+"\n"); err != nil {
		return fmt.Errorf("note that the update begins: %w", err)
	}
	return nil
}

// untry forgets that.
func (in *Installer) untry(id string) {
	if rest := strings.ReplaceAll(in.trials(), id+"\n", ""); rest != in.trials() {
		_ = replace(in.note(triedName), rest) // it would only be tried less often
	}
}
