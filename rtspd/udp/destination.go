package udp

import (
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Destination is where packets go, in the form that the kernel wants, and
// what is known about the way there. It belongs to one Sender.
type Destination struct {
	addr  netip.AddrPort
	inet4 unix.RawSockaddrInet4 // if addr is IPv4
	inet6 unix.RawSockaddrInet6 // IPv4 in the form ::ffff:a.b.c.d
	whole bool                  // segmentation failed: single packets from now on
	own   unix.Errno            // what its last message met each time; 0: none
	from4 *source               // of inet4; nil: the kernel chooses
	from6 *source               // of inet6
}

// NewDestination prepares an address, IPv4 or IPv6, for a socket of either
// family. A zone is the name or the number of an interface; one that does not
// exist makes Send fail.
func NewDestination(a netip.AddrPort) *Destination {
	a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	d := &Destination{addr: a}
	d.inet6.Family = unix.AF_INET6
	d.inet6.Port = networkOrder(a.Port())
	d.inet6.Addr = a.Addr().As16()
	d.inet6.Scope_id = scope(a.Addr().Zone())
	if a.Addr().Is4() {
		d.inet4.Family = unix.AF_INET
		d.inet4.Port = networkOrder(a.Port())
		d.inet4.Addr = a.Addr().As4()
	}
	return d
}

// From lets packets leave from a local address of the destination's family, and
// gives d. Others, and the unspecified one, change nothing. A zone is as in
// NewDestination; one that is not an address of this host makes Send fail.
func (d *Destination) From(local netip.Addr) *Destination {
	local = local.Unmap()
	if !local.IsValid() || local.IsUnspecified() || local.Is4() != d.addr.Addr().Is4() {
		return d
	}
	d.from6 = newSource(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	a := local.As16()
	copy(d.from6.info[:], a[:]) // struct in6_pktinfo: the address, the interface
	binary.NativeEndian.PutUint32(d.from6.info[len(a):], scope(local.Zone()))
	if local.Is4() {
		d.from4 = newSource(unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
		a := local.As4()
		copy(d.from4.info[4:], a[:]) // struct in_pktinfo: the interface, the address, another one
	}
	return d
}

func newSource(level, kind int32, size int) *source {
	s := &source{}
	s.header.Level, s.header.Type = level, kind
	s.header.SetLen(unix.CmsgLen(size))
	return s
}

// source is where packets leave from by a socket of the given family; nil: where
// the kernel chooses. An IPv6 socket takes IPv4 in the form ::ffff:a.b.c.d.
func (d *Destination) source(family int) *source {
	if family == unix.AF_INET {
		return d.from4
	}
	return d.from6
}

// learn notes how a message ended. ECONNREFUSED is none of its own: only an earlier
// packet can have been refused.
func (d *Destination) learn(e unix.Errno) {
	if d.own = 0; isReport(e) && e != unix.ECONNREFUSED {
		d.own = e
	}
}

// attempts is how often a message is sent that meets an errno.
func (d *Destination) attempts(e unix.Errno) int {
	if e == d.own {
		return 2
	}
	return attempts
}

// AddrPort is the address, never in the form ::ffff:a.b.c.d.
func (d *Destination) AddrPort() netip.AddrPort { return d.addr }

// Segmented tells whether segmentation is still tried.
func (d *Destination) Segmented() bool { return !d.whole }

// sockaddr is the address for a socket of the given family.
func (d *Destination) sockaddr(family int) (*byte, uint32) {
	if family == unix.AF_INET && d.addr.Addr().Is4() {
		return (*byte)(unsafe.Pointer(&d.inet4)), unix.SizeofSockaddrInet4
	}
	return (*byte)(unsafe.Pointer(&d.inet6)), unix.SizeofSockaddrInet6
}

// networkOrder is a port as it lies in a sockaddr.
func networkOrder(port uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, port))
}

// noInterface is an index that the kernel knows no interface for.
const noInterface = math.MaxInt32

// scope is the index of an interface, 0 if there is no zone.
func scope(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return noInterface
}
