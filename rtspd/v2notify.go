package rtspd

import (
	"strings"
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/wire"
)

// notify sends a PLAY_NOTIFY (RFC 7826 13.5).
func (s *session) notify(reason string, h wire.Header) {
	s.tell("PLAY_NOTIFY", append(wire.Header{{Name: "Notify-Reason", Value: reason}}, h...))
}

// tell sends a request of 2.0 to a client that takes requests, and waits for
// nobody. It is sent also when the session has just ended.
func (s *session) tell(method string, h wire.Header) {
	c := s.control.Load()
	if c == nil {
		return
	}
	c.ask(&wire.Request{
		Version: wire.Version20, Method: method, URL: strings.TrimSuffix(s.base, "/"),
		Header: append(wire.Header{{Name: "Session", Value: s.id}}, h...),
	}, func(_ *wire.Response, err error) {
		if err == nil {
			s.touch()
		}
	})
}

// notifyChanged tells that the stream has changed (RFC 7826 13.5.2). A body it
// must not have: MTag, an addition, says that there is another description now,
// for DESCRIBE to fetch.
func (s *session) notifyChanged() {
	now := monotonic()
	s.notify("media-properties-update", wire.Header{
		{Name: "Media-Properties", Value: liveProperties}, {Name: "Media-Range", Value: s.stream.mediaRange(now)},
		{Name: "Range", Value: s.stream.from(s.unit(), now).String()}, {Name: "MTag", Value: s.stream.mtag()},
	})
}

// updateInterval is the time between two notifications of a session, whose client
// reckons by them how far the stream is (RFC 7826 13.5.2).
const updateInterval = 5 * time.Minute

// update notifies a client of 2.0 that plays, when it is time.
func (s *session) update(now time.Duration) {
	if !s.v2 || !s.stream.plays(s.viewer.Load()) {
		s.updated.Store(0)
		return
	}
	s.updated.CompareAndSwap(0, int64(now))
	if now-time.Duration(s.updated.Load()) >= updateInterval {
		s.updated.Store(int64(now))
		s.notifyChanged()
	}
}

// serverAdmin is why a session of 2.0 ends, of the reasons that there are (RFC
// 7826 18.52).
func serverAdmin() wire.Field { return wire.Field{Name: "Terminate-Reason", Value: "Server-Admin"} }

// farewell tells a client of 2.0 that takes requests that its session has been
// ended here (RFC 7826 13.7.2), and before, if it played, that nothing follows
// (13.5.1), and which PLAY that was.
func (s *session) farewell(played bool) {
	if !s.v2 {
		return
	}
	if played {
		s.mu.Lock()
		cseq := s.played
		s.mu.Unlock()
		now := monotonic()
		seq, rtptime := s.stream.next(s.viewer.Load(), now)
		where := wire.Range{Unit: s.unit(), End: s.stream.from(s.unit(), now).Start}
		s.notify("end-of-stream", wire.Header{
			{Name: "Request-Status", Value: "cseq=" + cseq + ` status=200 reason="OK"`},
			{Name: "Range", Value: where.String()},
			{Name: "RTP-Info", Value: s.rtpInfo2(seq-1, rtptime)},
		})
	}
	s.tell("TEARDOWN", wire.Header{serverAdmin()})
}

// rtpInfo2 is the value of RTP-Info for the session's track.
func (s *session) rtpInfo2(seq uint16, rtptime uint32) string {
	ssrc := s.stream.ssrcOf(s.viewer.Load())
	return wire.FormatRTPInfo2([]wire.RTPInfo{{URL: s.base + track, SSRC: ssrc, HasSSRC: true, Seq: seq, RTPTime: rtptime}})
}

// captured is the instant of the capture clock that an RTP time belongs to, one
// of hours around now.
func (s *Stream) captured(rtptime uint32) time.Duration {
	now := monotonic()
	return now - time.Duration(int32(s.clock.RTP(now)-rtptime))*time.Second/rtp.ClockRate
}
