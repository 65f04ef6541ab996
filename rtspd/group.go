package rtspd

import (
	"math"
	"net"
	"net/netip"
	"slices"
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/udp"
)

// Multicast is where a stream goes for the viewers that ask for multicast. The
// zero value: nowhere.
type Multicast struct {
	Groups []netip.AddrPort // of RTP, RTCP on the port behind; the first of the connection's family is taken
	TTL    int              // routers that packets may pass, and one: 1..255; 0 means 1
}

// For what listeners of a group said.
const (
	listenersMost   = 256
	listenerSilence = time.Minute
)

// A group is what all viewers of a stream by multicast share, at one interface:
// each packet is sent once, whatever their number. It lives while a session has
// it for its transport.
type group struct {
	key      groupKey
	sender   *udp.Sender // of RTP
	control  *udp.Sender // of RTCP
	sending  [2]*net.UDPConn
	reports  *net.UDPConn // what the members say, joined
	sessions int          // that have it, under the lock of groups

	// Under the stream's lock.
	sink      *viewer   // among the stream's viewers while a member plays
	members   []*viewer // that play
	listeners map[uint32]*listener
}

type groupKey struct {
	stream *Stream
	to     netip.AddrPort // of RTP
	at     string         // the interface
}

// A listener is who reports from a group, by its SSRC.
type listener struct {
	viewer
	cycles uint32        // of sequence numbers, before its first report
	heard  time.Duration // when it last reported
}

// begin lets the members begin that wait for the key frame that comes now. True:
// there was one.
func (g *group) begin(b *burst) (any bool) {
	for _, m := range g.members {
		if m.waiting {
			m.start(b.seq, b.rtptime)
			any = true
		}
	}
	return any
}

// waits tells whether a member needs a key frame.
func (g *group) waits() bool {
	return slices.ContainsFunc(g.members, func(m *viewer) bool { return m.waiting })
}

// enter lets a member play. The key frame that it needs goes to all; what it
// sees before that is in the middle of something. The sink is what is sent to.
func (g *group) enter(m *viewer) *viewer {
	if !slices.Contains(g.members, m) {
		g.members = append(g.members, m)
	}
	g.sink.waiting = g.sink.waiting || len(g.members) == 1
	g.sink.feedback = g.sink.feedback || m.feedback
	return g.sink
}

// leave ends a member's playing. last: nobody is left to send to.
func (g *group) leave(m *viewer) (was, last bool) {
	i := slices.Index(g.members, m)
	if i < 0 {
		return false, false
	}
	g.members = slices.Delete(g.members, i, i+1)
	last = len(g.members) == 0
	g.sink.feedback = g.sink.feedback && !last
	return true, last
}

// send sends the packets to the group, and tells how many went out, as
// udp.Sender.Send does.
func (g *group) send(packets []rtp.Packet) (int, error) {
	g.sender.Plan(packets)
	defer g.sender.Plan(nil)
	return g.sender.Send(g.sink.rtpTo)
}

// groupFeedback takes an RTCP packet that came to a group, from anyone. False:
// it is our own, or nothing.
func (s *Stream) groupFeedback(g *group, packet []byte, now time.Duration) bool {
	f, err := rtp.ParseReceiver(packet, s.packetizer.SSRC())
	if err != nil || f.SSRC == s.packetizer.SSRC() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Bye {
		delete(g.listeners, f.SSRC)
	} else if f.Reports {
		s.heardFrom(g, &f, now)
	}
	g.sink.last.Jitter, g.sink.reports = 0, true
	for _, l := range g.listeners {
		g.sink.last.Jitter = max(g.sink.last.Jitter, l.last.Jitter)
	}
	if f.PLI || f.FIR {
		s.owed = !s.askKeyFrame(now)
	}
	s.resend(g.sink, f.Missing[:f.NACKs], now)
	return true
}

// heardFrom adds one listener's report. What it says is counted from its first
// report on: nobody knows when it began to listen.
func (s *Stream) heardFrom(g *group, f *rtp.Feedback, now time.Duration) {
	l := g.listeners[f.SSRC]
	if l == nil {
		for ssrc, l := range g.listeners {
			if now-l.heard > listenerSilence {
				delete(g.listeners, ssrc)
			}
		}
		if len(g.listeners) >= listenersMost {
			return
		}
		l = &listener{cycles: f.Report.Highest &^ math.MaxUint16}
		l.firstSeq, l.packets = uint16(f.Report.Highest), math.MaxUint32
		g.listeners[f.SSRC] = l
	}
	l.heard = now
	f.Report.Highest -= l.cycles
	s.heard(&l.viewer, f.Report)
	g.sink.lossAt = max(g.sink.lossAt, l.lossAt)
	s.gauge(&l.viewer, g.sink, f.Report, now)
}
