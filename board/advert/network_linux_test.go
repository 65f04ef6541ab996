package advert

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// addressMessage is an RTM_NEWADDR message as the kernel writes it.
func addressMessage(family, flags byte, index uint32, attrs map[uint16][]byte) []byte {
	body := []byte{family, 24, flags, 0}
	body = binary.NativeEndian.AppendUint32(body, index)
	for _, kind := range []uint16{unix.IFA_ADDRESS, unix.IFA_LOCAL, unix.IFA_LABEL} {
		if value, ok := attrs[kind]; ok {
			body = binary.NativeEndian.AppendUint16(body, uint16(4+len(value)))
			body = binary.NativeEndian.AppendUint16(body, kind)
			body = append(body, value...)
			body = append(body, make([]byte, -len(value)&3)...)
		}
	}
	return netlinkMessage(unix.RTM_NEWADDR, body)
}

func netlinkMessage(kind uint16, body []byte) []byte {
	m := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = append(m, make([]byte, unix.SizeofNlMsghdr-6)...)
	return append(m, body...)
}

func TestUsableAddresses(t *testing.T) {
	bytes := func(s string) []byte { return netip.MustParseAddr(s).AsSlice() }
	only := func(s string) map[uint16][]byte { return map[uint16][]byte{unix.IFA_ADDRESS: bytes(s)} }
	for _, c := range []struct {
		what string
		rib  [][]byte
		want map[int][]netip.Addr
	}{
		{"nothing", nil, map[int][]netip.Addr{}},
		{"IPv4", [][]byte{addressMessage(unix.AF_INET, 0, 2, only("10.0.0.1"))}, map[int][]netip.Addr{2: addrs("10.0.0.1")}},
		{"a second of the subnet", [][]byte{addressMessage(unix.AF_INET, unix.IFA_F_SECONDARY, 2, only("10.0.0.1"))}, map[int][]netip.Addr{2: addrs("10.0.0.1")}},
		{"its own, not the peer's", [][]byte{addressMessage(unix.AF_INET, 0, 2, map[uint16][]byte{
			unix.IFA_ADDRESS: bytes("10.0.0.9"), unix.IFA_LOCAL: bytes("10.0.0.1"), unix.IFA_LABEL: []byte("eth0\x00")})},
			map[int][]netip.Addr{2: addrs("10.0.0.1")}},
		{"IPv6", [][]byte{addressMessage(unix.AF_INET6, unix.IFA_F_PERMANENT, 3, only("fe80::1"))}, map[int][]netip.Addr{3: addrs("fe80::1")}},
		{"tentative", [][]byte{addressMessage(unix.AF_INET6, unix.IFA_F_TENTATIVE, 3, only("fe80::1"))}, map[int][]netip.Addr{}},
		{"duplicate", [][]byte{addressMessage(unix.AF_INET6, unix.IFA_F_DADFAILED, 3, only("fe80::1"))}, map[int][]netip.Addr{}},
		{"deprecated", [][]byte{addressMessage(unix.AF_INET6, unix.IFA_F_DEPRECATED, 3, only("fd00::1"))}, map[int][]netip.Addr{}},
		{"temporary", [][]byte{addressMessage(unix.AF_INET6, unix.IFA_F_TEMPORARY, 3, only("fd00::1"))}, map[int][]netip.Addr{}},
		{"in order", [][]byte{
			addressMessage(unix.AF_INET6, 0, 2, only("fe80::1")),
			addressMessage(unix.AF_INET6, 0, 2, only("fd00::2")),
			addressMessage(unix.AF_INET, 0, 2, only("10.0.0.2")),
			addressMessage(unix.AF_INET6, 0, 2, only("fd00::1")),
			addressMessage(unix.AF_INET, 0, 2, only("10.0.0.1")),
			addressMessage(unix.AF_INET, 0, 4, only("10.0.1.1")),
		}, map[int][]netip.Addr{2: addrs("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "fe80::1"), 4: addrs("10.0.1.1")}},
		{"another message", [][]byte{netlinkMessage(unix.NLMSG_DONE, make([]byte, 16))}, map[int][]netip.Addr{}},
		{"a short message", [][]byte{netlinkMessage(unix.RTM_NEWADDR, make([]byte, 4))}, map[int][]netip.Addr{}},
		{"no address", [][]byte{addressMessage(unix.AF_INET, 0, 2, nil)}, map[int][]netip.Addr{}},
		{"an odd address", [][]byte{addressMessage(unix.AF_INET, 0, 2, map[uint16][]byte{unix.IFA_ADDRESS: {1, 2, 3}})}, map[int][]netip.Addr{}},
	} {
		got, err := usableAddresses(slices.Concat(c.rib...))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
		for index, want := range c.want {
			if !slices.Equal(got[index], want) {
				t.Errorf("%s: interface %d: %v, want %v", c.what, index, got[index], want)
			}
		}
	}
}

func TestUsableInterfaces(t *testing.T) {
	const up = net.FlagUp | net.FlagRunning | net.FlagMulticast | net.FlagBroadcast
	for _, c := range []struct {
		flags net.Flags
		want  bool
	}{
		{up, true},
		{up &^ net.FlagBroadcast, true},
		{up &^ net.FlagUp, false},
		{up &^ net.FlagRunning, false},
		{up &^ net.FlagMulticast, false},
		{up | net.FlagLoopback, false},
		{up | net.FlagPointToPoint, false},
		{0, false},
	} {
		if got := usable(c.flags); got != c.want {
			t.Errorf("%s: %t", c.flags, got)
		}
	}
}

func TestSamePlace(t *testing.T) {
	p := place{net.Interface{Index: 2, Name: "eth0"}, addrs("10.0.0.1")}
	for _, c := range []struct {
		what string
		q    place
		same bool
	}{
		{"itself", p, true},
		{"another MTU", place{net.Interface{Index: 2, Name: "eth0", MTU: 9000}, addrs("10.0.0.1")}, true},
		{"another index", place{net.Interface{Index: 3, Name: "eth0"}, addrs("10.0.0.1")}, false},
		{"another name", place{net.Interface{Index: 2, Name: "lan"}, addrs("10.0.0.1")}, false},
		{"another address", place{net.Interface{Index: 2, Name: "eth0"}, addrs("10.0.0.2")}, false},
		{"one address more", place{net.Interface{Index: 2, Name: "eth0"}, addrs("10.0.0.1", "fe80::1")}, false},
	} {
		if same := p.same(c.q); same != c.same {
			t.Errorf("%s: %t", c.what, same)
		}
	}
	if p.has6() || !p.has4() {
		t.Error("families of an interface with IPv4")
	}
	if q := (place{addrs: addrs("fe80::1")}); !q.has6() || q.has4() {
		t.Error("families of an interface with IPv6")
	}
}

func TestByReach(t *testing.T) {
	want := addrs("10.0.0.1", "169.254.0.1", "2001:db8::1", "fd00::1", "fe80::1", "fe80::1%eth0", "fe80::2")
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, byReach)
	if !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// FuzzUsableAddresses reads what only the kernel should write.
func FuzzUsableAddresses(f *testing.F) {
	f.Add(addressMessage(unix.AF_INET6, 0, 3, map[uint16][]byte{unix.IFA_ADDRESS: make([]byte, 16), unix.IFA_LABEL: []byte("x")}))
	f.Add(netlinkMessage(unix.RTM_NEWADDR, make([]byte, 8)))
	f.Add(netlinkMessage(unix.RTM_NEWADDR, append(make([]byte, 8), 5, 0, unix.IFA_LOCAL, 0, 1)))       // not padded
	f.Add(netlinkMessage(unix.RTM_NEWADDR, append(make([]byte, 8), 9, 0, unix.IFA_LOCAL, 0, 1, 2)))    // cut short
	f.Add(netlinkMessage(unix.RTM_NEWADDR, append(make([]byte, 8), 0, 0, unix.IFA_LOCAL, 0, 1, 2, 3))) // of no size
	f.Fuzz(func(t *testing.T, rib []byte) {
		got, err := usableAddresses(rib)
		if err != nil && got != nil {
			t.Fatal("addresses beside an error")
		}
		for _, list := range got {
			for _, a := range list {
				if !a.IsValid() || a.Zone() != "" {
					t.Fatalf("address %v", a)
				}
			}
		}
	})
}

// The kernel's own answer must be readable here.
func TestPlacesOfThisMachine(t *testing.T) {
	if _, err := places(); err != nil {
		t.Error(err)
	}
	rib, err := syscall.NetlinkRIB(unix.RTM_GETADDR, unix.AF_UNSPEC)
	if err != nil {
		t.Fatal(err)
	}
	got, err := usableAddresses(rib)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 {
		t.Error("no address at all is found, not even that of the loopback")
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range interfaces {
		of, err := ifi.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range got[ifi.Index] {
			if !slices.ContainsFunc(of, func(n net.Addr) bool { return netip.MustParsePrefix(n.String()).Addr() == a }) {
				t.Errorf("%s: %s is not among %v", ifi.Name, a, of)
			}
		}
	}
}

func TestWatcherEnds(t *testing.T) {
	w, err := watch()
	if err != nil {
		t.Fatal(err)
	}
	w.close()
}
