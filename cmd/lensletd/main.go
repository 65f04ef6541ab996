// Command lensletd streams a camera by RTSP.
//
// The journey: the configuration is read (config.go, flags.go), the source and
// the encoder are opened (devices.go), the parts are joined and run until a
// signal comes (run.go), and what viewers read and change is translated between
// them (parameters.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	boundMemory(os.Getenv, os.DirFS("/"))
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "lensletd:", err)
		os.Exit(2)
	case errors.Is(err, errReboot):
		fmt.Fprintln(os.Stderr, "lensletd:", err)
		os.Exit(77) // lenslet.service
	default:
		fmt.Fprintln(os.Stderr, "lensletd:", err)
		os.Exit(1)
	}
}
