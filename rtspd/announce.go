package rtspd

import (
	"bytes"
	"strings"

	"lenslet/rtspd/wire"
)

// tell makes f hear when the description has changed, before the first unit that
// it describes is sent. f is called by the publisher, without a lock held, and
// must not block.
func (s *Stream) tell(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = f
}

// study learns from a key unit, and tells if the description has changed since
// it was told last.
func (s *Stream) study(u Unit) {
	s.mu.Lock()
	s.learn(u.NALUs())
	news, tell := s.news, s.changed
	s.news = false
	s.mu.Unlock()
	if news && tell != nil {
		tell()
	}
}

// learn remembers the parameter sets of a key unit.
func (s *Stream) learn(nalus [][]byte) {
	sps, pps := s.sps, s.pps
	for _, n := range nalus {
		if len(n) == 0 {
			continue
		}
		switch n[0] & 0x1f { // nal_unit_type, H.264 table 7-1
		case 7:
			sps = n
		case 8:
			pps = n
		}
	}
	if !bytes.Equal(sps, s.sps) || !bytes.Equal(pps, s.pps) {
		s.sps, s.pps = bytes.Clone(sps), bytes.Clone(pps)
		s.news = true
		s.revise()
	}
}

// describeChanged tells every session of a stream.
func (s *Server) describeChanged(stream *Stream) {
	s.mu.Lock()
	var told []*session
	for _, ses := range s.sessions {
		if ses.stream == stream {
			told = append(told, ses)
		}
	}
	s.mu.Unlock()
	for _, ses := range told {
		ses.describeChanged()
	}
}

// describeChanged sends the new description to a client that takes requests
// (RFC 2326 10.3). What it sends now lies in the connection before the first
// packet that needs the new parameter sets. The publisher calls it, so that it
// waits for nobody, not even for the session's lock.
func (s *session) describeChanged() {
	c := s.control.Load()
	if c == nil || !c.asker.takesRequests() {
		return
	}
	body, ok := s.stream.describe(c.srv.cfg.Name, c.local.Addr())
	if !ok {
		return
	}
	if s.v2 {
		s.notifyChanged(body)
		return
	}
	s.ask(&wire.Request{Method: "ANNOUNCE", URL: strings.TrimSuffix(s.base, "/"), Body: body, Header: wire.Header{
		{Name: "Content-Type", Value: "application/sdp"}, {Name: "Content-Base", Value: s.base},
	}}, nil)
}
