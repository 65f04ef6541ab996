package rtspd

import (
	"fmt"
	"net/netip"
	"strings"

	"lenslet/rtspd/udp"
	"lenslet/rtspd/wire"
)

// setup gives the track a transport: the first of those offered that this
// server has.
func (c *conn) setup(r *request) *wire.Response {
	ses := r.session
	switch {
	case !r.track || (ses != nil && ses.stream != r.stream):
		return plain(wire.AggregateOperationNotAllowed, "SETUP takes the URL of one track: "+base(r)+track)
	case ses == nil:
		ses = c.srv.newSession(r.stream, c)
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	next, ok := ses.state.after("SETUP")
	if !ok {
		return plain(wire.MethodNotValidInThisState, "the transport of a playing session stays; PAUSE first")
	}
	offers, err := wire.ParseTransport(strings.Join(r.Header.Values("Transport"), ","))
	if err != nil {
		return plain(wire.BadRequest, err.Error())
	}
	for _, t := range offers {
		if !c.usable(t) {
			continue
		}
		if t.Lower == "TCP" {
			c.interleave(ses, &t)
		} else {
			c.unicast(ses, &t)
		}
		if !c.srv.add(ses) {
			return plain(wire.ServiceUnavailable, "the camera stops")
		}
		ses.state = next
		res := ses.ok()
		t.SSRC = fmt.Sprintf("%08X", r.stream.packetizer.SSRC())
		res.Header.Set("Transport", t.String())
		return res
	}
	return plain(wire.UnsupportedTransport, "this server sends RTP/AVP by UDP unicast (client_port) and RTP/AVP/TCP (interleaved), to the asking address only")
}

// usable tells whether the server has this transport. Packets for somebody
// else's address (destination) would make it a tool for floods.
func (c *conn) usable(t wire.Transport) bool {
	if t.Profile != "RTP/AVP" || t.Multicast || (t.Mode != "" && !strings.Contains(strings.ToUpper(t.Mode), "PLAY")) {
		return false
	}
	if t.Destination != "" {
		a, err := netip.ParseAddr(t.Destination)
		if err != nil || a.Unmap() != c.remote.Addr().WithZone("") {
			return false
		}
	}
	return t.Lower == "TCP" || (t.Lower == "UDP" && t.ClientPort.OK && t.ClientPort.First > 0 && t.ClientPort.RTCP() < 1<<16)
}

// unicast makes the session one over UDP, and t the answer.
func (c *conn) unicast(ses *session, t *wire.Transport) {
	at := func(port int) netip.AddrPort { return netip.AddrPortFrom(c.remote.Addr(), uint16(port)) }
	c.srv.forget(ses)
	ses.conn = nil
	ses.rtcpAddr = at(t.ClientPort.RTCP())
	ses.viewer.Store(&viewer{
		pair: c.srv.udp, rtpTo: udp.NewDestination(at(t.ClientPort.First)), rtcpTo: ses.rtcpAddr,
	})
	port := c.srv.udp.port
	*t = wire.Transport{
		Profile: t.Profile, Lower: t.Lower, Unicast: true, ClientPort: t.ClientPort,
		ServerPort: wire.PortRange{First: port, Last: port + 1, OK: true},
		Source:     c.local.Addr().WithZone("").String(),
	}
}

// interleave makes the session one in this connection, on the channels asked
// for if they are free, and t the answer.
func (c *conn) interleave(ses *session, t *wire.Transport) {
	c.srv.forget(ses)
	ses.conn, ses.rtcpAddr = c, netip.AddrPort{}
	first := 0
	if t.Interleaved.OK && t.Interleaved.First < 255 {
		first = t.Interleaved.First
	}
	for c.taken(ses, first) {
		first = (first + 2) % 254
	}
	ses.viewer.Store(&viewer{out: c.out, rtpChannel: byte(first), rtcpChannel: byte(first + 1)})
	c.out.sentTo(ses.stream)
	c.carried[ses.id] = ses
	*t = wire.Transport{
		Profile: t.Profile, Lower: t.Lower, Unicast: true,
		Interleaved: wire.PortRange{First: first, Last: first + 1, OK: true},
	}
}

// taken tells whether another session of this connection uses the channels.
// There are 127 pairs, and a connection carries fewer sessions than that.
func (c *conn) taken(me *session, first int) bool {
	if !c.wanted() {
		return false
	}
	for _, ses := range c.carried {
		if ses == me {
			continue
		}
		if d := int(ses.viewer.Load().rtpChannel) - first; -1 <= d && d <= 1 {
			return true
		}
	}
	return false
}
