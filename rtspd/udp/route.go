package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// Interface is the name of the interface that packets to an address leave by, as
// the routes are now. An address with a zone has it already.
func Interface(to netip.Addr) (string, error) {
	if to.Zone() != "" {
		return to.Zone(), nil
	}
	index, err := route(to.Unmap())
	if err != nil {
		return "", fmt.Errorf("route to %v: %w", to, err)
	}
	i, err := net.InterfaceByIndex(index)
	if err != nil {
		return "", fmt.Errorf("route to %v: %w", to, err)
	}
	return i.Name, nil
}

// route asks the kernel for the interface of an address (rtnetlink(7)).
func route(to netip.Addr) (index int, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Sendto(fd, routeRequest(to), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	buf := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, buf, 0) // the answer is there when the request is sent
	if err != nil {
		return 0, err
	}
	messages, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil {
		return 0, err
	}
	for i := range messages {
		if messages[i].Header.Type != unix.RTM_NEWROUTE {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&messages[i])
		if err != nil {
			return 0, err
		}
		for _, a := range attributes {
			if a.Attr.Type == unix.RTA_OIF && len(a.Value) == 4 {
				return int(binary.NativeEndian.Uint32(a.Value)), nil
			}
		}
	}
	return 0, errors.New("there is none")
}

// routeRequest is a netlink message: its header, a struct rtmsg, and the address.
func routeRequest(to netip.Addr) []byte {
	address := to.AsSlice()
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofRtMsg+unix.SizeofRtAttr, 64)
	binary.NativeEndian.PutUint32(b, uint32(len(b)+len(address)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_GETROUTE)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	m := b[unix.SizeofNlMsghdr:]
	m[0], m[1] = unix.AF_INET, byte(to.BitLen())
	if to.Is6() {
		m[0] = unix.AF_INET6
	}
	a := m[unix.SizeofRtMsg:]
	binary.NativeEndian.PutUint16(a, uint16(unix.SizeofRtAttr+len(address)))
	binary.NativeEndian.PutUint16(a[2:], unix.RTA_DST)
	return append(b, address...)
}
