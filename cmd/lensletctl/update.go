package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// update sends a bundle to a camera, and tells how its installation goes.
func (t *tool) update(ctx context.Context, args []string) error {
	args, err := parse(flag.NewFlagSet("update", flag.ContinueOnError), args)
	if err != nil {
		return err
	}
	if len(args) != 2 {
		return badUsage("update needs the URL of a camera and the file of a bundle")
	}
	where, err := updateTarget(args[0])
	if err != nil {
		return err
	}
	if _, err := credentials(args[0], t.getenv); err != nil {
		return err
	}
	b, err := openBundle(args[1])
	if err != nil {
		return err
	}
	defer b.file.Close()
	u := &updating{tool: t, camera: args[0], where: where, bundle: b, bar: newBar(t.stdout), silent: silentFor, away: awayFor}
	defer u.bar.end()
	if err := u.send(ctx); err != nil {
		return err
	}
	return u.watch(ctx)
}

// updateTarget reads the camera's URL. An update goes over TLS, whether the URL
// says so or not, but never where it says something else.
func updateTarget(camera string) (target, error) {
	if rest, ok := strings.CutPrefix(camera, "https://"); ok {
		camera = "rtsps://" + rest
	}
	t, err := parseTarget(camera)
	if err == nil && !t.tls && strings.Contains(camera, "://") {
		return t, badUsage("an update goes over TLS only; right would be rtsps://%s", t.host)
	}
	t.tls = true
	return t, err
}

// updating is one update on its way.
type updating struct {
	*tool
	camera string // as the user wrote it
	where  target
	bundle *bundle
	bar    *bar

	challenges []string // how the camera wants to be answered
	sent       int64    // bytes, those that were lost too

	silent, away time.Duration // silentFor and awayFor
}

// connect logs in with the next request.
func (u *updating) connect(ctx context.Context) (*client, error) {
	login, err := credentials(u.camera, u.getenv)
	if err != nil {
		return nil, err
	}
	c, err := u.dial(ctx, u.where)
	if err != nil {
		return nil, err
	}
	c.login = login
	return c, nil
}

// silentFor is how long an update whose camera cannot be asked goes on being
// asked for: a busy board takes its time. One that was installing may have
// restarted, and have been on trial in vain, before it answers again: awayFor.
const (
	silentFor = time.Minute
	awayFor   = 10 * time.Minute
)

// watch tells how the installation goes, until its end: the restart, after which
// the camera does not answer, or where that was missed, what runs after it.
func (u *updating) watch(ctx context.Context) error {
	var was progress
	for heard, changed := time.Now(), time.Now(); ; {
		now, err := u.ask(ctx)
		if err == nil {
			heard = time.Now()
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && was.installed(), now.is("restarting"):
			return u.restarts(max(was.version, now.version))
		case err != nil && time.Since(heard) > u.patience(was):
			return fmt.Errorf("the bundle is there, but the camera does not tell how it goes: %w", err)
		case err != nil:
		case now.is("failed:"):
			return errors.New(printable("the update has failed: " + strings.TrimPrefix(now.state, "failed: ")))
		case now.is("idle") && was.state != "":
			return u.ended(was.version, now.runs)
		case now.is("waiting") && was.is("waiting") && time.Since(changed) > u.silent:
			return errors.New("the bundle is there, but nothing installs it: is lenslet-update.path enabled on the camera?")
		case now != was:
			changed, was = time.Now(), now
			u.bar.show(now.state, now.percent)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(u.every):
		}
	}
}

// patience is how long the camera may be silent.
func (u *updating) patience(was progress) time.Duration {
	if was.is("installing") {
		return u.away
	}
	return u.silent
}

// ended tells of an installation whose restart nobody saw.
func (u *updating) ended(version, runs string) error {
	switch {
	case version == "" || runs == "":
		return errors.New("the camera has ended the installation without a word")
	case version != runs:
		return errors.New(printable("the camera has ended the installation of version " + version + ", and runs version " + runs))
	}
	u.bar.end()
	_, err := fmt.Fprintf(u.stdout, "the camera runs version %s\n", printable(runs))
	return err
}

func (u *updating) restarts(version string) error {
	u.bar.end()
	_, err := fmt.Fprintf(u.stdout, "the camera restarts into %s, on trial: if it does not stream then, it returns to the version before\n",
		strings.TrimSpace("version "+printable(version)))
	return err
}

// progress is what the camera tells about an update.
type progress struct {
	state   string // with the version, or the reason
	percent int
	version string // of the bundle
	runs    string // version that runs
}

func (p progress) is(state string) bool { return strings.HasPrefix(p.state, state) }

// installed tells whether all was written, so that a silent camera is one that
// restarts.
func (p progress) installed() bool { return p.is("installing") && p.percent >= 99 }

// ask reads the state of the update, over a connection of its own.
func (u *updating) ask(ctx context.Context) (p progress, err error) {
	c, err := u.connect(ctx)
	if err != nil {
		return p, err
	}
	defer c.close()
	ps, err := u.read(ctx, c, []string{"update_state", "update_progress", "version"})
	if err != nil {
		return p, err
	}
	for _, parameter := range ps {
		switch parameter.Name {
		case "update_state":
			p.state = parameter.Value
			if _, version, ok := strings.Cut(p.state, " "); ok && !p.is("failed:") {
				p.version = version
			}
		case "update_progress":
			p.percent, _ = strconv.Atoi(parameter.Value) // 0 of a camera that tells something else
		case "version":
			p.runs = parameter.Value
		}
	}
	return p, nil
}

// A bar shows progress: on a terminal in one line, else in a line for each tenth.
type bar struct {
	w        io.Writer
	terminal bool
	what     string
	percent  int
	open     bool // the line is not ended
}

func newBar(w io.Writer) *bar {
	b := &bar{w: w}
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		b.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return b
}

// show tells what is done, and how much of it.
func (b *bar) show(what string, percent int) {
	what = printable(what)
	if what == b.what && (percent == b.percent || !b.terminal && percent/10 == b.percent/10) {
		return
	}
	if what != b.what {
		b.end()
	}
	b.what, b.percent = what, percent
	if b.terminal {
		b.open = true
		fmt.Fprintf(b.w, "\r%s %3d %%", what, percent)
		return
	}
	fmt.Fprintf(b.w, "%s %d %%\n", what, percent)
}

// end ends the line.
func (b *bar) end() {
	if b.open {
		fmt.Fprintln(b.w)
		b.open = false
	}
}
