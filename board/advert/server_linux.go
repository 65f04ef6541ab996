package advert

import (
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"strconv"

	"github.com/hashicorp/mdns"
	"golang.org/x/sys/unix"
)

// openServer opens the server that answers those who ask for themselves alone.
// It must not be called twice at a time in a process: see pin.
//
// Known of hashicorp/mdns v1.0.7: its goroutines end soon after Shutdown, but
// nobody can wait for them; they return to reading after any error; and it logs
// what others send, which goes to debug here.
func openServer(ifi net.Interface, z mdns.Zone, logger *slog.Logger) (*mdns.Server, error) {
	server, err := mdns.NewServer(&mdns.Config{Zone: z, Iface: &ifi, Logger: debugLogger(logger)})
	if err != nil {
		return nil, fmt.Errorf("answer on %s: %w", ifi.Name, err)
	}
	if err := pin(ifi.Name); err != nil {
		_ = server.Shutdown()
		return nil, fmt.Errorf("answer on %s: %w", ifi.Name, err)
	}
	return server, nil
}

func debugLogger(logger *slog.Logger) *log.Logger {
	return slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
}

// pin binds to an interface those sockets of the process that the library has
// just opened. It leaves them on the wildcard address, where they would hear the
// questions of all links (IP_MULTICAST_ALL, ip(7)) and answer with the addresses
// of theirs. It does not hand its sockets out, so they are found by their port,
// among those that are not bound yet.
func pin(ifname string) error {
	fds, err := openFiles()
	if err != nil {
		return err
	}
	pinned := 0
	for _, fd := range fds {
		if !isUnpinned(fd) {
			continue
		}
		if err := unix.BindToDevice(fd, ifname); err != nil {
			return fmt.Errorf("bind socket to %s: %w", ifname, err)
		}
		// Either one fails on a socket of the other family.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, hops)
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hops)
		pinned++
	}
	if pinned == 0 {
		return fmt.Errorf("bind socket to %s: found none on port %d", ifname, mdnsPort)
	}
	return nil
}

// isUnpinned tells whether fd is a UDP socket on the wildcard address and the
// port of mDNS, not bound to an interface.
func isUnpinned(fd int) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_DGRAM {
		return false
	}
	device, err := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	if err != nil || device != "" {
		return false
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return false
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return a.Port == mdnsPort && a.Addr == [4]byte{}
	case *unix.SockaddrInet6:
		return a.Port == mdnsPort && a.Addr == [16]byte{}
	}
	return false
}

func openFiles() ([]int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}
