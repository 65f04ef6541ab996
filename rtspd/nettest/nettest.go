// Package nettest gives tests networks of their own: hosts, which are network
// namespaces without a name, and links between them. They end with the test.
//
// It needs root, and the commands ip and tc.
package nettest

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A Host has a network of its own, with a loopback interface.
type Host struct {
	space *os.File // of names
	links int
}

// NewHost makes a host.
func NewHost(t testing.TB) *Host {
	t.Helper()
	var h Host
	var err error
	made := make(chan struct{})
	go func() {
		defer close(made)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			h.space, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	if <-made; err != nil {
		t.Fatalf("a network of its own, which needs root: %v", err)
	}
	t.Cleanup(func() { _ = h.space.Close() })
	h.Run(t, "ip", "link", "set", "lo", "up")
	return &h
}

// Do calls f on the host: sockets that it opens, and commands that it starts, are
// there for good. Goroutines that it starts are where the test is.
func (h *Host) Do(t testing.TB, f func()) {
	t.Helper()
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err == nil {
		err = unix.Setns(int(h.space.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { // also when f ends the test
		if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
			panic(err) // the thread cannot be used any more
		}
		_ = here.Close()
		runtime.UnlockOSThread()
	}()
	f()
}

// Run runs a command on the host.
func (h *Host) Run(t testing.TB, name string, args ...string) {
	t.Helper()
	h.Do(t, func() {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	})
}

// Set sets a parameter of the host's network, such as net/ipv4/ip_forward.
func (h *Host) Set(t testing.TB, name, value string) {
	t.Helper()
	h.Do(t, func() {
		if err := os.WriteFile("/proc/sys/"+name, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	})
}

// An End of a link is an interface of a Host, up, with addresses of both families.
type End struct {
	*Host
	Name       string     // of the interface: eth0, eth1, ...
	IPv4, IPv6 netip.Addr // 10.98.N.1/24 and .2, fd98:N::1/64 and ::2
}

// Connect makes a link between two hosts. The number, 0 to 255, tells its addresses
// from those of others.
func Connect(t testing.TB, number int, a, b *Host) (one, two *End) {
	t.Helper()
	ends := [2]*End{{Host: a}, {Host: b}}
	for i, e := range ends {
		e.Name = fmt.Sprintf("eth%d", e.links)
		e.links++
		e.IPv4 = netip.AddrFrom4([4]byte{10, 98, byte(number), byte(1 + i)})
		e.IPv6 = netip.MustParseAddr(fmt.Sprintf("fd98:%x::%x", number, 1+i))
	}
	far := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), b.space.Fd())
	a.Run(t, "ip", "link", "add", ends[0].Name, "type", "veth", "peer", "name", ends[1].Name, "netns", far)
	for _, e := range ends {
		e.Run(t, "ip", "link", "set", e.Name, "up")
		e.Run(t, "ip", "addr", "add", e.IPv4.String()+"/24", "dev", e.Name)
		e.Run(t, "ip", "addr", "add", e.IPv6.String()+"/64", "dev", e.Name, "nodad") // detecting duplicates takes seconds
	}
	return ends[0], ends[1]
}
