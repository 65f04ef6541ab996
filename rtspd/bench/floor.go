package main

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A floor is what no server can undercut: it sends packets that were made
// before, one system call for each run of equal packets and viewer by UDP, one
// write for each unit and viewer by TCP. A viewer asks for them with a line,
//
//	udp 127.0.0.1:40000     or    tcp -    or    multicast -
//
// is answered "ok", and leaves by closing the connection. All by multicast are
// one.
type floor struct {
	units []unit
	udp   *net.UDPConn
	pace  pacer

	mu    sync.Mutex
	to    []netip.AddrPort
	conns []net.Conn
	group int // viewers by multicast
}

// floorGroup is where the floor sends by multicast.
var floorGroup = netip.MustParseAddrPort("239.255.77.2:5004")

// runFloor serves until it is killed.
func runFloor(clip string) error {
	f := &floor{}
	var err error
	if f.units, err = loadClip(clip); err != nil {
		return err
	}
	if f.udp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return err
	}
	if err := f.udp.SetWriteBuffer(4 << 20); err != nil {
		return err
	}
	if err := prepareGroup(f.udp); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go f.accept(l)
	f.pace.serves(l.Addr().String())
	var seq uint16
	for {
		u, rtptime := f.pace.wait(len(f.units))
		seq = f.send(&f.units[u], seq, rtptime)
	}
}

// prepareGroup lets multicast leave by loopback.
func prepareGroup(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	controlled := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInet4Addr(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, [4]byte{127, 0, 0, 1})
	})
	if controlled != nil {
		return controlled
	}
	return err
}

func (f *floor) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go f.serve(c)
	}
}

// serve takes one viewer, until it leaves.
func (f *floor) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	if err != nil {
		return
	}
	transport, where, _ := strings.Cut(strings.TrimSpace(line), " ")
	var to netip.AddrPort
	if transport == byUDP {
		if to, err = netip.ParseAddrPort(where); err != nil {
			return
		}
	}
	if _, err := fmt.Fprintln(c, "ok"); err != nil {
		return
	}
	f.enter(transport, to, c)
	_, _ = r.ReadByte() // until it leaves
	f.exit(transport, to, c)
}

func (f *floor) enter(transport string, to netip.AddrPort, c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch transport {
	case byUDP:
		f.to = append(f.to, to)
	case byTCP:
		f.conns = append(f.conns, c)
	case byMulticast:
		if f.group++; f.group == 1 {
			f.to = append(f.to, floorGroup)
		}
	}
}

func (f *floor) exit(transport string, to netip.AddrPort, c net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch transport {
	case byUDP:
		f.to = slices.DeleteFunc(f.to, func(a netip.AddrPort) bool { return a == to })
	case byTCP:
		f.conns = slices.DeleteFunc(f.conns, func(other net.Conn) bool { return other == c })
	case byMulticast:
		if f.group--; f.group == 0 {
			f.to = slices.DeleteFunc(f.to, func(a netip.AddrPort) bool { return a == floorGroup })
		}
	}
}

// send sends a unit whose packets have the numbers from seq on, and gives the
// next number.
func (f *floor) send(u *unit, seq uint16, rtptime uint32) uint16 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.conns) > 0 {
		u.stamp(u.framed, frameHead, seq, rtptime)
	}
	if len(f.to) > 0 {
		u.stamp(u.packed, 0, seq, rtptime)
	}
	for _, c := range f.conns {
		_, _ = c.Write(u.framed) // who is gone leaves by itself
	}
	var control [24]byte
	for _, to := range f.to {
		for _, r := range u.runs {
			var oob []byte
			if r.to-r.from > r.size {
				oob = segments(control[:], uint16(r.size))
			}
			_, _, _ = f.udp.WriteMsgUDPAddrPort(u.packed[r.from:r.to], oob, to)
		}
	}
	return seq + uint16(len(u.ends))
}

// segments is a control message with UDP_SEGMENT (udp(7)).
func segments(b []byte, size uint16) []byte {
	b = b[:unix.CmsgSpace(2)]
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Pointer(&b[unix.CmsgLen(0)])) = size
	return b
}
