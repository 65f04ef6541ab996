package rtspd

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lenslet/rtspd/wire"
)

// laneWait is how long PLAY waits for connections that the viewer may know of
// already, and we not yet.
const laneWait = time.Second

var errLanes = errors.New("there are too many connections for packets")

// laneCount is what a server has of lanes.
type laneCount struct {
	wait    time.Duration // laneWait, or less in tests
	open    atomic.Int32
	running sync.WaitGroup
}

// lanes are the connections of one viewer.
type lanes struct {
	srv  *Server
	from netip.Addr // who may connect
	mux  bool       // RTP and RTCP by one
	each []*lane    // RTP's; RTCP's, if it has one of its own
	over chan struct{}
	once sync.Once // guards over

	begun sync.Once // guards serve
}

// ownTCP tells whether RTP is to get TCP connections of its own. In 1.0 they do
// not exist.
func (r *request) ownTCP(t *wire.Transport) bool {
	return r.v2 && t.Lower == "TCP" && !t.Interleaved.OK
}

// hasLanes tells whether the server has the connections that a viewer asks for.
// It never makes them itself (setup=passive): a camera connects to nobody on a
// stranger's word. Over TLS they are refused: pictures in clear beside it would
// surprise the owner.
func (c *conn) hasLanes(t *wire.Transport) bool {
	noPort := func(a wire.Addr) bool { return a.Port == 0 }
	return t.Unicast && !t.Multicast && !c.secure && !protects(t.Profile) && c.local.IsValid() && c.remote.IsValid() &&
		oneOf(t.Setup, "", "active", "actpass") && oneOf(t.Connection, "", "new", "existing") &&
		len(t.DestAddr) <= 2 && !slices.ContainsFunc(t.DestAddr, noPort) // which port is ours to know only if we connected
}

func oneOf(s string, all ...string) bool {
	return slices.ContainsFunc(all, func(a string) bool { return strings.EqualFold(a, s) })
}

// lanesOf is how many connections are asked for. Who names no address gets what
// RTP needs.
func lanesOf(t *wire.Transport) int {
	if t.RTCPMux || len(t.DestAddr) == 1 {
		return 1
	}
	return 2
}

// byLanes is a viewer by connections of its own, those that it has already if it
// wishes, and makes t the answer. They take nothing before bind and lanes.serve.
func (c *conn) byLanes(ses *session, t *wire.Transport) (*viewer, error) {
	connection, l := "existing", (*lanes)(nil)
	if old := ses.viewer.Load(); old != nil {
		l = old.lanes
	}
	if l == nil || oneOf(t.Connection, "new") || l.from != c.remote.Addr() || l.mux != t.RTCPMux || len(l.each) != lanesOf(t) {
		var err error
		if l, err = c.openLanes(lanesOf(t), t.RTCPMux); err != nil {
			return nil, err
		}
		connection = "new"
	}
	var src []wire.Addr
	for _, lane := range l.each {
		src = append(src, wire.Addr{Host: c.local.Addr().WithZone("").String(), Port: lane.port})
	}
	*t = wire.Transport{
		Profile: t.Profile, Lower: t.Lower, Unicast: true, DestAddr: t.DestAddr, SrcAddr: src, RTCPMux: l.mux,
		Setup: "passive", Connection: connection,
	}
	return &viewer{lanes: l, out: l.each[0].out}, nil
}

func (c *conn) openLanes(n int, mux bool) (*lanes, error) {
	l := &lanes{srv: c.srv, from: c.remote.Addr(), mux: mux, over: make(chan struct{})}
	for range n {
		lane, err := openLane(c.local.Addr(), c.srv.cfg.StallTimeout, l.over)
		if err == nil {
			l.each = append(l.each, lane)
			if int(c.srv.lanes.open.Add(1)) > c.srv.cfg.Limits.Connections {
				err = errLanes
			}
		}
		if err != nil {
			l.end()
			return nil, err
		}
	}
	return l, nil
}

// serve lets the viewer of a session connect. Nil has nothing to serve.
func (l *lanes) serve(ses *session) {
	if l == nil {
		return
	}
	l.begun.Do(func() {
		for _, lane := range l.each {
			l.srv.lanes.running.Go(func() { lane.serve(l.srv, ses, l.from) })
		}
	})
}

// await tells whether all connections are there, or come now.
func (l *lanes) await(ses *session, gone <-chan struct{}) bool {
	limit := time.NewTimer(l.srv.lanes.wait)
	defer limit.Stop()
	for _, lane := range l.each {
		select {
		case <-lane.up:
		case <-limit.C:
			return false
		case <-ses.over:
			return false
		case <-gone:
			return false
		}
	}
	return true
}

// control sends an RTCP packet, if the viewer takes any.
func (l *lanes) control(packet []byte) {
	last := l.each[len(l.each)-1]
	if l.mux || len(l.each) > 1 {
		last.out.send(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...))
	}
}

// end closes the connections once what was sent is out. Nil has none.
func (l *lanes) end() {
	if l == nil {
		return
	}
	l.once.Do(func() {
		close(l.over)
		for _, lane := range l.each {
			lane.wake()
			l.srv.lanes.open.Add(-1)
		}
	})
}

// giveBack ends the transport that a session had, but for what the one that it
// has now shares with it.
func (s *Server) giveBack(had, has *viewer) {
	s.leaveGroup(had)
	if had != nil && (has == nil || has.lanes != had.lanes) {
		had.lanes.end()
	}
}
