// Command lensletd streams a camera by RTSP.
//
// The journey: the configuration is read (config.go, flags.go), the source and
// the encoder are opened (devices.go), the parts are joined and run until a
// signal comes (run.go), and what viewers read and change is translated between
// them (parameters.go).
//
// `lensletd firstboot` takes over what an owner wrote to the card (firstboot.go),
// and `lensletd update` installs a new version that was sent, or lies on the card, or
// at a URL (update.go). `lensletd boot` decides for RAUC which system boots (boot.go),
// and `lensletd trial` whether a new one is good (trialboot.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker.
var version = "devel"

// command is what the first argument asks for; without one of these words lensletd
// streams.
func command(args []string) (do func(context.Context, []string, io.Writer, io.Writer) error, rest []string) {
	if len(args) > 0 {
		switch args[0] {
		case "firstboot":
			return firstBoot, args[1:]
		case "update":
			return runUpdate, args[1:]
		case "boot":
			return runBoot, args[1:]
		case "trial":
			return runTrial, args[1:]
		}
	}
	return run, args
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	boundMemory(os.Getenv, os.DirFS("/"))
	do, args := command(os.Args[1:])
	err := do(ctx, args, os.Stdout, os.Stderr)
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
