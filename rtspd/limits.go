package rtspd

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"lenslet/rtspd/wire"
)

// Limits bound what others can take of a Server. 0 means the default, which
// suits a small board.
type Limits struct {
	Connections           int           // in all; 128. As many more may be for packets alone
	ConnectionsPerAddress int           // 32
	SessionsPerAddress    int           // 32; Directions.Viewers bounds them in all
	FailedLogins          int           // from one address in a minute, then it is refused for a minute; 10
	LoginTime             time.Duration // from the beginning of a connection to the first request of a known user; 20 s
	Header                int           // bytes of a request without its body; 16 KiB
	Body                  int           // bytes; 64 KiB
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Connections:           cmp.Or(l.Connections, 128),
		ConnectionsPerAddress: cmp.Or(l.ConnectionsPerAddress, 32),
		SessionsPerAddress:    cmp.Or(l.SessionsPerAddress, 32),
		FailedLogins:          cmp.Or(l.FailedLogins, 10),
		LoginTime:             cmp.Or(l.LoginTime, 20*time.Second),
		Header:                l.Header,
		Body:                  l.Body,
	}
}

func (l Limits) wire() wire.Limits { return wire.Limits{Head: l.Header, Body: l.Body} }

const (
	turnedAwayMost = 32              // connections that are told that there is no room; more are just closed
	turnedAwayTime = 2 * time.Second // that such a one has to ask
	roomAfter      = 10 * time.Second
)

// busy refuses for now (503). RTSP has no 429.
func busy(wait time.Duration, why string) *wire.Response {
	res := plain(wire.ServiceUnavailable, why+fmt.Sprintf("; try again in %d s", seconds(wait)))
	res.Header.Set("Retry-After", strconv.Itoa(seconds(wait)))
	return res
}

// seconds rounds up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// origin is what an address is counted as. Who has an IPv6 network has all
// addresses of its /64; those that no router passes on are told apart, since
// otherwise all of a LAN would be one.
func origin(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() {
		return a
	}
	p, _ := a.Prefix(64) // an address without a zone has one
	return p.Addr()
}

// admit makes room for a connection, or says in c.turnedAway that there is
// none. False: not even for saying so. The lock is held.
func (s *Server) admit(c *conn) bool {
	all, near, away, from := 0, 0, 0, origin(c.remote.Addr())
	for other := range s.conns {
		switch {
		case other.turnedAway != "":
			away++
			continue
		case origin(other.remote.Addr()) == from:
			near++
		}
		all++
	}
	switch {
	case near >= s.cfg.Limits.ConnectionsPerAddress:
		c.turnedAway = "there are too many connections from this address"
	case all >= s.cfg.Limits.Connections && !inside(c.remote):
		c.turnedAway = "there are too many connections"
	}
	return c.turnedAway == "" || away < turnedAwayMost
}

// turnAway answers in a connection that there is no room for, and ends it.
func (c *conn) turnAway() *wire.Response {
	c.hangUp()
	return busy(roomAfter, c.turnedAway)
}

// deadline is when the connection ends unless somebody logs in before; false:
// somebody has.
func (c *conn) deadline() (time.Time, bool) {
	switch {
	case c.turnedAway != "":
		return c.begun.Add(turnedAwayTime), true
	case !c.proved:
		return c.begun.Add(c.srv.cfg.Limits.LoginTime), true
	}
	return time.Time{}, false
}

// crowded refuses another session, if this address has too many. Connections
// that set up at the same instant may make it a few more.
func (c *conn) crowded() *wire.Response {
	near, from := 0, origin(c.remote.Addr())
	for _, ses := range c.srv.everySession() {
		if origin(ses.from.Addr()) == from {
			near++
		}
	}
	if near >= c.srv.cfg.Limits.SessionsPerAddress {
		return busy(roomAfter, "there are too many sessions from this address")
	}
	return nil
}
