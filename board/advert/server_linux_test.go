package advert

import (
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A socket that hashicorp/mdns would open is found and bound; others are not.
func TestPin(t *testing.T) {
	if err := pin("lo"); err == nil || !strings.Contains(err.Error(), "found none on port 5353") {
		t.Errorf("with no socket: %v", err)
	}
	group := &net.UDPAddr{IP: net.ParseIP(group4), Port: mdnsPort}
	ifi, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenMulticastUDP("udp4", ifi, group)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other, err := net.ListenPacket("udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	if err := pin("no-such-device"); err == nil || !strings.Contains(err.Error(), "bind socket to no-such-device") {
		t.Errorf("to no device: %v", err)
	}
	if err := pin("lo"); err != nil {
		t.Fatal(err)
	}
	if device := deviceOf(t, conn); device != "lo" {
		t.Errorf("bound to %q, want lo", device)
	}
	if device := deviceOf(t, other.(*net.UDPConn)); device != "" {
		t.Errorf("another socket is bound to %q", device)
	}
	if err := pin("lo"); err == nil {
		t.Error("bound what is bound already")
	}
}

func deviceOf(t *testing.T, conn *net.UDPConn) (device string) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		device, err = unix.GetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	})
	if err != nil {
		t.Fatal(err)
	}
	return device
}

func TestOpenFilesHasThisOne(t *testing.T) {
	fds, err := openFiles()
	if err != nil || !slices.Contains(fds, 2) {
		t.Errorf("open files %v, %v", fds, err)
	}
}

func TestOpenServerWithoutAnInterface(t *testing.T) {
	ifi := net.Interface{Index: 1 << 20, Name: "gone"}
	server, err := openServer(ifi, testZone(t, "door", v4), slog.New(slog.DiscardHandler))
	if err == nil {
		server.Shutdown()
		t.Fatal("opened on an interface that does not exist")
	}
	if !strings.Contains(err.Error(), "answer on gone") {
		t.Errorf("%v", err)
	}
}

func TestOpenSocketWithoutAnInterface(t *testing.T) {
	if _, err := openSocket4(1 << 20); err == nil || !strings.Contains(err.Error(), "join 224.0.0.251") {
		t.Errorf("IPv4: %v", err)
	}
	if _, err := openSocket6(1<<20, "gone"); err == nil || !strings.Contains(err.Error(), "join ff02::fb%gone") {
		t.Errorf("IPv6: %v", err)
	}
}
