package udp

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Fragment lets a packet that is larger than the path's MTU go there in IP
// fragments: what is larger than the MTU of the own interface is cut here, and
// IPv4 routers may cut too.
//
// A smaller MTU for one viewer would be a second packetization, with sequence
// numbers of its own, of a stream whose packets all viewers share. And the
// kernel's default, to set DF and to learn the MTU from ICMP, loses the viewer for
// good where a firewall drops ICMP. IPv6 routers never fragment; there the kernel
// learns the MTU by ICMPv6, which no IPv6 network can do without, and cuts here.
func Fragment(c *net.UDPConn) error {
	conn, err := c.SyscallConn()
	var v4, v6 error
	if err == nil {
		err = conn.Control(func(fd uintptr) {
			v4 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DONT)
			v6 = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DONT) // an IPv6 socket has both
		})
	}
	if err == nil && v4 != nil && v6 != nil {
		err = errors.Join(v4, v6)
	}
	if err != nil {
		return fmt.Errorf("fragments from %v: %w", c.LocalAddr(), err)
	}
	return nil
}
