package rtspd

import (
	"net/netip"
	"slices"
	"strings"

	"lenslet/rtspd/wire"
)

// offers are the transports that a SETUP asks for, in the terms of 1.0.
func (r *request) offers() ([]wire.Transport, error) {
	offers, err := wire.ParseTransport(strings.Join(r.Header.Values("Transport"), ","))
	if err != nil {
		return nil, err
	}
	for i := range offers {
		if r.v2 {
			portsOf(&offers[i])
		} else {
			offers[i].DestAddr, offers[i].RTCPMux = nil, false
		}
	}
	return offers, nil
}

// understood tells whether nothing is asked for that this server does not know:
// such an alternative is not to be taken (RFC 7826 18.54).
func understood(t *wire.Transport) bool {
	return t.Layers <= 1 && len(t.DestAddr) <= 2 &&
		!slices.ContainsFunc(t.Other, func(p wire.Param) bool { return !strings.EqualFold(p.Name, "MIKEY") })
}

// portsOf says by ports and destination what dest_addr says. GStreamer speaks of
// ports in 2.0 too, and is answered likewise.
func portsOf(t *wire.Transport) {
	if len(t.DestAddr) == 0 {
		return
	}
	first := t.DestAddr[0]
	t.ClientPort = wire.PortRange{First: first.Port, Last: first.Port, OK: first.Port > 0}
	if len(t.DestAddr) > 1 && !t.RTCPMux {
		t.ClientPort.Last = t.DestAddr[1].Port
		t.ClientPort.OK = t.ClientPort.OK && t.ClientPort.Last > 0
	}
	var hosts []string
	for _, a := range t.DestAddr {
		if a.Host != "" && !slices.Contains(hosts, a.Host) {
			hosts = append(hosts, a.Host)
		}
	}
	t.Destination = strings.Join(hosts, "/") // two hosts are no address, and refused as such
}

// addresses says by addresses what the answer t says by ports. One who asked for
// ports is answered with ports; who asked for multicast need not have said how
// it speaks, and gets both. asked counts the addresses that it named.
func (c *conn) addresses(t *wire.Transport, asked int) {
	switch {
	case t.Multicast:
		t.DestAddr = addrs(t.Destination, t.Port, t.RTCPMux)
		if strings.Contains(t.Destination, ":") {
			t.TTL = 0 // in IPv6 the group's address says how far
		}
	case asked > 0 && t.ClientPort.OK:
		one := t.RTCPMux || asked == 1
		t.DestAddr = addrs(c.remote.Addr().WithZone("").String(), t.ClientPort, one)
		t.SrcAddr = addrs(t.Source, t.ServerPort, one)
	}
	if asked > 0 && len(t.DestAddr) > 0 {
		t.ClientPort, t.ServerPort, t.Port, t.Source, t.Destination = wire.PortRange{}, wire.PortRange{}, wire.PortRange{}, "", ""
	}
}

// addrs are the addresses of RTP and, if it has one of its own, RTCP.
func addrs(host string, ports wire.PortRange, one bool) []wire.Addr {
	a := []wire.Addr{{Host: host, Port: ports.First}}
	if !one {
		a = append(a, wire.Addr{Host: host, Port: ports.RTCP()})
	}
	return a
}

// noTransport is the answer when none of the offers can be used.
func (c *conn) noTransport(r *request, offers []wire.Transport) *wire.Response {
	if r.v2 && slices.ContainsFunc(offers, c.elsewhere) {
		return plain(wire.DestinationProhibited, "this server sends to the asking address only")
	}
	return plain(wire.UnsupportedTransport, "this server sends RTP/AVP and RTP/AVPF by UDP unicast (client_port) and RTP/AVP/TCP (interleaved), to the asking address only, and by multicast if that is configured")
}

// elsewhere tells whether the packets would go to somebody else.
func (c *conn) elsewhere(t wire.Transport) bool {
	if t.Destination == "" || (t.Multicast && !t.Unicast) {
		return false
	}
	a, err := netip.ParseAddr(t.Destination)
	return err != nil || a.Unmap() != c.remote.Addr().WithZone("")
}

// mtag names the description that is valid now (RFC 7826 18.31).
func (s *Stream) mtag() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return `"` + entityTag(s.packetizer.SSRC(), s.revision) + `"`
}

// What 2.0 says of a live stream of which nothing is kept (RFC 7826 4.7, 18.29).
const (
	liveProperties = "No-Seeking, Time-Progressing, Time-Duration=0.0"
	acceptRanges   = "npt, clock"
)

// completeSetup adds what RFC 7826 13.3 wants in the answer.
func (r *request) completeSetup(res *wire.Response) {
	res.Header.Set("Accept-Ranges", acceptRanges)
	res.Header.Set("Media-Properties", liveProperties)
	res.Header.Set("Media-Range", r.stream.mediaRange(monotonic()))
	res.Header.Set("MTag", r.tag)
}
