package advert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sort"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A place is an interface that we advertise on, with the addresses that hold there.
type place struct {
	net.Interface
	addrs []netip.Addr // IPv4 first, link-local last; without zones
}

func (p place) has4() bool { return p.addrs[0].Is4() }

func (p place) has6() bool { return slices.ContainsFunc(p.addrs, netip.Addr.Is6) }

// same tells whether sockets and records of p serve q too.
func (p place) same(q place) bool {
	return p.Index == q.Index && p.Name == q.Name && slices.Equal(p.addrs, q.addrs)
}

// places lists the interfaces that can be advertised on: up, with carrier, able
// to multicast, neither loopback nor point-to-point, with an address.
func places() ([]place, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	rib, err := syscall.NetlinkRIB(unix.RTM_GETADDR, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list network addresses: %w", err)
	}
	addrs, err := usableAddresses(rib)
	if err != nil {
		return nil, fmt.Errorf("list network addresses: %w", err)
	}
	var out []place
	for _, ifi := range interfaces {
		if usable(ifi.Flags) && len(addrs[ifi.Index]) > 0 {
			out = append(out, place{ifi, addrs[ifi.Index]})
		}
	}
	return out, nil
}

func usable(flags net.Flags) bool {
	const need = net.FlagUp | net.FlagRunning | net.FlagMulticast
	return flags&need == need && flags&(net.FlagLoopback|net.FlagPointToPoint) == 0
}

// usableAddresses reads an RTM_GETADDR dump: the addresses by interface index.
// Left out are those of IPv6 that do not hold yet (duplicate address detection
// is under way, or failed) or will not for long. Package net does not tell.
func usableAddresses(rib []byte) (map[int][]netip.Addr, error) {
	const passing = unix.IFA_F_TENTATIVE | unix.IFA_F_DADFAILED | unix.IFA_F_DEPRECATED | unix.IFA_F_TEMPORARY
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, err
	}
	out := map[int][]netip.Addr{}
	for i := range messages {
		m := &messages[i]
		if m.Header.Type != unix.RTM_NEWADDR || len(m.Data) < unix.SizeofIfAddrmsg {
			continue
		}
		// struct ifaddrmsg, linux/if_addr.h: family, prefix length, flags and
		// scope are bytes, then the index. A tentative IPv4 address does not exist.
		family, flags, index := m.Data[0], m.Data[2], binary.NativeEndian.Uint32(m.Data[4:])
		if family == unix.AF_INET6 && flags&passing != 0 {
			continue
		}
		if a, ok := addressOf(m.Data[unix.SizeofIfAddrmsg:]); ok {
			out[int(index)] = append(out[int(index)], a)
		}
	}
	for _, addrs := range out {
		sort.Slice(addrs, func(i, j int) bool { return byReach(addrs[i], addrs[j]) < 0 })
	}
	return out, nil
}

// addressOf reads the address among the attributes of an RTM_NEWADDR message.
// IFA_LOCAL is the interface's own where IFA_ADDRESS may be that of a peer.
// (syscall.ParseNetlinkRouteAttr panics on an attribute that is cut short.)
func addressOf(attrs []byte) (addr netip.Addr, ok bool) {
	for len(attrs) >= unix.SizeofRtAttr {
		size, kind := int(binary.NativeEndian.Uint16(attrs)), binary.NativeEndian.Uint16(attrs[2:])
		if size < unix.SizeofRtAttr || size > len(attrs) {
			break
		}
		value := attrs[unix.SizeofRtAttr:size]
		if a, valid := netip.AddrFromSlice(value); valid && (kind == unix.IFA_LOCAL || kind == unix.IFA_ADDRESS && !ok) {
			addr, ok = a, true
		}
		attrs = attrs[min((size+3)&^3, len(attrs)):] // they are aligned to four bytes
	}
	return addr, ok
}

// A watcher tells when interfaces or addresses change. Netlink reports that at
// once; listing them every second would wake an idle board for nothing.
type watcher struct {
	file    *os.File
	changes chan struct{} // holds one; never closed
	done    chan struct{} // closed when reading has ended
}

func watch() (*watcher, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("follow network changes: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netlink")
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		file.Close()
		return nil, fmt.Errorf("follow network changes: %w", err)
	}
	w := &watcher{file, make(chan struct{}, 1), make(chan struct{})}
	go w.run()
	return w, nil
}

// run does not read what changed: a message may be lost (ENOBUFS), so the lists
// are read anew in any case.
func (w *watcher) run() {
	defer close(w.done)
	buf := make([]byte, 1<<16)
	for {
		_, err := w.file.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		select {
		case w.changes <- struct{}{}:
		default:
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond) // whatever fails must not spin
		}
	}
}

func (w *watcher) close() {
	w.file.Close()
	<-w.done
}
