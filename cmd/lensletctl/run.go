package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"lenslet/board/advert"
)

const usage = `usage:
  lensletctl discover [-wait DURATION]        list the cameras of this network
  lensletctl get URL [NAME...]                show parameters, all without a name
  lensletctl set URL NAME=VALUE...            change parameters, all or none
  lensletctl watch [-n LINES] URL             statistics, one line a second
  lensletctl update URL BUNDLE                send a new version, and install it

URL is rtsp://host:8554/main or a part of it: a host, host:port, host/path, or
the name of a camera that discover lists. Without a port 8554 and 554 are tried,
without a path it is /main. rtsps://host is encrypted, on port 8322 or 322; with
#sha256=FINGERPRINT behind it, as lensletd prints it, that certificate is the
only one trusted. An update goes over TLS in any case.

The password is in the URL, as in rtsp://admin:PASSWORD@host, or in the
environment, where nobody else sees it: LENSLET_USER (default admin) and
LENSLET_PASSWORD.

Bit rates may be written 500k, 2M or 1.5M; resolutions 360p (640x360), 480p
(854x480), 720p (1280x720), 1080p (1920x1080) or 4k (3840x2160).
`

// A usageError is what is wrong with the command line, in one sentence.
type usageError string

// Error is the sentence.
func (e usageError) Error() string { return string(e) }

func badUsage(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// exitCode is the process's: 0, 1 for a camera that refused or was not reached,
// 2 for bad usage.
func exitCode(err error) int {
	var bad usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &bad):
		return 2
	}
	return 1
}

// run does what args say. The error was told to stderr already.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	t := &tool{
		stdout:   stdout,
		discover: advert.Discover,
		getenv:   os.Getenv,
		ports:    []string{"8554", "554"},
		every:    time.Second,
		connect:  5 * time.Second,
		answer:   10 * time.Second,
		change:   20 * time.Second,
	}
	err := t.run(ctx, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, err = io.WriteString(stdout, usage)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "lensletctl: interrupted")
	case err != nil:
		fmt.Fprintf(stderr, "lensletctl: %v\n", err)
	}
	return err
}

// A tool is a command line with what it needs of the world.
type tool struct {
	stdout   io.Writer
	discover func(ctx context.Context, wait time.Duration) ([]advert.Camera, error)
	getenv   func(string) string
	ports    []string      // tried in this order where the URL names none
	every    time.Duration // from one line of watch to the next
	connect  time.Duration // how long a connection may take
	answer   time.Duration // how long an answer may take
	change   time.Duration // the same for set: a codec may have to drain first
}

func (t *tool) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return badUsage("a command is missing" + seeHelp)
	}
	switch args[0] {
	case "discover":
		return t.list(ctx, args[1:])
	case "get":
		return t.get(ctx, args[1:])
	case "set":
		return t.set(ctx, args[1:])
	case "watch":
		return t.watch(ctx, args[1:])
	case "update":
		return t.update(ctx, args[1:])
	case "help", "-h", "-help", "--help":
		return flag.ErrHelp
	}
	return badUsage("there is no command %q"+seeHelp, redact(args[0]))
}

// seeHelp ends the sentence where the usage would help.
const seeHelp = "; lensletctl help tells how it is used"

// parse reads flags and gives what follows them.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	fs.SetOutput(io.Discard)
	if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, badUsage("%s: %s"+seeHelp, fs.Name(), redact(err.Error()))
	}
	return fs.Args(), nil
}

// printable keeps what a stranger on the network wrote from steering the
// terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || isGraphic(r) {
			return r
		}
		return '?'
	}, s)
}
