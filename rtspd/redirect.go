package rtspd

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"lenslet/rtspd/wire"
)

// Directions say which viewers a server takes, and where it sends the others.
// The zero value takes all. URLs are absolute and of the scheme rtsp or rtsps.
type Directions struct {
	RedirectTo string // new viewers are answered 302 with this Location; "" keeps them
	DrainTo    string // all viewers go there when the server stops, or is directed to a new DrainTo
	Viewers    int    // sessions at once, 1 or more; 0: no limit
}

// retryAfter is when somebody who found all places taken may ask again, in
// seconds (RFC 2326 12.31).
const retryAfter = 30

// Inside is where the board itself connects from, to look at its own streams: it is
// not sent elsewhere, and no viewer that is counted. No other computer can come from
// an address of loopback, and who passes viewers on (a proxy, a tunnel) comes from
// 127.0.0.1, or another one of the first, unless it is told otherwise.
func Inside() netip.Addr { return netip.AddrFrom4([4]byte{127, 76, 69, 78}) }

func inside(from netip.AddrPort) bool { return from.Addr() == Inside() }

// Direct changes the directions while the server runs. A DrainTo that was not in
// force before drains at once: clients that take requests are sent there, the
// others get a BYE, and who comes later is answered 302, until a Direct without
// it. That takes up to Config.DrainTime. Under a limit that is lower now, clients
// that take requests are sent to either URL, as many as are too many.
func (s *Server) Direct(d Directions) {
	s.mu.Lock()
	fresh := d.DrainTo != "" && d.DrainTo != s.directions.DrainTo
	s.directions = d
	s.draining = fresh || (s.draining && d.DrainTo != "")
	s.mu.Unlock()
	if fresh {
		s.cfg.Log.Info("viewers are sent elsewhere", "to", withoutUser(d.DrainTo))
		s.drain(d.DrainTo, "the camera sends its viewers elsewhere")
		return
	}
	s.relieve(d)
}

// withoutUser is a URL as a log may have it.
func withoutUser(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "a URL that cannot be read"
	}
	u.User = nil
	return u.String()
}

// relieve sends clients that take requests elsewhere, as many as are there beyond
// the limit. Nobody is thrown out.
func (s *Server) relieve(d Directions) {
	to := cmp.Or(d.RedirectTo, d.DrainTo)
	if d.Viewers == 0 || to == "" {
		return
	}
	all := slices.DeleteFunc(s.everySession(), func(ses *session) bool { return inside(ses.from) })
	for beyond := len(all) - d.Viewers; len(all) > 0 && beyond > 0; all = all[1:] {
		if all[0].redirect(to) {
			beyond--
		}
	}
}

// drain ends all sessions. With a URL to go to, clients that take requests have
// a moment to end them by themselves.
func (s *Server) drain(to, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.DrainTime)
	defer cancel()
	var asked []*session
	for _, ses := range s.everySession() {
		if to != "" && ses.redirect(to) {
			asked = append(asked, ses)
		} else {
			s.dismiss(ses, why)
		}
	}
	for _, ses := range asked {
		select {
		case <-ses.over:
		case <-ctx.Done():
			s.dismiss(ses, why)
		}
	}
}

// dismiss ends a session and the connection that it is controlled by: not every
// player heeds a BYE.
func (s *Server) dismiss(ses *session, why string) {
	if !ses.ended() {
		ses.farewell(s.end(ses, why, true))
	}
	if c := ses.control.Load(); c != nil {
		c.hangUp()
	}
}

func (s *Server) everySession() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*session, 0, len(s.sessions))
	for _, ses := range s.sessions {
		all = append(all, ses)
	}
	return all
}

// redirect asks the client to go on elsewhere, now (RFC 2326 10.10). False: it
// takes no requests.
func (s *session) redirect(to string) bool {
	h := wire.Header{{Name: "Location", Value: to}}
	if s.v2 {
		h = append(h, serverAdmin())
	}
	return s.ask(&wire.Request{Method: "REDIRECT", URL: strings.TrimSuffix(s.base, "/"), Header: h}, nil)
}

// elsewhere answers somebody who would be a new viewer and is not taken; nil: it
// may come. One that only asks for a description is told where to go, but not
// that there is no place: it may know why it asks.
func (s *Server) elsewhere(r *request, from netip.AddrPort) *wire.Response {
	if inside(from) {
		return nil
	}
	s.mu.Lock()
	d, full, draining := s.directions, s.full(nil), s.draining || s.closed
	s.mu.Unlock()
	to := d.RedirectTo
	if to == "" && (draining || full) {
		to = d.DrainTo
	}
	switch {
	case to != "":
		res := plain(wire.MovedTemporarily, "this camera sends its viewers to "+to)
		res.Header.Set("Location", to)
		return res
	case full && r.Method == "SETUP":
		res := plain(wire.NotEnoughBandwidth, fmt.Sprintf("as many viewers as this camera may have are there: %d", d.Viewers))
		res.Header.Set("Retry-After", strconv.Itoa(retryAfter))
		return res
	}
	return nil
}

// full tells whether there is no place for another session, if the displaced one
// leaves. The lock is held.
func (s *Server) full(displaced *session) bool {
	n := 0
	for _, ses := range s.sessions {
		if ses != displaced && !inside(ses.from) {
			n++
		}
	}
	return s.directions.Viewers > 0 && n >= s.directions.Viewers
}

// turnsAway tells whether a new session comes too late or finds no place. The
// lock is held.
func (s *Server) turnsAway(ses, displaced *session) bool {
	d := s.directions
	return s.sessions[ses.id] == nil && !inside(ses.from) && (s.draining || d.RedirectTo != "" || s.full(displaced))
}
