package rtspd

import "time"

// Stats counts what a stream did since it was made. Packets and bytes are those
// of RTP, summed over the viewers.
type Stats struct {
	Viewers         int
	PacedViewers    int           // whose packets are paced
	Paced           uint64        // packets of units that went out in chunks, of those in Packets
	Units           uint64        // published
	Packets, Bytes  uint64        // handed to the kernel, or to a viewer's queue
	Copied          uint64        // bytes copied: of a unit once for all TCP viewers and once for all by SRTP, once more for each over TLS, and what is kept to be sent again
	Refused         uint64        // packets that the kernel did not take
	Skips           uint64        // times that a slow viewer was moved on to a key frame
	Received, Lost  uint64        // packets, by the viewers' reports
	PacketReports   uint64        // feedback about single packets, RFC 8888 or transport-wide
	Unreachable     uint64        // viewers whose port was found closed
	Resent          uint64        // packets sent once more, since a viewer missed them
	Jitter          time.Duration // the largest of the viewers now connected
	RoundTrip       time.Duration // likewise; 0: nobody's is known
	Thinned         int           // viewers now connected who get key frames only
	P50, P99        time.Duration // capture to kernel, over the last 10 s
	HasLatency      bool          // P50 and P99 say something
	Segmented       uint64        // sendmsg calls that carried a run of packets, to viewers and groups
	KeyFramesWanted uint64        // key frames asked of the codec
}

// Stats counts what happened so far.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	st, now := s.sent, monotonic()
	for _, v := range s.viewers {
		n := 1
		if v.group != nil {
			n = len(v.group.members)
		}
		st.Viewers += n
		if s.paces(v, now) {
			st.PacedViewers += n
		}
		st.Jitter = max(st.Jitter, v.jitter())
		st.RoundTrip = max(st.RoundTrip, v.trip)
		if v.thin.wanted {
			st.Thinned++
		}
	}
	if s.sender != nil {
		st.Segmented += s.sender.Counters().Segmented
	}
	st.Copied += s.pool.copied.Load()
	s.mu.Unlock()
	st.P50, st.P99, st.HasLatency = s.took.percentiles(now)
	return st
}
