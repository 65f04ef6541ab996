package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	err := dispatch(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch is this program, or one of the subjects that are in it.
func dispatch(args []string) error {
	if len(args) == 2 {
		switch args[0] {
		case theFloor:
			return runFloor(args[1])
		case gortsplibV5:
			return runLibrary(args[1])
		}
	}
	p, err := parsePlan(args, os.Stderr)
	if err != nil {
		return err
	}
	return bench(&p)
}

// bench does what is planned, and prints and keeps the table.
func bench(p *plan) error {
	st, err := newStage(p.dir, usualGOP)
	if err != nil {
		return err
	}
	if err := st.build(runtime.GOARCH, "", p.wants(gstServer)); err != nil {
		return err
	}
	var results []result
	var failures []error
	for i, next := range p.runs() {
		r, err := st.run(next.setting, p.window)
		r.round = next.round
		if err != nil { // a subject that cannot is not the end
			failures = append(failures, err)
			fmt.Fprintln(os.Stderr, "bench:", err)
			continue
		}
		results = append(results, r)
		if p.list {
			fmt.Fprintf(os.Stderr, "%3d/%d %s\n", i+1, len(p.runs()), r)
		}
	}
	if len(results) == 0 {
		return errors.New("nothing was measured")
	}
	f, err := os.Create(filepath.Join(p.dir, "results.txt"))
	if err != nil {
		return err
	}
	err = report(io.MultiWriter(os.Stdout, f), results, failures, st.bytes)
	return errors.Join(err, f.Close())
}

// newStage makes the clip.
func newStage(dir string, gop int) (*stage, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir}
	if s.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if s.clip, err = makeClip(dir, gop); err != nil {
		return nil, err
	}
	info, err := os.Stat(s.clip)
	if err != nil {
		return nil, err
	}
	s.bytes = info.Size()
	return s, nil
}
