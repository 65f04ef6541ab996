package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrRefused says that nobody listens where packets went: ICMP port unreachable.
var ErrRefused = errors.New("port unreachable")

// ReportRefusals lets the Receiver of a socket hear of refusals. The kernel then
// fails the next send of the socket too, whoever it goes to: Sender sends again.
func ReportRefusals(c *net.UDPConn) error {
	conn, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("refusals at %v: %w", c.LocalAddr(), err)
	}
	var v4, v6 error
	err = conn.Control(func(fd uintptr) {
		v4 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		v6 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1) // an IPv6 socket has both
	})
	if err == nil && v4 != nil && v6 != nil {
		err = v4
	}
	if err != nil {
		return fmt.Errorf("refusals at %v: %w", c.LocalAddr(), err)
	}
	return nil
}

// A Receiver reads what comes to a socket. One goroutine uses it.
type Receiver struct {
	conn  syscall.RawConn
	call  func(fd uintptr) (done bool) // made once: a closure made for each call would allocate
	buf   []byte                       // argument of call
	n     int                          // results of call
	from  netip.AddrPort
	err   error
	oob   [256]byte
	zones map[uint32]string // names of interfaces
}

// NewReceiver reads from c, which stays with the caller.
func NewReceiver(c *net.UDPConn) (*Receiver, error) {
	conn, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("UDP receiver on %v: %w", c.LocalAddr(), err)
	}
	r := &Receiver{conn: conn, zones: map[uint32]string{}}
	r.call = r.receive
	return r, nil
}

// Receive waits for a packet and tells where it came from, never in the form
// ::ffff:a.b.c.d. With ErrRefused there is none, and from is where the refused
// one went. Other errors are the network's, or net.ErrClosed.
func (r *Receiver) Receive(buf []byte) (n int, from netip.AddrPort, err error) {
	r.buf = buf
	if err := r.conn.Read(r.call); err != nil {
		return 0, netip.AddrPort{}, err
	}
	return r.n, r.from, r.err
}

// receive is one attempt. False: there is nothing. The queue of errors is looked
// at whenever there are no packets: who sends may have got the error itself.
func (r *Receiver) receive(fd uintptr) (done bool) {
	n, from, err := unix.Recvfrom(int(fd), r.buf, unix.MSG_DONTWAIT)
	if err != nil {
		for {
			to, refused, more := r.failure(int(fd))
			if refused {
				r.n, r.from, r.err = 0, to, ErrRefused
				return true
			}
			if !more {
				break
			}
		}
		r.n, r.from, r.err = 0, netip.AddrPort{}, err
		return !errors.Is(err, unix.EAGAIN)
	}
	r.n, r.from, r.err = n, r.addrPort(from), nil
	return true
}

// failure takes one error from the queue, and tells whether it is a refusal. more
// is false when the queue is empty.
func (r *Receiver) failure(fd int) (to netip.AddrPort, refused, more bool) {
	_, n, _, from, err := unix.Recvmsg(fd, r.buf, r.oob[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if err != nil {
		return netip.AddrPort{}, false, errors.Is(err, unix.EINTR)
	}
	list, _ := unix.ParseSocketControlMessage(r.oob[:n]) // the kernel's own
	for _, c := range list {
		e := (*unix.SockExtendedErr)(unsafe.Pointer(unsafe.SliceData(c.Data)))
		isError := c.Header.Level == unix.IPPROTO_IP && c.Header.Type == unix.IP_RECVERR ||
			c.Header.Level == unix.IPPROTO_IPV6 && c.Header.Type == unix.IPV6_RECVERR
		if isError && len(c.Data) >= int(unsafe.Sizeof(*e)) && e.Errno == uint32(unix.ECONNREFUSED) && e.Origin != unix.SO_EE_ORIGIN_LOCAL {
			return r.addrPort(from), true, true
		}
	}
	return netip.AddrPort{}, false, true
}

func (r *Receiver) addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 {
			a = a.WithZone(r.zone(sa.ZoneId)) // IPv4 has none
		}
		return netip.AddrPortFrom(a, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// zone is the name of an interface, as package net has it.
func (r *Receiver) zone(index uint32) string {
	name, ok := r.zones[index]
	if !ok {
		name = fmt.Sprint(index)
		if i, err := net.InterfaceByIndex(int(index)); err == nil {
			name = i.Name
			r.zones[index] = name
		}
	}
	return name
}
