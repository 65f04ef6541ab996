package advert

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A socket hears and speaks multicast DNS on one interface, in one family. It is
// bound to the group, not to the wildcard address: unicast messages to the port
// are left to other responders of this machine.
type socket struct {
	conn  *net.UDPConn
	group netip.AddrPort
}

func openSocket4(index int) (*socket, error) {
	group := netip.MustParseAddr(group4)
	mreq := &unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(index)}
	return openSocket(unix.AF_INET, group, &unix.SockaddrInet4{Port: mdnsPort, Addr: group.As4()}, func(fd int) error {
		return firstError(
			// Otherwise it would hear the other interfaces too, if anyone on this
			// machine joined there: ip(7).
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, hops),
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, mreq),
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, mreq))
	})
}

func openSocket6(index int, zone string) (*socket, error) {
	group := netip.MustParseAddr(group6)
	mreq := &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)}
	addr := &unix.SockaddrInet6{Port: mdnsPort, Addr: group.As16(), ZoneId: uint32(index)}
	return openSocket(unix.AF_INET6, group.WithZone(zone), addr, func(fd int) error {
		return firstError(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index),
			unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, mreq))
	})
}

func openSocket(family int, group netip.Addr, bind unix.Sockaddr, setup func(fd int) error) (*socket, error) {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open socket for %s: %w", group, err)
	}
	file := os.NewFile(uintptr(fd), group.String())
	defer file.Close() // FilePacketConn has a duplicate
	err = firstError(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1), // avahi-daemon asks both of its neighbours
		setup(fd),
		unix.Bind(fd, bind))
	if err != nil {
		return nil, fmt.Errorf("join %s: %w", group, err)
	}
	conn, err := net.FilePacketConn(file)
	if err != nil {
		return nil, fmt.Errorf("join %s: %w", group, err)
	}
	return &socket{conn.(*net.UDPConn), netip.AddrPortFrom(group, mdnsPort)}, nil
}

func (s *socket) send(message []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(sendLimit))
	_, err := s.conn.WriteToUDPAddrPort(message, s.group)
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
