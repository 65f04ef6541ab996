package rtspd

import (
	"time"

	"lenslet/rtspd/wire"
)

// playWait is how long the answer to PLAY waits for the key frame that the
// viewer begins with, to tell the number and time of its first packet.
const playWait = 2 * time.Second

// play lets the viewer see the stream from the next key frame on. The
// session's lock is held. nil: the publisher has answered.
func (c *conn) play(r *request, next state) *wire.Response {
	ses := r.session
	if refused := refusedPosition(r); refused != nil {
		return refused
	}
	v := ses.viewer.Load()
	if v.lanes != nil && !v.lanes.await(ses, c.gone) {
		return plain(wire.DataTransportNotReadyYet, "not all connections for the packets are there")
	}
	playing := ses.state == statePlaying
	ses.state, ses.played = next, r.cseq
	ses.clock.Store(r.unit() == "clock")
	if playing { // there is nothing to queue
		return r.playing(true)
	}
	ses.announce()                  // in front of the first packet
	answered := make(chan struct{}) // closed by begin
	ses.stream.join(v, func(seq uint16, rtptime uint32) {
		c.answer(r, r.started(seq, rtptime))
		close(answered)
	})
	c.srv.cfg.Log.Info("viewer joined", "viewer", c.remote.Addr(), "stream", ses.stream.cfg.Path, "transport", v.transport())
	timeout := time.NewTimer(playWait)
	defer timeout.Stop()
	select {
	case <-answered:
		return nil
	case <-timeout.C:
	case <-ses.over:
	case <-c.gone:
	}
	if !ses.stream.abandon(v) { // begin runs now, or has
		<-answered
		return nil
	}
	return r.playing(false)
}

// started is the answer to PLAY for packets that begin with this number and time.
func (r *request) started(seq uint16, rtptime uint32) *wire.Response {
	if r.v2 {
		return r.started2(seq, rtptime)
	}
	res := playing200(r)
	res.Header.Set("RTP-Info", wire.FormatRTPInfo([]wire.RTPInfo{{URL: base(r) + track, Seq: seq, RTPTime: rtptime}}))
	return res
}

// playing is the answer to PLAY of a session that plays already, or whose first
// packet is not known yet.
func (r *request) playing(already bool) *wire.Response {
	if r.v2 {
		return r.playing2(already)
	}
	return playing200(r)
}

// abandon takes begin back. False: it was called already.
func (s *Stream) abandon(v *viewer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := v.begin != nil
	v.begin = nil
	return pending
}
