package rtspd

import (
	"time"

	"lenslet/rtspd/rtp"
)

// report sends the sender reports that are due.
func (s *Stream) report(now time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.viewers {
		if v.packets > 0 && now-v.reported >= reportInterval {
			s.reportTo(v, now)
		}
	}
}

// reportTo sends a sender report: the wall clock and the capture clock at the
// same instant, from which a recorder knows when each picture was taken.
func (s *Stream) reportTo(v *viewer, now time.Duration) {
	v.reported = now
	v.rtcp(rtp.SenderReport(nil, rtp.Report{
		SSRC: s.packetizer.SSRC(), CNAME: s.cname,
		Wall: time.Now(), RTPTime: s.clock.RTP(now),
		Packets: v.packets, Octets: v.octets,
	}))
}

// feedback takes an RTCP packet from a viewer. True: it said BYE.
func (s *Stream) feedback(v *viewer, packet []byte) (bye bool) {
	f, err := rtp.ParseReceiver(packet, s.packetizer.SSRC())
	if err != nil {
		return false // who can send to the port can send anything
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Reports {
		v.last = f.Report
	}
	if f.PLI || f.FIR {
		s.askKeyFrame(monotonic())
	}
	return f.Bye
}

// received is what the viewer's last report says that arrived (RFC 3550 A.3).
func (v *viewer) received() uint64 {
	if v.last == (rtp.Reception{}) {
		return 0
	}
	expected := int64(v.last.Highest) - int64(v.firstSeq) + 1
	return uint64(max(0, expected-int64(v.last.Lost)))
}

func (v *viewer) lost() uint64 { return uint64(max(0, v.last.Lost)) }

func (v *viewer) jitter() time.Duration {
	return time.Duration(v.last.Jitter) * time.Second / 90000
}
