package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"time"

	"lenslet/rtspd/wire"
)

const parametersType = "text/parameters"

// get prints parameters, all where none is named.
func (t *tool) get(ctx context.Context, args []string) error {
	args, err := parse(flag.NewFlagSet("get", flag.ContinueOnError), args)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return badUsage("get needs the URL of a camera")
	}
	for _, name := range args[1:] {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return t.with(ctx, args[0], func(c *client) error {
		ps, err := t.read(ctx, c, args[1:])
		if err != nil {
			return err
		}
		return show(t.stdout, ps)
	})
}

// set changes parameters, and prints what was sent.
func (t *tool) set(ctx context.Context, args []string) error {
	args, err := parse(flag.NewFlagSet("set", flag.ContinueOnError), args)
	if err != nil {
		return err
	}
	if len(args) < 2 {
		return badUsage("set needs the URL of a camera and NAME=VALUE")
	}
	changes, err := assignments(args[1:])
	if err != nil {
		return err
	}
	return t.with(ctx, args[0], func(c *client) error {
		res, err := t.persist(ctx, c, changes)
		if err != nil {
			return err
		}
		if err := t.refusal(ctx, c, res, changes); err != nil {
			return err
		}
		return show(t.stdout, changes)
	})
}

// soon is how long set waits for a camera that has no time for a change, as while
// it mends its stream, before it asks again.
const soon = 2 * time.Second

// persist asks for changes, and again when the camera says that it will be ready
// soon (503 with a Retry-After), but not for longer than a change may take.
func (t *tool) persist(ctx context.Context, c *client, changes []wire.Parameter) (*wire.Response, error) {
	for end := time.Now().Add(t.change); ; {
		res, err := c.do(ctx, "SET_PARAMETER", changes, t.change)
		if err != nil || res.Status != wire.ServiceUnavailable {
			return res, err
		}
		seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
		wait := time.Duration(seconds) * time.Second
		if err != nil || seconds < 0 || wait > soon || time.Now().Add(wait).After(end) {
			return res, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// with connects to the camera and asks what ask asks.
func (t *tool) with(ctx context.Context, camera string, ask func(*client) error) error {
	where, err := parseTarget(camera)
	if err != nil {
		return err
	}
	login, err := credentials(camera, t.getenv)
	if err != nil {
		return err
	}
	c, err := t.dial(ctx, where)
	if err != nil {
		return err
	}
	c.login = login
	defer c.close()
	return ask(c)
}

// read asks for the named parameters, for all if there is no name.
func (t *tool) read(ctx context.Context, c *client, names []string) ([]wire.Parameter, error) {
	if len(names) == 0 {
		names = []string{"*"} // an empty body is a ping
	}
	var asked []wire.Parameter
	for _, name := range names {
		asked = append(asked, wire.Parameter{Name: name})
	}
	res, err := c.do(ctx, "GET_PARAMETER", asked, t.answer)
	if err != nil {
		return nil, err
	}
	if err := t.refusal(ctx, c, res, asked); err != nil {
		return nil, err
	}
	ps, err := wire.ParseParameters(res.Body)
	if err != nil {
		return nil, fmt.Errorf("the answer of %s cannot be read: %w", c.conn.RemoteAddr(), err)
	}
	return ps, nil
}

func show(w io.Writer, ps []wire.Parameter) error {
	for _, p := range ps {
		if _, err := fmt.Fprintf(w, "%s: %s\n", printable(p.Name), printable(p.Value)); err != nil {
			return err
		}
	}
	return nil
}
