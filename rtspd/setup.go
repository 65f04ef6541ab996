package rtspd

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"lenslet/rtspd/udp"
	"lenslet/rtspd/wire"
)

// setup gives the track a transport: the first of those offered that this
// server has.
func (c *conn) setup(r *request) *wire.Response {
	ses := r.session
	if !r.track || (ses != nil && ses.stream != r.stream) {
		return plain(wire.AggregateOperationNotAllowed, "SETUP takes the URL of one track: "+base(r)+track)
	}
	if refused := c.precondition(r); refused != nil {
		return refused
	}
	if ses == nil {
		if res := c.crowded(); res != nil {
			return res
		}
		ses = c.srv.newSession(r.stream, c)
		ses.base, ses.user = base(r), r.user
		ses.edition.Store(c.held(r.stream))
		ses.v2 = r.v2
		ses.clock.Store(r.acceptsClock())
		ses.carry(c)
	}
	res, displaced := c.transport(r, ses)
	if res.Status == wire.OK {
		c.pipeline(r, ses)
	}
	if displaced != nil { // without a BYE, which would reach the new viewer
		c.srv.end(displaced, "another viewer has its port", false)
	}
	return res
}

// transport is setup for a session, whose lock it takes. The caller ends the
// displaced one.
func (c *conn) transport(r *request, ses *session) (res *wire.Response, displaced *session) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	next, ok := ses.state.after("SETUP")
	if !ok {
		return notNow("the transport of a playing session stays; PAUSE first"), nil
	}
	t, v, refused := c.agree(r, ses)
	if refused != nil {
		return refused, nil
	}
	had, has := ses.viewer.Load(), v
	if displaced, ok = c.srv.bind(ses, v); !ok {
		had, has = has, had
	}
	c.srv.giveBack(had, has)
	switch {
	case !ok && ses.ended():
		return plain(wire.SessionNotFound, "the session has just ended"), nil
	case !ok:
		if res := c.srv.elsewhere(r, c.remote); res != nil {
			return res, nil
		}
		return plain(wire.ServiceUnavailable, "the camera stops"), nil
	}
	c.prune() // else who sets up and tears down for ever takes memory for ever
	c.sessions[ses.id] = ses
	ses.state = next
	v.lanes.serve(ses)
	res = ses.ok()
	res.Header.Set("Transport", t.String())
	return res, displaced
}

// agree makes a viewer for the first of the transports offered that the server
// has, and tells what to answer; or what the refusal is.
func (c *conn) agree(r *request, ses *session) (t wire.Transport, v *viewer, refused *wire.Response) {
	offers, err := r.offers()
	if err != nil {
		return t, nil, plain(wire.BadRequest, err.Error())
	}
	i := slices.IndexFunc(offers, func(t wire.Transport) bool { return c.usable(r, t) })
	if i < 0 {
		return t, nil, c.noTransport(r, offers)
	}
	t = offers[i]
	if c.keyless(r, &t) {
		return t, nil, plain(wire.Forbidden, "SRTP needs a key: by MIKEY in Transport, or by the description, DESCRIBE "+base(r)+"?srtp")
	}
	safe, err := c.safety(r, &t)
	if err != nil {
		return t, nil, r.badKey(err)
	}
	v, err = c.viewerFor(r, ses, &t)
	switch {
	case errors.Is(err, errLanes):
		return t, nil, busy(roomAfter, err.Error())
	case err != nil:
		return t, nil, plain(wire.InternalServerError, err.Error())
	case v == nil:
		return t, nil, plain(wire.NotEnoughBandwidth, "this connection has no channel left")
	}
	v.safe = safe
	t.SSRC = r.stream.source(v)
	r.answerKey(&t, &offers[i], v)
	if r.v2 {
		c.addresses(&t, len(offers[i].DestAddr))
	}
	return t, v, nil
}

// usable tells whether the server has this transport. Packets for somebody
// else's address (destination) would make it a tool for floods.
func (c *conn) usable(r *request, t wire.Transport) bool {
	if !c.profiled(&t) || !watches(t.Mode) || (r.v2 && !understood(&t)) {
		return false
	}
	if _, datagrams := c.nc.(*datagramConn); datagrams && (t.Lower != "UDP" || !t.Unicast) {
		return false // who has no connection is served by UDP unicast only
	}
	if t.Multicast && !t.Unicast { // some offer both in one: unicast serves them
		key, ok := c.multicastTo(r.stream)
		return ok && t.Lower == "UDP" && !t.RTCPMux && key.fits(&t)
	}
	if c.elsewhere(t) {
		return false
	}
	if r.ownTCP(&t) {
		return c.hasLanes(&t)
	}
	return t.Lower == "TCP" || (t.Lower == "UDP" && c.remote.IsValid() && t.ClientPort.OK && t.ClientPort.First > 0 && t.ClientPort.RTCP() < 1<<16)
}

// watches tells whether a mode is that of a viewer; PLAY when it is not there
// (RFC 2326 12.39).
func watches(mode string) bool {
	modes := strings.FieldsFunc(mode, func(r rune) bool { return r == ',' || r == ' ' })
	return len(modes) == 0 || slices.ContainsFunc(modes, func(m string) bool { return strings.EqualFold(m, "PLAY") })
}

// viewerFor makes a viewer, and t the answer. nil: no channels are free.
func (c *conn) viewerFor(r *request, ses *session, t *wire.Transport) (*viewer, error) {
	switch {
	case r.ownTCP(t):
		return c.byLanes(ses, t)
	case t.Lower == "TCP":
		return c.interleave(ses, t), nil
	case t.Multicast && !t.Unicast:
		return c.multicast(ses.stream, t)
	}
	return c.unicast(t), nil
}

// unicast is a viewer by UDP, and makes t the answer.
func (c *conn) unicast(t *wire.Transport) *viewer {
	at := func(port int) *udp.Destination { // from where Source says, since firewalls pass nothing else
		return udp.NewDestination(netip.AddrPortFrom(c.remote.Addr(), uint16(port))).From(c.local.Addr())
	}
	asked, mux, feedback, port := t.ClientPort, t.RTCPMux, strings.HasSuffix(t.Profile, "AVPF"), c.srv.udp.port
	mute := len(t.DestAddr) == 1 // RFC 7826 C.1.2
	*t = wire.Transport{
		Profile: t.Profile, Lower: t.Lower, Unicast: true, ClientPort: asked,
		ServerPort: wire.PortRange{First: port, Last: port + 1, OK: true},
		Source:     c.local.Addr().WithZone("").String(),
	}
	if mux { // RTCP by the ports of RTP (RFC 5761)
		t.RTCPMux, t.ClientPort.Last, t.ServerPort.Last = true, asked.First, port
		return &viewer{rtpTo: at(asked.First), rtcpTo: at(asked.First), mux: true, feedback: feedback}
	}
	return &viewer{rtpTo: at(asked.First), rtcpTo: at(asked.RTCP()), mute: mute, feedback: feedback}
}

// interleave is a viewer in this connection, on the channels asked for if they
// are free, and makes t the answer. nil: no channels are free.
func (c *conn) interleave(ses *session, t *wire.Transport) *viewer {
	first, ok := c.channels(ses, t.Interleaved)
	if !ok {
		return nil
	}
	last := first + 1
	if t.RTCPMux {
		last = first
	}
	*t = wire.Transport{
		Profile: t.Profile, Lower: t.Lower, Unicast: true, RTCPMux: t.RTCPMux,
		Interleaved: wire.PortRange{First: first, Last: last, OK: true},
	}
	return &viewer{conn: c, out: c.out, rtpChannel: byte(first), rtcpChannel: byte(last)}
}

// channels finds two that no other session of this connection uses, the first
// of which it tells.
func (c *conn) channels(me *session, asked wire.PortRange) (first int, ok bool) {
	c.prune()
	var used [256]bool
	for _, ses := range c.sessions {
		if v := ses.viewer.Load(); ses != me && v.conn == c {
			used[v.rtpChannel], used[v.rtcpChannel] = true, true
		}
	}
	free := func(n int) bool { return n < 255 && !used[n] && !used[n+1] }
	if asked.OK && free(asked.First) {
		return asked.First, true
	}
	for n := 0; n < len(used); n += 2 {
		if free(n) {
			return n, true
		}
	}
	return 0, false
}
