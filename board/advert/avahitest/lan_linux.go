// Package avahitest gives tests a LAN of their own, with real avahi daemons on it.
//
// NewLAN makes a bridge and, plugged into it, hosts: each one a network
// namespace without a name, that lives as long as a process of the test does.
// Host.Command runs anything there; Host.StartAvahi runs a dbus-daemon and an
// avahi-daemon with private sockets; Avahi.Browse and Avahi.Follow run
// avahi-browse against it. All processes end with the test, and with the test
// binary however it ends, and take the namespaces with them.
//
// It needs root, and the commands ip, nsenter, unshare, dbus-daemon,
// avahi-daemon and avahi-browse.
package avahitest

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for what should happen soon.
const Patience = 30 * time.Second

// A LAN is a bridge in a namespace of its own.
type LAN struct {
	hub   *Host
	net   int // third byte of its IPv4 addresses
	ports int
}

// A Host is a machine on one or more LANs.
type Host struct {
	pid int // of the process that holds its namespace
}

// A Port is the interface of a Host on a LAN, up and with carrier.
type Port struct {
	Host *Host
	Name string     // of the interface: eth0, eth1, ...
	IPv4 netip.Addr // 10.99.LAN.PORT/24
	IPv6 netip.Addr // fd99:LAN::PORT/64
	// LinkLocal is fe80::LAN:PORT/64, without a zone.
	LinkLocal netip.Addr
}

// NewLAN makes a LAN; number, 0 to 255, tells its addresses from those of the
// test's other LANs.
func NewLAN(t testing.TB, number int) *LAN {
	lan := &LAN{hub: NewHost(t), net: number}
	// Snooping would hold back groups whose members it has not heard of yet.
	lan.hub.IP(t, "link", "add", "lan", "type", "bridge", "mcast_snooping", "0")
	lan.hub.IP(t, "link", "set", "lan", "up")
	return lan
}

// NewHost makes a host without a network.
func NewHost(t testing.TB) *Host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("network namespaces need root")
	}
	anchor := exec.Command("sleep", "infinity")
	anchor.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET}
	Start(t, anchor)
	h := &Host{anchor.Process.Pid}
	h.IP(t, "link", "set", "lo", "up")
	return h
}

// Plug connects a host to the LAN, by an interface with the next free name.
func (lan *LAN) Plug(t testing.TB, h *Host) *Port {
	t.Helper()
	lan.ports++
	p := &Port{Host: h, Name: h.freeName(t)}
	p.IPv4 = netip.AddrFrom4([4]byte{10, 99, byte(lan.net), byte(lan.ports)})
	p.IPv6 = netip.MustParseAddr(fmt.Sprintf("fd99:%x::%x", lan.net, lan.ports))
	p.LinkLocal = netip.MustParseAddr(fmt.Sprintf("fe80::%x:%x", lan.net, lan.ports))
	far := fmt.Sprintf("port%d", lan.ports)
	lan.hub.IP(t, "link", "add", far, "type", "veth", "peer", "name", p.Name, "netns", strconv.Itoa(h.pid))
	lan.hub.IP(t, "link", "set", far, "master", "lan", "up")
	// The addresses are set without duplicate address detection: it takes seconds.
	h.IP(t, "link", "set", p.Name, "addrgenmode", "none")
	h.IP(t, "addr", "add", p.IPv4.String()+"/24", "dev", p.Name)
	h.IP(t, "link", "set", p.Name, "up")
	h.IP(t, "addr", "add", p.IPv6.String()+"/64", "dev", p.Name, "nodad")
	h.IP(t, "addr", "add", p.LinkLocal.String()+"/64", "dev", p.Name, "nodad")
	return p
}

// AddHost makes a host and plugs it in.
func (lan *LAN) AddHost(t testing.TB) *Port {
	t.Helper()
	return lan.Plug(t, NewHost(t))
}

func (h *Host) freeName(t testing.TB) string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("eth%d", i)
		if h.Command("ip", "link", "show", name).Run() != nil {
			return name
		}
		if i == 16 {
			t.Fatal("no free interface name")
		}
	}
}

// IP runs the command ip on the host.
func (h *Host) IP(t testing.TB, args ...string) {
	t.Helper()
	if out, err := h.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v\n%s", args, err, out)
	}
}

// Command is a command to run on the host: in its network, and otherwise where
// the test is.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	net := fmt.Sprintf("--net=/proc/%d/ns/net", h.pid)
	return exec.Command("nsenter", append([]string{net, "--", name}, args...)...)
}

// Start starts a command that is killed when the test ends, or the test binary.
func Start(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %v: %v", cmd.Args, err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails if it has been waited for, which is as good
		_ = cmd.Wait()
	})
}
