package main

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"lenslet/systemd"
)

// tlsSocket is the FileDescriptorName= of a socket unit that is for RTSPS.
const tlsSocket = "rtsps"

// listen opens what is configured; sockets that the service manager passed take
// the place of the port for RTSP. What it opened is closed again when something
// fails.
func (d *daemon) listen() (all []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range all {
				_ = l.Close()
			}
		}
	}()
	passed, err := systemd.Listeners()
	if err != nil {
		return nil, err
	}
	plainFirst(passed)
	for _, p := range passed {
		all = append(all, p.Listener)
	}
	for i, p := range passed {
		if p.Name == tlsSocket {
			if all[i], err = d.overTLS(p.Listener); err != nil {
				return all, err
			}
		}
	}
	for _, setting := range []struct {
		address string
		tls     bool
	}{{d.plainAddress(len(passed) > 0), false}, {d.ListenTLS, true}, {d.ListenHTTP, false}} {
		if setting.address == "" {
			continue
		}
		l, err := net.Listen("tcp", setting.address)
		if err != nil {
			return all, fmt.Errorf("listen on %s: %w", setting.address, err)
		}
		all = append(all, l)
		if setting.tls {
			if all[len(all)-1], err = d.overTLS(l); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// plainFirst puts what is not over TLS first, which discovery and the terminal tell
// as rtsp://: the manager passes the sockets of two units in any order.
func plainFirst(passed []systemd.Listener) {
	slices.SortStableFunc(passed, func(a, b systemd.Listener) int {
		switch {
		case (a.Name == tlsSocket) == (b.Name == tlsSocket):
			return 0
		case a.Name == tlsSocket:
			return 1
		}
		return -1
	})
}

// plainAddress is where RTSP is to be opened; "" where it was passed.
func (d *daemon) plainAddress(passed bool) string {
	if passed {
		return ""
	}
	return d.Listen
}

// opened tells where requests are taken, and the group.
func (c *config) opened() string {
	all := []string{c.Listen}
	for _, p := range []struct{ what, address string }{
		{"RTSPS on ", c.ListenTLS}, {"HTTP on ", c.ListenHTTP}, {"datagrams on ", c.RTSPU}, {"multicast ", c.Multicast},
	} {
		if p.address != "" && p.address != "off" {
			all = append(all, p.what+p.address)
		}
	}
	return strings.Join(all, ", ")
}

// announceTLS is the line for the person at the terminal about RTSPS, if there
// is any.
func (d *daemon) announceTLS() string {
	if d.secure == nil {
		return ""
	}
	return fmt.Sprintf("  encrypted     %s\n  certificate   sha256 %s\n", d.login.address("rtsps", reachable(d.secure.Addr()), viewerName), fingerprint(d.cert))
}
