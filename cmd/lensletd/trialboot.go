package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lenslet/board/slots"
	"lenslet/board/update"
	"lenslet/rtspd/auth"
)

const (
	// trialTime is how long a new system may take until it streams, and the
	// network is as it was; trialPictures is how many pictures prove that.
	trialTime     = time.Minute
	trialPictures = 50
	// trialPause is how long to wait before it is tried again.
	trialPause = time.Second
)

const trialUsage = `usage: lensletd trial [-config FILE] [-state DIR]

On a trial of a new system: marks it good as soon as 50 pictures came by RTSP, and
the network is as it was. If that takes longer than a minute it fails, and
lenslet-trial.service restarts the board into the system before.

  -config FILE        configuration file (TOML) of the lensletd that streams
  -state DIR          its state directory, where the passwords are
`

// A trialBoot judges a system that runs on trial.
type trialBoot struct {
	backend  slots.Backend
	config   config
	limit    time.Duration
	markGood func(context.Context) error
	tell     func(reason string) error // leaves why it fails to the system before
	log      *slog.Logger
}

// runTrial is `lensletd trial`. Unless this is a trial it does nothing.
func runTrial(ctx context.Context, args []string, _, stderr io.Writer) error {
	t := trialBoot{limit: trialTime, markGood: update.MarkGood, log: slog.New(slog.NewTextHandler(stderr, nil))}
	fs := flag.NewFlagSet("lensletd trial", flag.ContinueOnError)
	file, state := fs.String("config", "", ""), fs.String("state", "", "")
	if err := parseArguments(fs, args, trialUsage, stderr); err != nil {
		return err
	}
	t.config = loadIfGood(*file, t.log) // it may stream all the same
	if *state != "" {
		t.config.State = *state
	}
	t.tell = func(reason string) error { return update.NoteReason(t.config.Update.dir(), reason) }
	return t.run(ctx)
}

// unproven tells whether the system that runs is on trial, and not marked good yet.
func unproven(b slots.Backend) bool {
	slot, trial, err := b.Booted()
	if err != nil || !trial {
		return false
	}
	usual, err := b.Primary()
	return err != nil || usual != slot
}

func (t *trialBoot) run(ctx context.Context) error {
	slot, trial, err := t.backend.Booted()
	if err != nil || !trial {
		t.log.Info("this is no trial", "slot", slot, "reason", err)
		return nil // whatever the reason: the usual system must not restart the board
	}
	if usual, err := t.backend.Primary(); err == nil && usual == slot {
		t.log.Info("this system has proven to be good", "slot", slot)
		return nil
	}
	t.log.Info("this system is on trial", "slot", slot, "limit", t.limit)
	if err := t.prove(ctx, slot); err != nil {
		if failed := t.tell(err.Error()); failed != nil {
			t.log.Warn("the reason cannot be left to the system before", "error", failed)
		}
		return fmt.Errorf("slot %d is not marked good: %w", slot, err)
	}
	t.log.Info("this system is good: it boots from now on", "slot", slot)
	return nil
}

// prove marks the slot good as soon as all is well.
func (t *trialBoot) prove(ctx context.Context, slot int) error {
	within, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	if err := t.streams(within); err != nil {
		return err
	}
	if err := t.connected(within); err != nil {
		return err
	}
	marking, done := context.WithTimeout(ctx, t.limit)
	defer done()
	if err := t.markGood(marking); err != nil {
		return err
	}
	usual, err := t.backend.Primary()
	if err == nil && usual != slot {
		err = fmt.Errorf("slot %d was marked good, and %d boots next", slot, usual)
	}
	return err
}

// streams waits until the pictures have come.
func (t *trialBoot) streams(ctx context.Context) error {
	var last error
	most := 0
	for {
		var why []error
		for _, viewer := range t.viewers() {
			err := viewer.watch(ctx, trialPictures, func(n int) { most = max(most, n) })
			if err == nil {
				t.log.Info("the camera streams", "address", viewer.address, "pictures", trialPictures)
				return nil
			}
			why = append(why, fmt.Errorf("%s: %w", viewer.address, err))
		}
		if last == nil || ctx.Err() == nil { // the end of the time explains nothing
			last = errors.Join(why...)
		}
		if !pause(ctx) {
			return fmt.Errorf("%d of %d pictures came within %v: %w", most, trialPictures, t.limit, last)
		}
	}
}

// connected waits until the network is as it was before the trial.
func (t *trialBoot) connected(ctx context.Context) error {
	for {
		missing, err := t.backend.Missing()
		if err == nil && len(missing) == 0 {
			return nil
		}
		if !pause(ctx) {
			return fmt.Errorf("the network is not as it was: %w", errors.Join(err, errors.New(strings.Join(missing, ", "))))
		}
	}
}

// pause tells whether there is time to try again.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(trialPause):
		return true
	}
}

// viewers are those that could watch: at the port of the configuration, and at
// those that systemd opens.
func (t *trialBoot) viewers() (list []*selfTest) {
	var login *auth.Client
	if t.config.Auth != "none" {
		password := t.config.Viewer
		if dir, err := t.config.statePath(); password == "" && err == nil {
			kept, _ := readPasswords(filepath.Join(dir, passwordFile)) // none yet: tried again
			password = kept.Viewer
		}
		login = &auth.Client{User: viewerName, Password: password}
	}
	secure := t.config.SRTP == "require" // who comes without TLS is refused
	addresses, other := []string{t.config.Listen}, []string{":554", ":8554"}
	if secure {
		addresses, other = []string{t.config.ListenTLS}, []string{":322"}
	}
	for _, a := range slices.Compact(append(addresses, other...)) {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			continue
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "localhost"
		}
		list = append(list, &selfTest{address: net.JoinHostPort(host, port), secure: secure, login: login})
	}
	return list
}
