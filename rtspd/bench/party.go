package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Transports.
const (
	byUDP       = "udp"
	byTCP       = "tcp"
	byMulticast = "multicast"
)

// receiveBuffer is what the kernel may hold for a viewer by UDP, in bytes: some
// seconds, for what is measured is the server.
const receiveBuffer = 4 << 20

// A guest is a viewer's side of the session.
type guest struct {
	*client
	viewer  *viewer
	track   string
	sockets []int // of datagrams: RTP, RTCP
	fd      int   // of the connection, once detached; -1
}

// A party is N viewers of one server.
type party struct {
	readers   *readers
	transport string
	guests    []*guest
	pairs     atomic.Int64 // of ports, tried so far
	stop      chan struct{}
	over      sync.WaitGroup
}

// keepAlive is the time between signs of life.
const keepAlive = 20 * time.Second

// join lets n viewers in. Those who are left when it fails are gone.
func join(t target, transport string, n int) (*party, error) {
	r, err := newReaders()
	if err != nil {
		return nil, err
	}
	r.clock = t.clock
	p := &party{readers: r, transport: transport, stop: make(chan struct{})}
	for range n {
		p.guests = append(p.guests, &guest{viewer: &viewer{}, fd: -1})
	}
	steps := []struct {
		atOnce int
		do     func(*guest) error
	}{{8, func(g *guest) error { return p.prepare(g, t) }}, {n, func(g *guest) error { return p.play(g, t) }}}
	for _, s := range steps {
		if err := each(p.guests, s.atOnce, s.do); err != nil {
			p.leave()
			return nil, err
		}
	}
	p.over.Go(p.keepAlive)
	return p, nil
}

// each does something for all guests, some of them at once, and gives the first
// error.
func each(guests []*guest, atOnce int, do func(*guest) error) error {
	var next atomic.Int64
	errs := make([]error, len(guests))
	var all sync.WaitGroup
	for range min(atOnce, len(guests)) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(guests)); i = next.Add(1) - 1 {
				if errs[i] = do(guests[i]); errs[i] != nil {
					errs[i] = fmt.Errorf("viewer %d: %w", i+1, errs[i])
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// prepare does all but PLAY.
func (p *party) prepare(g *guest, t target) (err error) {
	if g.client, err = dial(t.address, t.path); err != nil {
		return err
	}
	port := 0
	if p.transport == byUDP {
		if port, err = p.openPair(g); err != nil {
			return err
		}
	}
	if t.floor {
		if p.transport == byMulticast {
			return g.openGroup(fmt.Sprintf("destination=%s;port=%d", floorGroup.Addr(), floorGroup.Port()))
		}
		return nil
	}
	if g.track, err = g.describe(); err != nil {
		return err
	}
	wish := "RTP/AVP/TCP;unicast;interleaved=0-1"
	switch p.transport {
	case byUDP:
		wish = fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1)
	case byMulticast:
		wish = "RTP/AVP;multicast"
	}
	chosen, err := g.setup(g.track, wish)
	if err == nil && p.transport == byMulticast {
		err = g.openGroup(chosen)
	}
	return err
}

// play begins, and hands the sockets to the readers.
func (p *party) play(g *guest, t target) error {
	for i, fd := range g.sockets {
		if err := p.readers.add(fd, []role{roleRTP, roleRTCP}[i], g.viewer, nil); err != nil {
			return err
		}
	}
	if t.floor {
		if err := p.playFloor(g); err != nil {
			return err
		}
	} else if _, err := g.request("PLAY", g.url, "Range: npt=now-\r\n", ""); err != nil {
		return err
	}
	var err error
	if g.fd, err = g.detach(); err != nil {
		return err
	}
	to := roleAnswer
	if p.transport == byTCP {
		to = roleStream
	}
	return p.readers.add(g.fd, to, g.viewer, append(g.media, g.unread...))
}

// playFloor asks a floor by its own protocol (floor.go).
func (p *party) playFloor(g *guest) error {
	where := "-"
	if p.transport == byUDP {
		a, err := unix.Getsockname(g.sockets[0])
		if err != nil {
			return err
		}
		where = fmt.Sprintf("127.0.0.1:%d", a.(*unix.SockaddrInet4).Port)
	}
	if _, err := fmt.Fprintf(g.conn, "%s %s\n", p.transport, where); err != nil {
		return err
	}
	line, err := g.line()
	if err != nil {
		return err
	}
	if line != "ok" {
		return fmt.Errorf("the floor says %q", line)
	}
	return nil
}

// openPair opens an even port for RTP, and the next for RTCP: below the ports that
// the kernel and the servers choose.
func (p *party) openPair(g *guest) (port int, err error) {
	for range 5000 {
		port = 10000 + int(2*p.pairs.Add(1)%20000)
		for i := range 2 {
			fd, bound := openPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port+i)))
			if err = bound; err != nil {
				break
			}
			g.sockets = append(g.sockets, fd)
		}
		if err == nil {
			return port, nil
		}
		g.closeSockets()
	}
	return 0, fmt.Errorf("no pair of UDP ports is free: %w", err)
}

// openPort opens a UDP port that others may share, if it is of a group.
func openPort(a netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer) // as much as net.core.rmem_max grants
	}
	if a.Addr().IsMulticast() {
		group := &unix.IPMreq{Multiaddr: a.Addr().As4(), Interface: [4]byte{127, 0, 0, 1}}
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			unix.SetsockoptIPMreq(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, group))
	}
	if err = errors.Join(err, unix.Bind(fd, &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()})); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openGroup opens the ports of the group that a Transport names.
func (g *guest) openGroup(transport string) error {
	a, err := group(transport)
	if err != nil {
		return err
	}
	for i := range 2 {
		fd, err := openPort(netip.AddrPortFrom(a.Addr(), a.Port()+uint16(i)))
		if err != nil {
			return err
		}
		g.sockets = append(g.sockets, fd)
	}
	return nil
}

// group reads where a Transport goes.
func group(transport string) (netip.AddrPort, error) {
	var host, port string
	for p := range strings.SplitSeq(transport, ";") {
		switch name, value, _ := strings.Cut(p, "="); name {
		case "destination":
			host = value
		case "port":
			port, _, _ = strings.Cut(value, "-")
		}
	}
	a, err := netip.ParseAddr(host)
	n, bad := strconv.ParseUint(port, 10, 16)
	if err = errors.Join(err, bad); err != nil {
		return netip.AddrPort{}, fmt.Errorf("transport %q names no group: %w", transport, err)
	}
	return netip.AddrPortFrom(a, uint16(n)), nil
}

// await waits until every viewer has packets.
func (p *party) await() error {
	limit := time.Now().Add(patience)
	for {
		t := p.readers.totals()
		missing := 0
		for _, n := range t.each {
			if n == 0 {
				missing++
			}
		}
		switch {
		case t.ended > 0:
			return fmt.Errorf("%d of %d viewers were cut off", t.ended, len(p.guests))
		case missing == 0 && t.viewers == len(p.guests):
			return nil
		case time.Now().After(limit):
			return fmt.Errorf("%d of %d viewers get nothing", missing, len(p.guests))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// keepAlive gives signs of life until the party is over.
func (p *party) keepAlive() {
	t := time.NewTicker(keepAlive)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			for _, g := range p.guests {
				g.say("GET_PARAMETER")
			}
		}
	}
}

// say sends a request over the detached connection. The readers pass the answer
// over; who cannot send now has sent something a moment ago.
func (g *guest) say(method string) {
	if g.fd < 0 || g.session == "" { // not playing, or not by RTSP
		return
	}
	g.cseq++
	_, _ = fmt.Fprintf(descriptor(g.fd), "%s %s RTSP/1.0\r\nCSeq: %d\r\nSession: %s\r\n\r\n", method, g.url, g.cseq, g.session)
}

// A descriptor is a file of the kernel's.
type descriptor int

// Write writes what fits.
func (d descriptor) Write(b []byte) (int, error) { return unix.Write(int(d), b) }

// leave ends all sessions.
func (p *party) leave() {
	close(p.stop)
	p.over.Wait()
	p.readers.close()
	for _, g := range p.guests {
		g.say("TEARDOWN")
		if g.fd >= 0 {
			_ = unix.Close(g.fd)
		} else if g.client != nil {
			g.conn.Close()
		}
		g.closeSockets()
	}
}

func (g *guest) closeSockets() {
	for _, fd := range g.sockets {
		_ = unix.Close(fd)
	}
	g.sockets = nil
}
