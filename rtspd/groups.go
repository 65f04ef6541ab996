package rtspd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/udp"
	"lenslet/rtspd/wire"
)

// groups are the multicast groups in use.
type groups struct {
	mu      sync.Mutex // after a session's lock, before that of a stream
	open    map[groupKey]*group
	readers sync.WaitGroup // of what the members report
}

// take gives the group to a session more; the first one opens it.
func (s *Server) takeGroup(key groupKey, local netip.Addr) (*group, error) {
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	g := s.groups.open[key]
	if g == nil {
		var err error
		if g, err = openGroup(key, local); err != nil {
			return nil, err
		}
		if s.groups.open == nil {
			s.groups.open = map[groupKey]*group{}
		}
		s.groups.open[key] = g
		s.groups.readers.Go(func() {
			readUDP(g.reports, func(from netip.AddrPort, packet []byte) { s.groupSays(g, from, packet) }, nil)
		})
	}
	g.sessions++
	return g, nil
}

// leaveGroup takes a session's transport back, if it is a group. The last one
// says BYE and closes it.
func (s *Server) leaveGroup(v *viewer) {
	if v == nil || v.group == nil {
		return
	}
	s.groups.mu.Lock()
	defer s.groups.mu.Unlock()
	g := v.group
	if g.sessions--; g.sessions > 0 {
		return
	}
	delete(s.groups.open, g.key)
	stream := g.key.stream
	stream.mu.Lock()
	if g.sink.packets > 0 {
		stream.rtcp(g.sink, rtp.Bye(nil, stream.packetizer.SSRC(), stream.cname))
	}
	stream.mu.Unlock()
	g.close()
}

// groupSays takes an RTCP packet that came to a group: a sign of life of the
// sessions at that address, and news.
func (s *Server) groupSays(g *group, from netip.AddrPort, packet []byte) {
	if !g.key.stream.groupFeedback(g, packet, monotonic()) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ses := range s.sessions {
		if v := ses.viewer.Load(); v.group == g && ses.from.Addr().WithZone("") == from.Addr().WithZone("") {
			ses.touch()
		}
	}
}

// openGroup opens the sockets of a group. Packets come from the camera's own
// address at the interface.
func openGroup(key groupKey, local netip.Addr) (*group, error) {
	g := &group{key: key, listeners: map[uint32]*listener{}}
	if err := g.open(local); err != nil {
		g.close()
		return nil, fmt.Errorf("multicast to %v at %s: %w", key.to, key.at, err)
	}
	to := func(port uint16) *udp.Destination {
		return udp.NewDestination(netip.AddrPortFrom(key.to.Addr().WithZone(key.at), port)) // IPv4 has no zones
	}
	g.sink = &viewer{group: g, rtpTo: to(key.to.Port()), rtcpTo: to(key.to.Port() + 1)}
	return g, nil
}

func (g *group) open(local netip.Addr) error {
	at, err := net.InterfaceByName(g.key.at)
	if err != nil {
		return err
	}
	senders := [2]*udp.Sender{}
	for i := range g.sending {
		if g.sending[i], err = listenToSend(at, local, g.key.stream.cfg.Multicast.TTL); err != nil {
			return err
		}
		if senders[i], err = udp.NewSender(g.sending[i]); err != nil {
			return err
		}
	}
	g.sender, g.control = senders[0], senders[1]
	to := g.key.to.Addr()
	g.reports, err = net.ListenMulticastUDP(family(to), at, &net.UDPAddr{IP: to.AsSlice(), Port: int(g.key.to.Port()) + 1})
	return err
}

func (g *group) close() {
	for _, c := range []*net.UDPConn{g.sending[0], g.sending[1], g.reports} {
		if c != nil {
			_ = c.Close()
		}
	}
}

// listenToSend opens a socket that sends to groups at an interface, also to
// members on this host.
func listenToSend(at *net.Interface, local netip.Addr, ttl int) (*net.UDPConn, error) {
	c, err := net.ListenUDP(family(local), net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, err
	}
	if local.Is4() {
		p := ipv4.NewPacketConn(c)
		err = errors.Join(p.SetMulticastInterface(at), p.SetMulticastTTL(max(1, ttl)), p.SetMulticastLoopback(true))
	} else {
		p := ipv6.NewPacketConn(c)
		err = errors.Join(p.SetMulticastInterface(at), p.SetMulticastHopLimit(max(1, ttl)), p.SetMulticastLoopback(true))
	}
	if err = errors.Join(err, c.SetWriteBuffer(udpSendBuffer), udp.Fragment(c)); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "udp4"
	}
	return "udp6"
}

// multicastTo is where a stream goes for a connection that asks for multicast,
// at the interface that it came by; false: nowhere.
func (c *conn) multicastTo(s *Stream) (groupKey, bool) {
	a := c.local.Addr()
	i := slices.IndexFunc(s.cfg.Multicast.Groups, func(to netip.AddrPort) bool { return to.Addr().Is4() == a.Is4() })
	if !a.IsValid() || i < 0 {
		return groupKey{}, false
	}
	name, ok := interfaceOf(a)
	return groupKey{s, s.cfg.Multicast.Groups[i], name}, ok
}

// interfaceOf is the name of the interface that has an address.
func interfaceOf(a netip.Addr) (name string, ok bool) {
	all, _ := net.Interfaces() // none: it is not found
	for _, i := range all {
		if a.Zone() != "" && a.Zone() == i.Name {
			return i.Name, true
		}
		addrs, _ := i.Addrs()
		for _, has := range addrs {
			if n, isNet := has.(*net.IPNet); isNet && a.Zone() == "" && n.IP.Equal(a.AsSlice()) {
				return i.Name, true
			}
		}
	}
	return "", false
}

// fits tells whether a viewer's wish for multicast is what the stream has: it
// may name the group, not choose another one.
func (k groupKey) fits(t *wire.Transport) bool {
	if t.Destination == "" {
		return true
	}
	a, err := netip.ParseAddr(t.Destination)
	return err == nil && a.Unmap().WithZone("") == k.to.Addr()
}

// multicast is a member of a group, and makes t the answer.
func (c *conn) multicast(s *Stream, t *wire.Transport) (*viewer, error) {
	key, _ := c.multicastTo(s) // usable has asked
	g, err := c.srv.takeGroup(key, c.local.Addr())
	if err != nil {
		return nil, err
	}
	port, feedback := int(key.to.Port()), t.Profile == "RTP/AVPF"
	*t = wire.Transport{
		Profile: t.Profile, Lower: t.Lower, Multicast: true,
		Destination: key.to.Addr().String(), Source: c.local.Addr().WithZone("").String(),
		Port: wire.PortRange{First: port, Last: port + 1, OK: true}, TTL: max(1, s.cfg.Multicast.TTL),
	}
	return &viewer{group: g, feedback: feedback}, nil
}
