package main

// A sequence counts the packets of one viewer by their RTP sequence numbers.
type sequence struct {
	begun   bool
	next    uint16 // number that the next packet should have
	packets uint64 // received
	lost    uint64 // numbers that never came, so far
	late    uint64 // came after a higher number, or twice
}

// take counts a packet. A number is behind when it is less than half the circle
// back (RFC 3550 A.1).
func (s *sequence) take(number uint16) {
	s.packets++
	ahead := number - s.next
	switch {
	case !s.begun:
		s.begun = true
	case ahead >= 1<<15:
		s.late++
		if s.lost > 0 {
			s.lost--
		}
		return
	default:
		s.lost += uint64(ahead)
	}
	s.next = number + 1
}
