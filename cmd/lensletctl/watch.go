package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"time"

	"lenslet/rtspd/wire"
)

// headEvery is the number of lines between two headings: they stay in sight.
const headEvery = 20

const (
	heading = "  frames/s     bit/s  viewers  latency p50/p99 ms   dropped  temperature °C"
	columns = "%10s%10s%9s%20s%10s%16s\n"
)

// watch prints statistics until ctx ends, or as many lines as -n says.
func (t *tool) watch(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("watch", flag.ContinueOnError)
	lines := fs.Uint("n", 0, "")
	args, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return badUsage("watch needs the URL of a camera")
	}
	rest, err := parse(fs, args[1:]) // -n may come behind the URL
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return badUsage("watch takes one URL")
	}
	err = t.with(ctx, args[0], func(c *client) error { return t.follow(ctx, c, *lines) })
	if errors.Is(err, context.Canceled) {
		return nil // ctrl-C is how it ends
	}
	return err
}

// follow prints a line per tick, lines of them, or without end if that is 0.
func (t *tool) follow(ctx context.Context, c *client, lines uint) error {
	all, err := t.read(ctx, c, nil)
	if err != nil {
		return err
	}
	names := statistics(all)
	if len(names) == 0 {
		return fmt.Errorf("%s gives no statistics", c.conn.RemoteAddr())
	}
	last := newSample(all, time.Now())
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for n := uint(0); lines == 0 || n < lines; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		ps, err := t.read(ctx, c, names)
		if err != nil {
			return err
		}
		s := newSample(ps, time.Now())
		if n%headEvery == 0 {
			fmt.Fprintln(t.stdout, heading)
		}
		if _, err := fmt.Fprint(t.stdout, s.line(last)); err != nil {
			return err
		}
		last = s
	}
	return nil
}

// statistics are those names that watch has a use for: reading a camera's
// controls every second would cost it something.
func statistics(all []wire.Parameter) []string {
	var names []string
	for _, p := range all {
		switch p.Name {
		case "frames_encoded", "bytes_sent", "viewers", "latency", "frames_dropped", "temperature":
			names = append(names, p.Name)
		}
	}
	return names
}

// A sample is what the camera counted at a time.
type sample struct {
	at     time.Time
	values map[string]string
}

func newSample(ps []wire.Parameter, at time.Time) sample {
	s := sample{at, map[string]string{}}
	for _, p := range ps {
		s.values[p.Name] = printable(p.Value)
	}
	return s
}

// line shows s, with rates over the time since the last sample.
func (s sample) line(last sample) string {
	fps, bits := "-", "-"
	if r, ok := s.perSecond(last, "frames_encoded"); ok {
		fps = strconv.FormatFloat(r, 'f', 1, 64)
	}
	if r, ok := s.perSecond(last, "bytes_sent"); ok {
		bits = short(8 * r)
	}
	return fmt.Sprintf(columns, fps, bits, s.show("viewers"), s.show("latency"), s.show("frames_dropped"), s.show("temperature"))
}

// show is a value as the camera gave it, "-" for what it does not know.
func (s sample) show(name string) string {
	if v := s.values[name]; v != "" && v != "unknown" {
		return v
	}
	return "-"
}

// perSecond is how fast a counter grew. One that went back was started anew,
// and says nothing.
func (s sample) perSecond(last sample, name string) (float64, bool) {
	now, err1 := strconv.ParseUint(s.values[name], 10, 64)
	then, err2 := strconv.ParseUint(last.values[name], 10, 64)
	elapsed := s.at.Sub(last.at).Seconds()
	if err1 != nil || err2 != nil || now < then || elapsed <= 0 {
		return 0, false
	}
	return float64(now-then) / elapsed, true
}

// short writes a number of bits with three digits or more: 950, 12.3k, 4.01M.
func short(bits float64) string {
	switch {
	case bits >= 1e9:
		return strconv.FormatFloat(bits/1e9, 'f', 2, 64) + "G"
	case bits >= 1e6:
		return strconv.FormatFloat(bits/1e6, 'f', 2, 64) + "M"
	case bits >= 1e3:
		return strconv.FormatFloat(bits/1e3, 'f', 1, 64) + "k"
	}
	return strconv.FormatFloat(bits, 'f', 0, 64)
}
