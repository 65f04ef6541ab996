package rtspd

import (
	"math/bits"
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/srtp"
)

// Bounds of what is kept to be sent once more.
const (
	ringPackets = 1024    // at most; a power of two, so that sequence numbers wrap with it
	ringBytes   = 2 << 20 // room at most, whatever the size of a packet
	ringAge     = time.Second

	resendPackets = 128 // in answer to one RTCP packet
	resendTimes   = 4   // of one packet to one viewer
	resendLeast   = 10 * time.Millisecond
	resendUnknown = 50 * time.Millisecond
	resendMost    = 500 * time.Millisecond
	resendGroup   = 100 * time.Millisecond // for all members of a group: what one misses, others have missed too
)

// A ring keeps copies of the packets last sent, while somebody may ask for one
// again (RFC 4585 6.2.1): one copy of each, whatever the number of viewers. The
// zero ring keeps nothing.
type ring struct {
	viewers int // who may ask
	room    int // of a packet
	slab    []byte
	slots   []slot       // by sequence number
	batch   []rtp.Packet // what is about to be sent
}

type slot struct {
	at   time.Duration // when it was sent
	seq  uint16
	size int // 0: nothing is here
}

// A resend notes that a packet was sent to a viewer once more.
type resend struct {
	at    time.Duration
	seq   uint16
	times uint8
}

// open makes room when the first viewer that may ask begins to play. Once more
// does nothing.
func (r *ring) open(v *viewer, mtu int) {
	if !v.feedback || v.resent != nil {
		return
	}
	if r.viewers++; r.viewers == 1 {
		n := max(1, min(ringPackets, ringBytes/mtu))
		n = 1 << (bits.Len(uint(n)) - 1)
		r.room, r.slots, r.slab = mtu, make([]slot, n), make([]byte, n*mtu)
	}
	v.resent = make([]resend, len(r.slots))
}

// close gives the room back when the last of them is gone.
func (r *ring) close(v *viewer) {
	if v.resent == nil {
		return
	}
	v.resent = nil
	if r.viewers--; r.viewers == 0 {
		*r = ring{}
	}
}

// ringOf is where the packets are that a viewer may ask for. The stream's lock is
// held.
func (s *Stream) ringOf(v *viewer) *ring {
	if v.safe != nil {
		return &v.safe.epoch.ring
	}
	return &s.ring
}

// keep copies packets that follow each other from the given number on, and
// counts the bytes.
func (r *ring) keep(seq uint16, packets []rtp.Packet, now time.Duration) (copied uint64) {
	if len(r.slots) == 0 {
		return 0
	}
	for i, p := range packets {
		at := int(seq+uint16(i)) % len(r.slots)
		to := r.slab[at*r.room:][:r.room]
		n := copy(to, p.Header)
		n += copy(to[n:], p.Payload)
		r.slots[at] = slot{at: now, seq: seq + uint16(i), size: n}
		copied += uint64(n)
	}
	return copied
}

// find gives a packet, if it is still there and not too old.
func (r *ring) find(seq uint16, now time.Duration) []byte {
	if len(r.slots) == 0 {
		return nil
	}
	at := int(seq) % len(r.slots)
	if s := r.slots[at]; s.size > 0 && s.seq == seq && now-s.at <= ringAge {
		return r.slab[at*r.room:][:s.size]
	}
	return nil
}

// due tells whether a packet may go to the viewer once more, and notes that it
// does. A second wish within a round trip was sent before the answer to the
// first could be there.
func (v *viewer) due(seq uint16, now time.Duration) bool {
	last := &v.resent[int(seq)%len(v.resent)]
	if last.seq != seq || last.times > 0 && now-last.at > ringAge+resendMost { // of another packet, also one with this number long ago
		*last = resend{seq: seq}
	}
	if last.times == resendTimes || last.times > 0 && now-last.at < v.patience() {
		return false
	}
	last.at = now
	last.times++
	return true
}

// patience is the time between two answers about one packet.
func (v *viewer) patience() time.Duration {
	switch {
	case v.group != nil:
		return resendGroup
	case v.trip == 0:
		return resendUnknown
	}
	return max(resendLeast, min(v.trip, resendMost))
}

// measure takes the round trip from a receiver report that arrived at the given
// instant (RFC 3550 6.4.1). It must be about the last sender report: when that
// was sent is known by a clock that nobody sets.
func (v *viewer) measure(r rtp.Reception, now time.Duration) {
	if r.LSR == 0 || r.LSR != v.lsr {
		return
	}
	const unit = 1 << 16                                                              // of a second
	if trip := now - v.reported - time.Duration(r.DLSR)*time.Second/unit; trip >= 0 { // else nobody waited that long
		v.trip = max(1, trip)
	}
}

// resend sends a viewer what it misses, or the group what a member of it misses
// (RFC 4585 3.2), as far as it is there and due. Only who set RTP/AVPF up is
// answered, and the group if one of its members did.
func (s *Stream) resend(v *viewer, missing []rtp.NACK, now time.Duration) {
	if len(v.resent) == 0 || v.thin.on {
		return
	}
	r, overhead := s.ringOf(v), s.packetizer.Head()
	if v.safe != nil {
		overhead += srtp.TagSize
	}
	r.batch = r.batch[:0]
	for _, m := range missing {
		m.Each(func(seq uint16) {
			if len(r.batch) == resendPackets {
				return
			}
			if b := r.find(seq, now); b != nil && v.due(seq, now) {
				r.batch = append(r.batch, rtp.Packet{Header: b})
			}
		})
	}
	if len(r.batch) == 0 {
		return
	}
	s.sender.Plan(r.batch)
	n, _ := s.datagrams(v, r.batch) // what the kernel does not take is asked for again
	s.sender.Plan(nil)
	octets := 0
	for _, p := range r.batch[:n] {
		octets += p.Len() - overhead
	}
	clear(r.batch)
	v.packets += uint32(n)
	v.again += uint32(n)
	v.octets += uint32(octets)
	s.sent.Resent += uint64(n)
	s.sent.Packets += uint64(n)
	s.sent.Bytes += uint64(octets + n*s.packetizer.Head())
}
