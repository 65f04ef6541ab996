package rtspd

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentMost is how many bytes the kernel takes for a viewer by TCP that it
// cannot send yet (TCP_NOTSENT_LOWAT in tcp(7)). Without a bound that is up to
// 4 MiB, seconds of old pictures which no skip to a key frame could take back.
// With it a frame of 8 Mbit/s, some 35 kB, still goes out by one write, and
// half of it, when the kernel asks for more, lasts 2 ms on a wire of 100 Mbit/s.
// The kernel looks when it begins a buffer of up to 64 KiB, so it may have one
// or two of them more.
const unsentMost = 64 << 10

// descriptor is the socket of a connection, also of one over TLS; nil: it has
// none.
func descriptor(nc net.Conn) syscall.RawConn {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn()
	}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// keepFresh bounds what the kernel holds back. TCP_NODELAY is set already, by
// package net. An old kernel without the option streams as well, only later.
func keepFresh(nc net.Conn) {
	if raw := descriptor(nc); raw != nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
		})
	}
}
