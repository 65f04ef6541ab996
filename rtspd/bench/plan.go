package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A plan is what is measured.
type plan struct {
	viewers    []int
	window     time.Duration
	rounds     int // of pairs of lensletd and the floor; others once
	subjects   []string
	transports []string
	dir        string // for what is made, and the table
	list       bool   // print the runs
}

// parsePlan reads the command line.
func parsePlan(args []string, out io.Writer) (plan, error) {
	p := plan{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(out)
	n := fs.String("n", "1,10,50,100,500", "numbers of viewers")
	seconds := fs.Float64("seconds", 2.5, "length of a window, 0.5 to 600")
	fs.IntVar(&p.rounds, "rounds", 3, "pairs of lensletd and the floor, 1 to 100; 2 more at 50 and 100 viewers")
	subjects := fs.String("subjects", strings.Join([]string{lensletd, theFloor, pacedDaemon, gortsplibV5, gstServer}, ","), "what is measured")
	transports := fs.String("transports", strings.Join([]string{byUDP, byTCP, byMulticast}, ","), "how viewers are served")
	fs.StringVar(&p.dir, "dir", "../../.cache/bench", "where the clip, programs and the table are")
	fs.BoolVar(&p.list, "v", false, "print each run")
	if err := fs.Parse(args); err != nil {
		return p, err
	}
	p.subjects, p.transports = strings.Split(*subjects, ","), strings.Split(*transports, ",")
	p.window = time.Duration(*seconds * float64(time.Second))
	for field := range strings.SplitSeq(*n, ",") {
		v, err := strconv.Atoi(field)
		if err != nil || v < 1 || v > 4000 {
			return p, fmt.Errorf("-n %s: right would be numbers of 1 to 4000 with commas between", *n)
		}
		p.viewers = append(p.viewers, v)
	}
	return p, p.validate()
}

func (p *plan) validate() error {
	for _, c := range []struct {
		given, known []string
		name         string
	}{
		{p.subjects, []string{lensletd, theFloor, pacedDaemon, gortsplibV5, gstServer}, "subjects"},
		{p.transports, []string{byUDP, byTCP, byMulticast}, "transports"},
	} {
		for _, g := range c.given {
			if !slices.Contains(c.known, g) {
				return fmt.Errorf("-%s: there is no %q; right would be some of %s", c.name, g, strings.Join(c.known, ","))
			}
		}
	}
	switch {
	case p.window < time.Second/2 || p.window > 10*time.Minute:
		return errors.New("-seconds: right would be 0.5 to 600")
	case p.rounds < 1 || p.rounds > 100:
		return errors.New("-rounds: right would be 1 to 100")
	}
	return nil
}

// A turn is a run of the plan. Those of a round are compared with each other.
type turn struct {
	setting
	round int
}

// runs are the runs in their order: lensletd and the floor take turns.
func (p *plan) runs() []turn {
	var all []turn
	for _, transport := range p.transports {
		for _, n := range p.viewers {
			for round := range p.roundsOf(transport, n) {
				for _, s := range p.subjects {
					switch {
					case s == pacedDaemon && (transport != byUDP || n != pacedViewers):
					case paired(s) || round == 0 && transport != byMulticast:
						all = append(all, turn{setting{s, transport, n}, round})
					}
				}
			}
		}
	}
	return all
}

// paired subjects take turns.
func paired(subject string) bool { return isLensletd(subject) || subject == theFloor }

func (p *plan) roundsOf(transport string, viewers int) int {
	switch {
	case transport == byMulticast:
		return 1
	case p.rounds > 1 && (viewers == 50 || viewers == 100):
		return p.rounds + 2
	}
	return p.rounds
}

func (p *plan) wants(subject string) bool { return slices.Contains(p.subjects, subject) }
