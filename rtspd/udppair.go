package rtspd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/udp"
)

// Bytes that the kernel may hold for us: a key frame for many viewers at once.
// It grants no more than net.core.wmem_max, which systemd/50-lenslet.conf raises.
const udpSendBuffer = 4 << 20

// A udpPair is the server's two UDP ports, RTP on an even one and RTCP on the
// next (RFC 3550 11), shared by all UDP viewers. They take IPv4 and IPv6.
type udpPair struct {
	rtp, rtcp *net.UDPConn
	port      int // of RTP
}

func listenPair() (*udpPair, error) {
	var last error
	for range 100 {
		port := 32768 + 2*rand.IntN(14000) // below where the kernel's own choices end
		rtp, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
		if err != nil {
			last = err
			continue
		}
		rtcp, err := net.ListenUDP("udp", &net.UDPAddr{Port: port + 1})
		if err != nil {
			_ = rtp.Close()
			last = err
			continue
		}
		err = errors.Join(rtp.SetWriteBuffer(udpSendBuffer), udp.ReportRefusals(rtp), udp.ReportRefusals(rtcp), udp.Fragment(rtp), udp.Fragment(rtcp))
		if err != nil {
			last = errors.Join(err, rtp.Close(), rtcp.Close())
			break
		}
		return &udpPair{rtp: rtp, rtcp: rtcp, port: port}, nil
	}
	return nil, fmt.Errorf("open UDP ports for RTP: %w", last)
}

// granted is what the kernel granted of udpSendBuffer; it tells twice that much,
// for what it needs itself (SO_SNDBUF in socket(7)).
func granted(c *net.UDPConn) (bytes int) {
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { bytes, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF) })
	}
	return bytes / 2
}

// readUDP hands each packet to f until the socket is closed, and to refused where
// packets went that nobody took, if the socket hears of that.
func readUDP(c *net.UDPConn, f func(from netip.AddrPort, packet []byte), refused func(to netip.AddrPort)) {
	r, err := udp.NewReceiver(c)
	if err != nil {
		return // no socket
	}
	buf := make([]byte, 2048)
	for {
		n, from, err := r.Receive(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, udp.ErrRefused):
			refused(from)
		case err != nil: // the network's, another ICMP error for instance
			time.Sleep(time.Millisecond)
		default:
			f(from, buf[:n])
		}
	}
}

func (p *udpPair) close() {
	_ = p.rtp.Close()
	_ = p.rtcp.Close()
}
