package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"lenslet/board/advert"
)

// lookupWait is how long a camera has to answer to its name.
const lookupWait = 2 * time.Second

// list prints the cameras of this network.
func (t *tool) list(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("discover", flag.ContinueOnError)
	wait := fs.Duration("wait", lookupWait, "")
	args, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(args) > 0:
		return badUsage("discover takes no name or URL")
	case *wait <= 0:
		return badUsage("discover: -wait %v is no time to wait", *wait)
	}
	cameras, err := t.discover(ctx, *wait)
	if len(cameras) == 0 {
		if err != nil {
			return fmt.Errorf("look for cameras: %w", err)
		}
		return fmt.Errorf("no camera answered within %v", *wait)
	}
	w := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tURL\tMODEL\tVERSION")
	for _, c := range cameras {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", cell(c.Name), cell(c.URL), cell(c.Model), cell(c.Version))
	}
	return w.Flush()
}

func cell(s string) string {
	if s == "" {
		return "-"
	}
	return printable(s)
}

// dial connects to a host, or to the camera that the network knows by that name.
func (t *tool) dial(ctx context.Context, where target) (*client, error) {
	if where.isHost() {
		c, err := dial(ctx, where, t.ports, t.connect)
		if dns := new(net.DNSError); !errors.As(err, &dns) {
			return c, err
		}
	}
	cameras, err := t.discover(ctx, lookupWait)
	for _, camera := range cameras {
		if named(camera, where.host) {
			return t.dialCamera(ctx, camera, where)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look for the camera %s: %w", where.host, err)
	}
	return nil, fmt.Errorf("%s is no host, and no camera of that name answered within %v", where.host, lookupWait)
}

// named compares the way DNS does: without regard to case.
func named(c advert.Camera, name string) bool {
	host := func(s string) string { return strings.TrimSuffix(strings.TrimSuffix(s, "."), ".local") }
	return strings.EqualFold(c.Name, name) || strings.EqualFold(host(c.Host), host(name))
}

// dialCamera tries the camera's addresses. What the user wrote goes before what
// the camera advertises.
func (t *tool) dialCamera(ctx context.Context, c advert.Camera, where target) (*client, error) {
	if where.port == "" && !where.tls {
		where.port = strconv.Itoa(c.Port)
	}
	if where.path == "" {
		where.path = c.Path
	}
	failed := fmt.Errorf("the camera %s told no address", printable(c.Name))
	for _, addr := range c.Addrs {
		where.host = addr.String()
		conn, err := dial(ctx, where, nil, t.connect)
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}
