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
// It must not be called twice at a time: see pin.
//
// Known of hashicorp/mdns v1.0.7: its goroutines end soon after Shutdown, but
// nobody can wait for them; they return to reading after any error; and it logs
// what others send, which goes to debug here.
func openServer(ifi net.Interface, z mdns.Zone, logger *slog.Logger) (*mdns.Server, error) {
	before, err := openFiles()
	if err != nil {
		return nil, err
	}
	server, err := mdns.NewServer(&mdns.Config{Zone: z, Iface: &ifi, Logger: debugLogger(logger)})
	if err != nil {
		return nil, fmt.Errorf("answer on %s: %w", ifi.Name, err)
	}
	if err := pin(before, ifi.Name); err != nil {
		server.Shutdown()
		return nil, fmt.Errorf("answer on %s: %w", ifi.Name, err)
	}
	return server, nil
}

func debugLogger(logger *slog.Logger) *log.Logger {
	return slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
}

// pin binds the sockets that were opened since before to an interface. The
// library leaves them on the wildcard address, where they hear the questions of
// all links (IP_MULTICAST_ALL, ip(7)) and answer with the addresses of theirs.
// It does not hand its sockets out, so they are found by their port.
func pin(before map[int]bool, ifname string) error {
	after, err := openFiles()
	if err != nil {
		return err
	}
	pinned := 0
	for fd := range after {
		if before[fd] || !isMDNS(fd) {
			continue
		}
		if err := unix.BindToDevice(fd, ifname); err != nil {
			return fmt.Errorf("bind socket to %s: %w", ifname, err)
		}
		// Either one fails on a socket of the other family.
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, hops)
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hops)
		pinned++
	}
	if pinned == 0 {
		return fmt.Errorf("bind socket to %s: found none on port %d", ifname, mdnsPort)
	}
	return nil
}

func isMDNS(fd int) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_DGRAM {
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

func openFiles() (map[int]bool, error) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	fds := map[int]bool{}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil {
			fds[fd] = true
		}
	}
	return fds, nil
}
