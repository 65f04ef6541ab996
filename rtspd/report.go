package rtspd

import (
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/wire"
)

// reportsAtOnce bounds how long sender reports hold the stream's lock: those who
// begin with one key frame are all due at the same time.
const reportsAtOnce = 32

// report sends the sender reports that are due. Both times are the same instant.
func (s *Stream) report(now time.Duration, wall time.Time) {
	for s.reportSome(now, wall) {
	}
}

// reportSome sends some of them. True: there may be more.
func (s *Stream) reportSome(now time.Duration, wall time.Time) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, v := range s.viewers {
		if v.packets == 0 || now-v.reported < reportInterval {
			continue
		}
		if n++; n > reportsAtOnce {
			return true
		}
		s.reportTo(v, now, wall)
	}
	return false
}

// reportTo sends a sender report: the wall clock and the capture clock at the
// same instant, from which a recorder knows when each picture was taken.
func (s *Stream) reportTo(v *viewer, now time.Duration, wall time.Time) {
	v.reported, v.lsr = now, uint32(rtp.NTP(wall)>>16)
	s.rtcp(v, rtp.SenderReport(nil, rtp.Report{
		SSRC: s.ssrcOf(v), CNAME: s.cname,
		Wall: wall, RTPTime: s.clock.RTP(now),
		Packets: v.packets, Octets: v.octets,
	}))
}

// rtcp sends an RTCP packet to a viewer, and waits for nobody: the lock is held.
func (s *Stream) rtcp(v *viewer, packet []byte) {
	if v.mute {
		return
	}
	if v.safe != nil {
		if packet = v.safe.seal(packet); packet == nil {
			return
		}
	}
	if v.lanes != nil {
		v.lanes.control(packet)
		return
	}
	if v.out != nil {
		v.out.send(wire.Interleaved{Channel: v.rtcpChannel, Payload: packet}.Append(nil))
		return
	}
	control := s.control
	switch {
	case v.group != nil:
		control = v.group.control
	case v.mux:
		control = s.muxed
	}
	control.Plan([]rtp.Packet{{Header: packet}})
	_, _ = control.Send(v.rtcpTo) // as UDP: it arrives or not
}

// feedback takes an RTCP packet from a viewer. True: it said BYE.
func (s *Stream) feedback(v *viewer, packet []byte) (bye bool) {
	packet, ssrc := s.unseal(v, packet)
	f, err := rtp.ParseReceiver(packet, ssrc)
	if err != nil {
		return false // who can send to the port can send anything
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Reports {
		s.heard(v, f.Report)
		v.measure(f.Report, monotonic())
		s.gauge(v, v, f.Report, monotonic())
	}
	s.arrived(v, &f.Arrivals, monotonic(), monotonic())
	for i := range f.Wides {
		s.arrivedWide(v, &f.Wide[i], monotonic())
	}
	v.rate.Cap(monotonic(), f.MaxBitrate)
	again := f.FIR && v.fir == int(f.FIRSeq)+1 // the same wish, RFC 5104 4.3.1.2
	if f.FIR {
		v.fir = int(f.FIRSeq) + 1
	}
	now := monotonic()
	if f.PLI || (f.FIR && !again) {
		s.owed = !s.askKeyFrame(now)
	}
	if f.NACKs > 0 {
		s.resend(v, f.Missing[:f.NACKs], now)
	}
	return f.Bye
}

// heard adds what a receiver report says beyond the ones before. The sums never
// fall, also when a viewer pauses, leaves, or takes something back.
func (s *Stream) heard(v *viewer, r rtp.Reception) {
	v.last, v.reports = r, true
	expected := int64(r.Highest) - int64(v.firstSeq) + 1 // RFC 3550 A.3
	received := uint64(min(max(0, expected-int64(r.Lost)), int64(v.packets)))
	lost := uint64(max(0, r.Lost))
	s.sent.Received += max(received, v.received) - v.received
	s.sent.Lost += max(lost, v.lost) - v.lost
	if lost > v.lost {
		v.lossAt = monotonic()
	}
	v.received, v.lost = max(received, v.received), max(lost, v.lost)
}

func (v *viewer) jitter() time.Duration {
	if !v.reports {
		return v.toldJitter
	}
	return time.Duration(v.last.Jitter) * time.Second / rtp.ClockRate
}
