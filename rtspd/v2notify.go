package rtspd

import (
	"strings"
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/wire"
)

// notify sends a PLAY_NOTIFY (RFC 7826 13.5) to a client that takes requests,
// and waits for nobody. It is sent also when the session has just ended.
func (s *session) notify(reason string, h wire.Header, body []byte) {
	c := s.control.Load()
	if c == nil {
		return
	}
	head := wire.Header{{Name: "Session", Value: s.id}, {Name: "Notify-Reason", Value: reason}}
	c.ask(&wire.Request{
		Version: wire.Version20, Method: "PLAY_NOTIFY", URL: strings.TrimSuffix(s.base, "/"),
		Header: append(head, h...), Body: body,
	}, func(_ *wire.Response, err error) {
		if err == nil {
			s.touch()
		}
	})
}

// notifyChanged tells that the stream has changed. The body is the new
// description: the fields alone do not say what is new (RFC 7826 13.5.2).
func (s *session) notifyChanged(body []byte) {
	s.notify("media-properties-update", wire.Header{
		{Name: "Media-Properties", Value: liveProperties}, {Name: "Media-Range", Value: s.stream.mediaRange(monotonic())},
		{Name: "MTag", Value: s.stream.mtag()},
		{Name: "Content-Type", Value: "application/sdp"}, {Name: "Content-Base", Value: s.base},
	}, body)
}

// endOfStream tells a client of 2.0 that played that nothing follows (RFC 7826
// 13.5.1), and which PLAY that was.
func (s *session) endOfStream() {
	if !s.v2 {
		return
	}
	now := monotonic()
	seq, _ := s.stream.next()
	where := wire.Range{Unit: "npt", End: s.stream.from("npt", now).Start}
	s.notify("end-of-stream", wire.Header{
		{Name: "Request-Status", Value: "cseq=" + s.played + ` status=200 reason="OK"`},
		{Name: "Range", Value: where.String()},
		{Name: "RTP-Info", Value: s.stream.rtpInfo2(s.base+track, seq-1, s.stream.clock.RTP(now))},
	}, nil)
}

// rtpInfo2 is the value of RTP-Info for the stream's track.
func (s *Stream) rtpInfo2(url string, seq uint16, rtptime uint32) string {
	return wire.FormatRTPInfo2([]wire.RTPInfo{{URL: url, SSRC: s.packetizer.SSRC(), HasSSRC: true, Seq: seq, RTPTime: rtptime}})
}

// captured is the instant of the capture clock that an RTP time belongs to, one
// of hours around now.
func (s *Stream) captured(rtptime uint32) time.Duration {
	now := monotonic()
	return now - time.Duration(int32(s.clock.RTP(now)-rtptime))*time.Second/rtp.ClockRate
}
