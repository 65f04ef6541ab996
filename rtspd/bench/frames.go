package main

import "encoding/binary"

// Sizes in bytes.
const (
	frameHead  = 4  // of an interleaved frame: '$', channel, length (RFC 2326 10.12)
	headOfRTP  = 12 // of an RTP packet
	headOfRTCP = 28 // of a sender report, as far as its counts
	headMost   = frameHead + headOfRTCP
)

// A scanner finds the frames in what a connection brings, chunk by chunk, and
// hands on the head of each: of its payload as many bytes as there are, at most
// headOfRTCP. Answers to requests are passed over.
type scanner struct {
	packet func(channel byte, head []byte, size int)
	head   [headMost]byte // of a frame that a chunk ends in
	have   int            // bytes in head
	skip   int            // bytes to pass over
	text   int            // how much of \r\n\r\n was seen; -1: not in an answer
	broken bool           // neither a frame nor an answer came
}

func newScanner(packet func(channel byte, head []byte, size int)) *scanner {
	return &scanner{packet: packet, text: -1}
}

// scan takes the next chunk.
func (s *scanner) scan(b []byte) {
	for len(b) > 0 && !s.broken {
		switch {
		case s.skip > 0:
			n := min(s.skip, len(b))
			s.skip -= n
			b = b[n:]
		case s.text >= 0:
			b = b[s.answer(b):]
		case s.have > 0:
			b = b[s.rest(b):]
		case b[0] == '$':
			b = b[s.frame(b):]
		case b[0] == 'R':
			s.text = 0
		default:
			s.broken = true
		}
	}
}

// frame takes the frame that the chunk begins with, or keeps its head for the
// next chunk. It gives the number of bytes that are done with.
func (s *scanner) frame(b []byte) int {
	if len(b) >= frameHead {
		size := int(binary.BigEndian.Uint16(b[2:]))
		want := frameHead + min(size, headOfRTCP)
		if len(b) >= want {
			s.packet(b[1], b[frameHead:want], size)
			s.skip = frameHead + size - want
			return want
		}
	}
	s.have = copy(s.head[:], b)
	return s.have
}

// rest completes a head.
func (s *scanner) rest(b []byte) int {
	want := frameHead
	if s.have >= frameHead {
		want += min(int(binary.BigEndian.Uint16(s.head[2:])), headOfRTCP)
	}
	n := copy(s.head[s.have:want], b)
	if s.have += n; s.have < want {
		return n
	}
	if size := int(binary.BigEndian.Uint16(s.head[2:])); want == frameHead+min(size, headOfRTCP) {
		s.packet(s.head[1], s.head[frameHead:want], size)
		s.skip, s.have = frameHead+size-want, 0
	}
	return n
}

// answer passes over a line of an answer, to the empty one. Those to keep-alives
// have no body.
func (s *scanner) answer(b []byte) int {
	const end = "\r\n\r\n"
	for i, c := range b {
		switch {
		case c == end[s.text]:
			s.text++
		case c == '\r':
			s.text = 1
		default:
			s.text = 0
		}
		if s.text == len(end) {
			s.text = -1
			return i + 1
		}
	}
	return len(b)
}
