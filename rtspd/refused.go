package rtspd

import (
	"net/netip"
	"time"

	"lenslet/rtspd/udp"
)

// For viewers by UDP whose port is closed.
const (
	refusedLimit = 10 * time.Second             // of refusals alone, then the session ends
	refusedPause = reportInterval + time.Second // between two of them; what is sent is refused sooner
)

// refusals are the ICMP messages that say that nobody listens where a viewer's
// packets go. Anyone could forge one, and a player that is started again listens
// soon, so that only a series of them counts, without any sign of life in it.
type refusals struct {
	first, last time.Duration // of the series, CLOCK_MONOTONIC
	known       bool          // there was one in the session
}

// add notes one. seen is the last sign of life. True: the viewer is gone.
func (r *refusals) add(now, seen time.Duration) (gone bool) {
	if !r.known || seen >= r.first || now-r.last > refusedPause {
		r.first = now
	}
	r.known, r.last = true, now
	return now-r.first >= refusedLimit
}

// refused takes the message that nobody listens where packets of ours went.
func (s *Server) refused(to netip.AddrPort, now time.Duration) {
	var fresh, gone []*session
	s.mu.Lock()
	for _, ses := range s.sessions {
		if v := ses.viewer.Load(); !v.goesTo(to) {
			continue
		}
		if !ses.refusals.known {
			fresh = append(fresh, ses)
		}
		if ses.refusals.add(now, time.Duration(ses.seen.Load())) {
			gone = append(gone, ses)
		}
	}
	s.mu.Unlock()
	for _, ses := range fresh {
		s.cfg.Log.Info("viewer does not listen", "viewer", to, "stream", ses.stream.cfg.Path)
		ses.stream.countUnreachable()
	}
	for _, ses := range gone {
		s.end(ses, "nobody listens at its port", true)
	}
}

// goesTo tells whether packets of a viewer by UDP go to an address.
func (v *viewer) goesTo(a netip.AddrPort) bool {
	return is(v.rtpTo, a) || is(v.rtcpTo, a)
}

func is(d *udp.Destination, a netip.AddrPort) bool { return d != nil && d.AddrPort() == a }

func (s *Stream) countUnreachable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent.Unreachable++
}
