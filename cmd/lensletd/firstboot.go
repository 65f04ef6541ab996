package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"lenslet/board"
	"lenslet/board/card"
	"lenslet/board/durable"
)

const firstBootUsage = `usage: lensletd firstboot [flags]

takes over what the owner wrote to the card: lenslet.toml, wifi.conf, hostname, authorized_keys

  -card DIR        where the card's partition is mounted (default /boot/card)
  -state DIR       state directory of lenslet.service (default /data/lenslet)
  -system DIR      directory of what only the system may read (default /data/system)
  -defaults FILE   settings that the owner's come on top of (default /usr/share/lenslet/lenslet.toml)
  -port PORT       of the RTSP server, to tell the owner (default 554)
`

// A handover is where files are taken over from, and to.
type handover struct {
	card, state, system, defaults string
	port                          int

	id      board.Identity
	log     *slog.Logger
	mounted func() error // an error: the card is not there
	remount func(writable bool) error
	setHost func(name string) error
	written func(path string) error // before a file is stored; nil: nobody asks
	tryOut  func(config) error      // what camera and encoder say to settings; nil: nobody asks
}

// firstBoot is `lensletd firstboot`.
func firstBoot(ctx context.Context, args []string, _, stderr io.Writer) error {
	h := handover{id: board.Identify(), log: slog.New(slog.NewTextHandler(stderr, nil))}
	set := flag.NewFlagSet("lensletd firstboot", flag.ContinueOnError)
	set.StringVar(&h.card, "card", "/boot/card", "")
	set.StringVar(&h.state, "state", "/data/lenslet", "")
	set.StringVar(&h.system, "system", "/data/system", "")
	set.StringVar(&h.defaults, "defaults", "/usr/share/lenslet/lenslet.toml", "")
	set.IntVar(&h.port, "port", 554, "")
	if err := parseArguments(set, args, firstBootUsage, stderr); err != nil {
		return err
	}
	h.mounted = func() error { return isMount(h.card) }
	h.remount = func(writable bool) error { return card.Remount(h.card, writable) }
	h.setHost = func(name string) error { return unix.Sethostname([]byte(name)) }
	asking, done := context.WithTimeout(ctx, cameraLimit) // in all
	defer done()
	h.tryOut = func(c config) error { return tryOut(asking, c, h.log, openSource) }
	return h.run()
}

// run takes the files over, and gives the computer its name.
func (h *handover) run() error {
	for _, dir := range []string{h.state, h.system} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	settings := &cardSettings{handover: h}
	taking := card.Takeover{
		Card: h.card, System: h.system, Version: version, Host: "lenslet-" + h.id.Suffix(),
		Remount: h.remount, Store: h.store, Settings: settings.take, Credentials: settings.credentials,
	}
	o, err := taking.Stored(), h.mounted()
	if err == nil {
		o, err = taking.Run()
	}
	if o.Fresh {
		h.log.Info("the files on the card were taken over", "host", o.Host)
		for _, m := range o.Mistakes {
			h.log.Warn("a mistake on the card", "file", m.File, "line", m.Line, "reason", m.Reason)
		}
	}
	return errors.Join(err, settings.ensure(o.Host), h.setHost(o.Host))
}

// store writes a file for who owns its directory.
func (h *handover) store(path string, mode fs.FileMode, text []byte) error {
	if h.written != nil {
		if err := h.written(path); err != nil {
			return err
		}
	}
	uid, gid := -1, -1
	if info, err := os.Stat(filepath.Dir(path)); err == nil && os.Geteuid() == 0 {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(s.Uid), int(s.Gid)
		}
	}
	return durable.WriteOwned(path, mode, uid, gid, text)
}

// isMount wants a file system at dir.
func isMount(dir string) error {
	var is, above unix.Stat_t
	if err := errors.Join(unix.Stat(dir, &is), unix.Stat(filepath.Join(dir, ".."), &above)); err != nil {
		return fmt.Errorf("the card at %s: %w", dir, err)
	}
	if is.Dev == above.Dev {
		return fmt.Errorf("the card: nothing is mounted at %s", dir)
	}
	return nil
}
