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
	news, tell := s.edition != s.announced, s.changed
	s.announced = s.edition
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
	s.recalled = false
	if !bytes.Equal(sps, s.sps) || !bytes.Equal(pps, s.pps) {
		s.sps, s.pps = bytes.Clone(sps), bytes.Clone(pps)
		s.edition++
		s.revise()
	}
}

// A Description is what the session description tells of the pictures.
type Description struct {
	SPS, PPS  []byte  // NAL units
	Framerate float64 // frames per second; 0: unknown
	Bitrate   int     // bit/s; 0: unknown
}

// Recall describes the stream as an earlier one was, until it begins: its first
// key frame counts, and who was told something else is told again. The zero
// Description changes nothing.
func (s *Stream) Recall(was Description) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(was.SPS) > 0 && s.sps == nil {
		s.sps, s.pps, s.framerate, s.bitrate = bytes.Clone(was.SPS), bytes.Clone(was.PPS), was.Framerate, was.Bitrate
		s.recalled = true
		s.revise()
	}
}

// isRecalled tells whether the description is that of an earlier stream.
func (s *Stream) isRecalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.recalled
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

// editions are that of the description as it is now, and the one that clients
// were told last.
func (s *Stream) editions() (now, told uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.edition, s.announced
}

// catchUp tells the clients of this connection's sessions that hold an old
// description: from a DESCRIBE before the SETUP, or since they take requests from
// now on only.
func (c *conn) catchUp() {
	for _, ses := range c.sessions {
		ses.describeChanged()
	}
}

// hold notes that the client is given the description of a stream, which is read
// after this: an edition that is too old is told again, one too new would not be.
func (c *conn) hold(stream *Stream) {
	edition, _ := stream.editions()
	c.editions[stream] = edition
	for _, ses := range c.sessions {
		if ses.stream == stream {
			ses.edition.Store(edition)
		}
	}
}

// held is the edition that the client has; one that was described to in another
// connection is believed to have the latest.
func (c *conn) held(stream *Stream) uint64 {
	edition, ok := c.editions[stream]
	if !ok {
		edition, _ = stream.editions()
	}
	return edition
}

// describeChanged announces at once, but to a client of 2.0 that does not play:
// PLAY_NOTIFY is for sessions that do (RFC 7826 13.5), so that PLAY comes back to
// it.
func (s *session) describeChanged() {
	if !s.v2 || s.stream.plays(s.viewer.Load()) {
		s.announce()
	}
}

// announce sends the description to a client that takes requests, and has
// an old one (RFC 2326 10.3). What it sends now lies in the connection before the
// first packet that needs the new parameter sets. The publisher calls it, so that
// it waits for nobody, not even for the session's lock.
func (s *session) announce() {
	c := s.control.Load()
	if c == nil || s.ended() || !c.asker.takesRequests() {
		return
	}
	has := s.edition.Load()
	now, told := s.stream.editions()
	if has >= told || !s.edition.CompareAndSwap(has, now) {
		return
	}
	if s.v2 {
		s.notifyChanged()
		return
	}
	body, ok := s.stream.describe(c.srv.cfg.Name, c.local.Addr())
	if !ok {
		return
	}
	if v := s.viewer.Load(); v.safe != nil {
		body = s.stream.describeSafe(body, v)
	}
	s.ask(&wire.Request{Method: "ANNOUNCE", URL: strings.TrimSuffix(s.base, "/"), Body: body, Header: wire.Header{
		{Name: "Content-Type", Value: "application/sdp"}, {Name: "Content-Base", Value: s.base},
	}}, nil)
}
