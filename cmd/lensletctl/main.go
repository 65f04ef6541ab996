// Command lensletctl finds, asks, tunes and watches cameras from a terminal.
//
// The journey of a command:
//
//  1. run checks the command line; what is wrong with it costs no connection
//     (run.go, value.go).
//  2. The camera is looked up: an RTSP URL, a host, or the name by which the
//     network knows it (target.go, discover.go).
//  3. A request goes out and its answer comes back (client.go).
//  4. The answer becomes lines for people (parameters.go, watch.go), a refusal
//     becomes a sentence (refusal.go).
//
// It ends with 0, with 1 when the camera refused or was not reached, with 2
// when the command line was wrong.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ctrl-C ends it at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(exitCode(err))
}
