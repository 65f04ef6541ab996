package udp

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/rtp"
)

// What one segmented send carries at most.
const (
	maxSegments = 64             // UDP_MAX_SEGMENTS in linux/udp.h before Linux 6.9
	maxBytes    = 65535 - 20 - 8 // what UDP over IPv4 carries
	sizeBytes   = 2              // of the segment size, a u16 (UDP_SEGMENT in udp(7))
)

// A control is the control messages that one message may have: the first, the
// second, or both. The data of a control message begins behind its header, which
// is aligned already.
type control struct {
	segment segment
	source  source
}

// A segment tells the size of one.
type segment struct {
	header unix.Cmsghdr
	size   uint16
	_      [unsafe.Sizeof(uintptr(0)) - sizeBytes]byte // up to CMSG_SPACE(2)
}

// A source tells the address that packets leave from (ip(7), ipv6(7)).
type source struct {
	header unix.Cmsghdr
	info   [unix.SizeofInet6Pktinfo]byte // that of IPv4 is shorter
}

// space is the room that the control message takes: what lies behind it would be
// taken for another one, where a kernel of 64 bits serves a program of 32.
func (s *source) space() int { return unix.CmsgSpace(int(s.header.Len) - unix.CmsgLen(0)) }

// A plan is messages, each with the packets that it carries and room for its
// control messages.
type plan struct {
	messages []unix.Mmsghdr
	counts   []int
	controls []control
}

// Plan lays out packets, headers and payloads where they are. They must not
// change before the last Send, and are held until the next Plan; Plan(nil) lets
// go of them, which has to be before their memory is unmapped. Packets without
// a byte are left out.
func (s *Sender) Plan(packets []rtp.Packet) {
	clear(s.iovecs)
	s.iovecs = slices.Grow(s.iovecs[:0], 2*len(packets))
	s.first = slices.Grow(s.first[:0], len(packets)+1)
	s.sizes = slices.Grow(s.sizes[:0], len(packets))
	for _, p := range packets {
		if p.Len() == 0 {
			continue
		}
		s.first = append(s.first, len(s.iovecs))
		s.sizes = append(s.sizes, p.Len())
		s.addIovec(p.Header)
		s.addIovec(p.Payload)
	}
	s.first = append(s.first, len(s.iovecs))
	s.runs.reset(len(s.sizes))
	s.singles.reset(len(s.sizes))
	for from := 0; from < len(s.sizes); {
		n := s.run(from)
		s.add(&s.runs, from, n)
		from += n
	}
}

func (s *Sender) addIovec(b []byte) {
	if len(b) == 0 {
		return
	}
	v := unix.Iovec{Base: unsafe.SliceData(b)}
	v.SetLen(len(b))
	s.iovecs = append(s.iovecs, v)
}

// run counts the packets from the given one on that one send can carry: all of
// one size, but for the last, which may be shorter.
func (s *Sender) run(from int) int {
	size := s.sizes[from]
	total := size
	for i := from + 1; i < len(s.sizes); i++ {
		total += s.sizes[i]
		switch {
		case i-from == maxSegments, total > maxBytes, s.sizes[i] > size:
			return i - from
		case s.sizes[i] < size:
			return i - from + 1
		}
	}
	return len(s.sizes) - from
}

// planSingles lays out one message for each packet, unless it is done already.
func (s *Sender) planSingles() {
	for i := len(s.singles.messages); i < len(s.sizes); i++ {
		s.add(&s.singles, i, 1)
	}
}

// add puts a message of n packets at the end. The plan has room for it.
func (s *Sender) add(p *plan, from, n int) {
	var m unix.Mmsghdr
	if a, b := s.first[from], s.first[from+n]; b > a {
		m.Hdr.Iov = &s.iovecs[a]
		m.Hdr.SetIovlen(b - a)
	}
	var c control
	if n > 1 {
		c.segment.size = uint16(s.sizes[from])
		c.segment.header.Level, c.segment.header.Type = unix.SOL_UDP, unix.UDP_SEGMENT
		c.segment.header.SetLen(unix.CmsgLen(sizeBytes))
	}
	p.messages = append(p.messages, m)
	p.counts = append(p.counts, n)
	p.controls = append(p.controls, c)
}

// address makes the messages from the given one on go to d.
func (p *plan) address(d *Destination, from, family int) {
	name, size := d.sockaddr(family)
	source := d.source(family)
	for i := from; i < len(p.messages); i++ {
		h, c := &p.messages[i].Hdr, &p.controls[i]
		h.Name, h.Namelen = name, size
		h.Control = nil
		length := 0
		if source != nil {
			c.source = *source
			h.Control = (*byte)(unsafe.Pointer(&c.source))
			length = c.source.space()
		}
		if p.counts[i] > 1 {
			h.Control = (*byte)(unsafe.Pointer(&c.segment))
			length += int(unsafe.Sizeof(c.segment))
		}
		h.SetControllen(length)
	}
}

// reset empties the plan and makes room, since messages point to controls.
func (p *plan) reset(packets int) {
	clear(p.messages)
	p.messages = slices.Grow(p.messages[:0], packets)
	p.counts = slices.Grow(p.counts[:0], packets)
	p.controls = slices.Grow(p.controls[:0], packets)
}
