package main

import (
	"context"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"lenslet/rtspd"
)

// directions are the settings that a running server takes anew.
func (c *config) directions() rtspd.Directions {
	return rtspd.Directions{RedirectTo: c.RedirectTo, DrainTo: c.DrainTo, Viewers: c.Limits.Viewers}
}

func (c *config) validateDirections() error {
	for _, s := range []struct{ name, url string }{{"redirect_to", c.RedirectTo}, {"drain_to", c.DrainTo}} {
		if s.url == "" {
			continue
		}
		u, err := url.Parse(s.url)
		switch {
		case err != nil || u.Host == "" || (u.Scheme != "rtsp" && u.Scheme != "rtsps"):
			return usagef("%s is not a URL that viewers can open; right would be rtsp://HOST/PATH", s.name)
		case strings.Contains(s.url, "@"): // every viewer would be told
			return usagef("%s has a password in it, which every viewer would read; right would be rtsp://HOST/PATH", s.name)
		}
	}
	if c.Limits.Viewers < 0 {
		return usagef("limits.viewers %d is not a number of viewers; right would be 1 or more, 0 for no limit", c.Limits.Viewers)
	}
	return nil
}

// hangups are the signals that ask for the configuration to be read anew. Where
// there is no file, SIGHUP ends the program, as it does by itself.
func (d *daemon) hangups() (signals <-chan os.Signal, ignore func()) {
	if d.reread == nil {
		return nil, func() {}
	}
	c := make(chan os.Signal, 1) // never closed; one that waits stands for all
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// reload reads the configuration at each signal, and directs the server by it.
// A mistake in it changes nothing. Other settings need a restart.
func (d *daemon) reload(ctx context.Context, hangups <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangups:
		}
		c, err := d.reread()
		if err != nil {
			d.log.Error("configuration not reloaded", "error", err)
			continue
		}
		d.server.Direct(c.directions())
		d.log.Info("configuration reloaded")
	}
}
