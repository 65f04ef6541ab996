package rtspd

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"lenslet/rtspd/rtp"
)

// A lane is one TCP connection for packets alone (RFC 7826 C.2.2), which the
// viewer makes to a port that SETUP told. Each packet is behind its length (RFC
// 4571 2).
type lane struct {
	port int
	out  *outbox
	up   chan struct{}   // closed by attach: the connection is there
	over <-chan struct{} // of the lanes that it is one of

	mu       sync.Mutex
	listener *net.TCPListener // closed once the connection is there
	nc       net.Conn         // nil before
}

func openLane(local netip.Addr, stall time.Duration, over <-chan struct{}) (*lane, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, err
	}
	return &lane{
		port: int(addrPort(l.Addr()).Port()), out: newOutbox(nil, stall), up: make(chan struct{}), over: over, listener: l,
	}, nil
}

// serve takes the connection and then what comes by it, until the session ends
// or has another transport.
func (l *lane) serve(s *Server, ses *session, from netip.Addr) {
	nc := l.accept(from)
	if nc == nil {
		return
	}
	_ = l.read(nc, func(packet []byte) { s.feedback(ses, packet) }) // how it broke does not matter
	if !l.ended() {
		s.end(ses, "its connection for packets ended", true)
	}
	<-l.over
	until := time.Now().Add(lingerTime)
	l.out.finish(until)
	_ = nc.SetReadDeadline(until)
	_, _ = io.Copy(io.Discard, nc) // to close with bytes unread would take the BYE back
	l.out.wait()
	_ = nc.Close()
	l.out.drop()
}

// accept waits for the one connection, which only the viewer's own address may
// make. nil: it never came.
func (l *lane) accept(from netip.Addr) net.Conn {
	defer func() { _ = l.listener.Close() }()
	for {
		nc, err := l.listener.Accept()
		if err != nil {
			return nil
		}
		if addrPort(nc.RemoteAddr()).Addr() == from && l.attach(nc) {
			return nc
		}
		_ = nc.Close()
	}
}

// attach takes the connection over. False: too late.
func (l *lane) attach(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended() {
		return false
	}
	l.nc = nc
	l.out.attach(nc)
	close(l.up)
	return true
}

func (l *lane) ended() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// wake lets serve notice that it is over.
func (l *lane) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.listener.Close()
	if l.nc != nil {
		_ = l.nc.SetReadDeadline(time.Now())
	}
}

// read hands on each RTCP packet, until the connection ends. What a viewer might
// mean by other packets is not specified.
func (l *lane) read(nc net.Conn, take func(packet []byte)) (err error) {
	br := bufio.NewReaderSize(nc, readSize)
	for packet := []byte(nil); ; {
		if packet, err = readFramed(br, packet); err != nil {
			return err
		}
		if rtp.IsRTCP(packet) {
			take(packet)
		}
	}
}

// readFramed reads one packet behind its length, into buf if it fits.
func readFramed(r io.Reader, buf []byte) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return buf, err
	}
	n := int(binary.BigEndian.Uint16(head[:]))
	if n > cap(buf) {
		buf = make([]byte, n)
	}
	_, err := io.ReadFull(r, buf[:n])
	return buf[:n], err
}
