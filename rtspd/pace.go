package rtspd

import (
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/srtp"
	"lenslet/rtspd/udp"
)

// A Pacing says whose packets by UDP are paced: a unit goes out in chunks, spread
// over half the frame interval at most, so that a key frame does not overrun the
// queue of a Wi-Fi driver or of a small switch.
type Pacing int

// The pacings.
const (
	PacingAuto Pacing = iota // of viewers that are reached over the air, whose reports show loss, or whose packets the kernel had no room for
	PacingOn                 // of all
	PacingOff                // of nobody
)

const (
	defaultChunk = 16                     // packets
	paceCalm     = time.Minute            // without loss, and a viewer is paced no more
	paceMost     = 100 * time.Millisecond // that the last chunk of a unit waits
)

// sysNet is where the kernel describes its interfaces.
const sysNet = "/sys/class/net"

// A pacer holds the unit that paced viewers have not got all of. It belongs to the
// stream, under its lock; its timer is the only one.
//
// Publish sends the first chunk, and the timer the others: who publishes is often
// the goroutine that serves the codec's other queue, and must not sleep. The unit
// is borrowed until then, across sends that never block. If the next one is there
// before, the rest goes out at once.
type pacer struct {
	timer    *time.Timer // nil: nothing was paced yet
	unit     Unit        // nil: all is sent
	bursts   []burst     // it as packets, plain and protected: equally many
	next     int         // first packet of the next chunk
	due, gap time.Duration
}

// paces tells whether a viewer's packets are to be paced.
func (s *Stream) paces(v *viewer, now time.Duration) bool {
	if v.out != nil || s.cfg.Pacing != PacingAuto {
		return v.out == nil && s.cfg.Pacing == PacingOn
	}
	return v.air || v.loses(now)
}

// loses tells whether packets to the viewer were lost in the last minute, by its
// reports or since the kernel had no room for them.
func (v *viewer) loses(now time.Duration) bool { return v.lossAt != 0 && now-v.lossAt < paceCalm }

// choose notes whom a unit of so many packets is paced for.
func (s *Stream) choose(packets int, now time.Duration) (any bool) {
	for _, v := range s.viewers {
		v.paced = packets > s.cfg.PacingChunk && s.paces(v, now)
		any = any || v.paced && v.safe == nil
	}
	return any
}

// chunk is a part of the packets. Only with the first one a viewer can begin.
func (b *burst) chunk(from, n int) burst {
	c := *b
	c.packets = b.packets[from:min(from+n, len(b.packets))]
	c.seq += uint16(from)
	c.key = b.key && from == 0
	overhead := rtp.HeaderSize + b.extra
	if b.epoch != nil {
		overhead += srtp.TagSize
	}
	c.octets = 0
	for _, p := range c.packets {
		c.octets += p.Len() - overhead
	}
	return c
}

// sendPaced sends the first chunk, and borrows the unit for the others if there is
// anyone for them.
func (s *Stream) sendPaced(u Unit, now time.Duration) (borrowed bool) {
	p := &s.pace
	if len(p.bursts) == 0 {
		return false
	}
	chunks := (len(p.bursts[0].packets) + s.cfg.PacingChunk - 1) / s.cfg.PacingChunk
	p.unit, p.next, p.gap = u, 0, s.spread()/time.Duration(chunks)
	p.due = now + p.gap
	if !s.advance() {
		s.settle()
		return false
	}
	s.await()
	return true
}

// spread is the time that the chunks of a unit are spread over.
func (s *Stream) spread() time.Duration {
	interval := time.Second / 30
	if s.framerate > 0 {
		interval = time.Duration(float64(time.Second) / s.framerate)
	}
	return min(interval/2, paceMost)
}

// await sets the timer to when the next chunk is due.
func (s *Stream) await() {
	wait := max(0, s.pace.due-monotonic())
	if s.pace.timer == nil {
		s.pace.timer = time.AfterFunc(wait, s.onward)
	} else {
		s.pace.timer.Reset(wait)
	}
}

// onward is called by the timer, also when Publish has just done its work.
func (s *Stream) onward() {
	var done Unit
	s.mu.Lock()
	switch p := &s.pace; {
	case p.unit == nil || monotonic() < p.due:
	case s.advance():
		p.due += p.gap
		s.await()
	default:
		s.took.add(monotonic(), p.bursts[0].captured)
		done = s.settle()
	}
	s.mu.Unlock()
	if done != nil {
		done.Release()
	}
}

// hurry sends what is left of a unit at once, and gives it back; nil: there was
// none.
func (s *Stream) hurry() Unit {
	if s.pace.unit == nil {
		return nil
	}
	for s.advance() {
	}
	s.took.add(monotonic(), s.pace.bursts[0].captured)
	return s.settle()
}

// advance sends a chunk to those who got the ones before. False: it was the last,
// or nobody is left.
func (s *Stream) advance() bool {
	p, any := &s.pace, false
	for i := range p.bursts {
		b := p.bursts[i].chunk(p.next, s.cfg.PacingChunk)
		s.sender.Plan(b.packets)
		for _, v := range s.viewers {
			if !v.paced || v.epoch() != b.epoch || v.waiting && !b.key {
				continue
			}
			any = true
			before := s.sent.Packets
			if s.sendTo(v, &b) && v.safe != nil {
				v.safe.last = b.epoch.next
			}
			s.sent.Paced += s.sent.Packets - before
		}
	}
	s.sender.Plan(nil)
	p.next += s.cfg.PacingChunk
	return any && p.next < len(p.bursts[0].packets)
}

// settle forgets the unit, and gives it back to be released without the lock.
func (s *Stream) settle() Unit {
	p := &s.pace
	u := p.unit
	clear(p.bursts)
	p.unit, p.bursts = nil, p.bursts[:0]
	s.packetizer.Packetize(nil, 0)
	return u
}

// epoch is the one that a viewer by SRTP is in; nil for others.
func (v *viewer) epoch() *epoch {
	if v.safe == nil {
		return nil
	}
	return v.safe.epoch
}

// overTheAir tells whether packets to a viewer leave by a wireless interface, as
// far as that matters.
func (s *Stream) overTheAir(v *viewer) bool {
	name := ""
	switch {
	case s.cfg.Pacing != PacingAuto:
	case v.group != nil:
		name = v.group.key.at
	case v.rtpTo != nil:
		name, _ = udp.Interface(v.rtpTo.AddrPort().Addr()) // without a route there is none
	}
	return wireless(sysNet, name)
}

// wireless tells whether an interface is one.
func wireless(sys, name string) bool {
	for _, mark := range []string{"wireless", "phy80211"} {
		if _, err := os.Stat(filepath.Join(sys, name, mark)); err == nil && name != "" {
			return true
		}
	}
	return false
}

// losers lists viewers whose packets are paced since some were lost, each once.
func (s *Stream) losers(now time.Duration) (anew []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.viewers {
		loses := v.loses(now) && s.paces(v, now) && s.cfg.Pacing == PacingAuto && !v.air
		if loses && !v.lossTold {
			anew = append(anew, v.rtpTo.AddrPort())
		}
		v.lossTold = loses
	}
	return anew
}
