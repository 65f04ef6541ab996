//go:build soak

package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/board"
	"lenslet/capture"
	"lenslet/encoder"
)

// What a soaked daemon's camera does from now on, by the signal that says so.
const (
	cameraWell   = syscall.Signal(40 + iota)
	cameraOut    // it is unplugged: gone, and not to be found
	cameraSilent // no picture comes
	cameraFails  // every call ends with an error
	cameraHangs  // calls do not return; another opening helps
)

// A soakedCamera opens test patterns that do what signals say.
type soakedCamera struct {
	mu     sync.Mutex
	does   syscall.Signal
	opened int           // how often
	hung   int           // those opened so far hang
	well   chan struct{} // closed by cameraWell
}

func (c *soakedCamera) obey(signals <-chan os.Signal) {
	for s := range signals {
		c.mu.Lock()
		c.does = s.(syscall.Signal)
		switch c.does {
		case cameraHangs:
			c.hung, c.well = c.opened, make(chan struct{})
		case cameraWell:
			if c.well != nil {
				close(c.well)
			}
			c.well = nil
		}
		c.mu.Unlock()
	}
}

func (c *soakedCamera) open(string, *slog.Logger) (encoder.Source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.does == cameraOut {
		return nil, &capture.NoCamera{}
	}
	c.opened++
	return &soakedSource{Source: capture.NewPattern(), camera: c, number: c.opened}, nil
}

// A soakedSource is one opening of it.
type soakedSource struct {
	encoder.Source
	camera *soakedCamera
	number int
}

// Next gives a frame, or the fault of the moment.
func (s *soakedSource) Next(deadline time.Time) (*capture.Frame, error) {
	s.camera.mu.Lock()
	does, hangs, well := s.camera.does, s.number <= s.camera.hung, s.camera.well
	s.camera.mu.Unlock()
	switch {
	case does == cameraOut:
		return nil, unix.ENODEV
	case does == cameraFails:
		return nil, unix.EIO
	case does == cameraSilent:
		time.Sleep(time.Until(deadline))
		return nil, os.ErrDeadlineExceeded
	case does == cameraHangs && hangs:
		<-well
		return nil, unix.EIO
	}
	return s.Source.Next(deadline)
}

// TestBeSoaked is what TestSoak runs as a program: lensletd with that camera.
func TestBeSoaked(t *testing.T) {
	boundMemory(os.Getenv, os.DirFS("/"))
	o, err := parseFlags(flag.Args(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	camera := &soakedCamera{}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, cameraWell, cameraOut, cameraSilent, cameraFails, cameraHangs)
	go camera.obey(signals)
	d := &daemon{
		config: o.config, stdout: os.Stdout, id: board.Identify(), log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		openSource: camera.open, timing: timing{session: soakSession},
	}
	if err := d.serve(context.Background()); err != nil { // until it is killed
		t.Fatal(err)
	}
}

// soakedProgram builds it, and gives a command that takes lensletd's flags.
func soakedProgram(t *testing.T, name string, flags ...string) (bin string) {
	t.Helper()
	bin = filepath.Join(scratch, name)
	args := append([]string{"test", "-c", "-tags", "openh264 soak", "-o", bin + ".test"}, flags...)
	client(t, 10*time.Minute, "go", append(args, ".")...)
	script := fmt.Sprintf("#!/bin/sh\nTMPDIR='%s' exec '%s.test' -test.run '^TestBeSoaked$' -- \"$@\"\n", scratch, bin)
	if err := os.WriteFile(bin, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return bin
}
