package udp

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Sender sends planned packets over one socket. One goroutine calls Plan and
// Send; the socket may be read, written to and closed by others meanwhile.
type Sender struct {
	conn     syscall.RawConn
	family   int
	segments bool // the kernel knows UDP_SEGMENT
	iovecs   []unix.Iovec
	first    []int // iovec of each packet, and the end
	sizes    []int // bytes of each packet
	runs     plan  // segmented
	singles  plan  // one message for each packet, made when needed
	counters counters

	call  func(fd uintptr) // made once: a closure made for each call would allocate
	todo  []unix.Mmsghdr   // what call sends
	sent  int              // messages that call sent
	errno unix.Errno       // of call
}

// NewSender sends over c, which stays with the caller and is not changed.
func NewSender(c *net.UDPConn) (*Sender, error) {
	conn, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("UDP sender on %v: %w", c.LocalAddr(), err)
	}
	s := &Sender{conn: conn}
	s.call = s.sendmmsg
	var probe error
	err = conn.Control(func(fd uintptr) {
		s.family, probe = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
		_, missing := unix.GetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT)
		s.segments = missing == nil
	})
	if err = errors.Join(err, probe); err != nil {
		return nil, fmt.Errorf("UDP sender on %v: %w", c.LocalAddr(), err)
	}
	return s, nil
}

// Segments tells whether the kernel knows UDP_SEGMENT (Linux 4.18).
func (s *Sender) Segments() bool { return s.segments }

// Send sends the planned packets to d and tells how many of them went out. It
// does not wait: when the kernel has no room the rest is dropped and counted,
// without an error. An error ends it; errors.Is finds the kernel's errno, such
// as ENETUNREACH or EMSGSIZE, or net.ErrClosed.
//
// There is one call for each destination: one sendmmsg for all of 50 took 4 % less
// CPU, for all of 100 5.5 % (BenchmarkFanOut, 24 packets on loopback, CPU time by
// turns, medians of five), and would need messages and control messages for each
// viewer, and the kernel's answers sorted by viewer. A source address costs nothing
// that can be measured (within 2 %, either way).
func (s *Sender) Send(d *Destination) (sent int, err error) {
	p := &s.runs
	if d.whole || !s.segments {
		s.planSingles()
		p = &s.singles
	}
	for i := 0; i < len(p.messages) && err == nil; {
		var n int
		n, err = s.transmit(d, p, i)
		for _, count := range p.counts[i : i+n] {
			sent += count
		}
		i += n
		if err != nil && p == &s.runs && p.counts[i] > 1 && cannotSegment(err) {
			s.counters.fallbacks.Add(1)
			d.whole, err = true, nil
			s.planSingles()
			p, i = &s.singles, sent
		}
	}
	return sent, s.finish(d, sent, err)
}

// cannotSegment tells whether an error means that this path takes no segmented
// sends: EIO without checksums in the device or under IPsec, EINVAL and EMSGSIZE
// where a segment is larger than the path's MTU (udp_send_skb in net/ipv4/udp.c).
func cannotSegment(err error) bool {
	return err == unix.EIO || err == unix.EINVAL || err == unix.EMSGSIZE
}

// attempts is how often a message is sent that meets errors of earlier packets. One
// is pending for each ICMP message that comes meanwhile, and each time that the
// Receiver takes one of several from the queue of errors, since the kernel then
// tells the next (sock_dequeue_err_skb in net/core/skbuff.c). No more: without a
// route the error is the message's own, and comes each time. The next message to
// where that is known is sent again once: the first error may be an earlier packet's.
const attempts = 16

// transmit is one system call for the messages from the given one on, and again
// only if a signal came first, or the error of an earlier packet, which may have
// gone to another destination.
func (s *Sender) transmit(d *Destination, p *plan, from int) (int, error) {
	p.address(d, from, s.family)
	s.todo = p.messages[from:]
	for attempt := 1; ; {
		if err := s.conn.Control(s.call); err != nil {
			return 0, err
		}
		s.counters.calls.Add(1)
		if attempt < d.attempts(s.errno) && isReport(s.errno) {
			attempt++
			s.counters.reports.Add(1)
		} else if s.errno != unix.EINTR {
			break
		}
	}
	d.learn(s.errno)
	s.count(s.todo[:s.sent], p.counts[from:])
	if s.errno != 0 {
		return s.sent, s.errno
	}
	return s.sent, nil
}

// isReport tells whether an error may be that of an earlier packet, for which an
// ICMP message came (IP_RECVERR in ip(7)).
func isReport(e unix.Errno) bool {
	switch e {
	case 0, unix.EINTR, unix.EAGAIN, unix.ENOBUFS, unix.EIO, unix.EINVAL: // of this one
		return false
	}
	return true
}

// sendmmsg runs while the descriptor is guarded against Close, and not under
// the lock of writers, who may wait. Go's scheduler is not told of the call, for it
// does not wait: told, it wakes its monitor for each frame.
func (s *Sender) sendmmsg(fd uintptr) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd,
		uintptr(unsafe.Pointer(&s.todo[0])), uintptr(len(s.todo)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	s.sent, s.errno = int(n), errno
	if errno != 0 {
		s.sent = 0
	}
}

// count adds what the kernel took.
func (s *Sender) count(messages []unix.Mmsghdr, counts []int) {
	var bytes, segmented uint64
	for i := range messages {
		bytes += uint64(messages[i].Len)
		if counts[i] > 1 {
			segmented++
		}
	}
	s.counters.bytes.Add(bytes)
	s.counters.segmented.Add(segmented)
}

// finish counts the end of a Send and gives the error its name.
func (s *Sender) finish(d *Destination, sent int, err error) error {
	s.counters.packets.Add(uint64(sent))
	if left := len(s.sizes) - sent; left > 0 {
		s.counters.dropped.Add(uint64(left))
	}
	if err == nil || err == unix.EAGAIN || err == unix.ENOBUFS {
		return nil
	}
	return fmt.Errorf("send to %v: %w", d.addr, err)
}
