package udp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// expectFrom reads packets as expect does, and wants them to come from an address.
func expectFrom(t *testing.T, c *net.UDPConn, n int, from netip.Addr) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for i := range n {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		_, got, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			t.Fatalf("packet %d of %d: %v", i, n, err)
		}
		if got.Addr().Unmap() != from {
			t.Fatalf("packet %d of %d comes from %v, want %v", i, n, got, from)
		}
	}
}

func TestFrom(t *testing.T) {
	for _, test := range []struct {
		name, network, listen, to, from string
	}{
		{"IPv4", "udp4", "0.0.0.0:0", "127.0.0.1:0", "127.0.0.2"},
		{"dual stack to IPv4", "udp", "[::]:0", "127.0.0.1:0", "127.0.0.2"},
		{"mapped", "udp", "[::]:0", "127.0.0.1:0", "::ffff:127.0.0.3"},
		{"dual stack to IPv6", "udp", "[::]:0", "[::1]:0", "::1"},
		{"IPv6", "udp6", "[::]:0", "[::1]:0", "::1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			viewer := listen(t, "udp", test.to)
			s := newSender(t, listen(t, test.network, test.listen))
			from := netip.MustParseAddr(test.from)
			d := NewDestination(addrOf(viewer)).From(from)
			for _, segments := range []bool{true, false} {
				s.segments = segments
				packets := unit()
				s.Plan(packets)
				send(t, s, d, len(packets))
				expectFrom(t, viewer, len(packets), from.Unmap())
			}
			if c := s.Counters(); c.Segmented != 2 || c.Fallbacks != 0 || c.Calls != 2 {
				t.Errorf("%+v: want two calls, of which one is segmented", c)
			}
		})
	}
}

// One plan serves viewers with sources of their own and without.
func TestFromManySources(t *testing.T) {
	s := newSender(t, listen(t, "udp", "[::]:0"))
	packets := makePackets(seven()...)
	s.Plan(packets)
	for _, test := range []struct{ to, from, want string }{
		{"127.0.0.1:0", "127.0.0.2", "127.0.0.2"},
		{"127.0.0.1:0", "", "127.0.0.1"},
		{"[::1]:0", "::1", "::1"},
		{"127.0.0.1:0", "127.0.0.3", "127.0.0.3"},
		{"[::1]:0", "", "::1"},
	} {
		viewer := listen(t, "udp", test.to)
		d := NewDestination(addrOf(viewer))
		if test.from != "" {
			d.From(netip.MustParseAddr(test.from))
		}
		send(t, s, d, len(packets))
		expectFrom(t, viewer, len(packets), netip.MustParseAddr(test.want))
	}
}

// A link-local address says at which interface it is.
func TestFromLinkLocal(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort("[fe80::2%lo]:9")
	d := NewDestination(to).From(netip.MustParseAddr("fe80::1%lo"))
	info := unix.Inet6Pktinfo{Addr: netip.MustParseAddr("fe80::1").As16(), Ifindex: uint32(lo.Index)}
	if got := d.source(unix.AF_INET6).info; [16]byte(got[:16]) != info.Addr || got[16] != byte(info.Ifindex) && got[19] != byte(info.Ifindex) {
		t.Errorf("leaves from %v, want %+v", got, info)
	}
}

// What is no source of packets to that destination changes nothing.
func TestFromNowhere(t *testing.T) {
	for _, test := range []struct{ to, from string }{
		{"127.0.0.1:9", "::1"}, {"[::1]:9", "127.0.0.1"}, {"127.0.0.1:9", "0.0.0.0"}, {"[::1]:9", "::"},
	} {
		d := NewDestination(netip.MustParseAddrPort(test.to)).From(netip.MustParseAddr(test.from))
		if d.from4 != nil || d.from6 != nil {
			t.Errorf("%s to %s has a source", test.from, test.to)
		}
	}
	if d := NewDestination(netip.MustParseAddrPort("127.0.0.1:9")).From(netip.Addr{}); d.from4 != nil || d.from6 != nil {
		t.Error("no address is a source")
	}
}

func TestFromAnAddressOfOthers(t *testing.T) {
	s := newSender(t, listen(t, "udp", "[::]:0"))
	for _, test := range []struct{ to, from string }{{"127.0.0.1:9", "192.0.2.1"}, {"[::1]:9", "2001:db8::1"}} {
		s.Plan(makePackets(seven()...))
		d := NewDestination(netip.MustParseAddrPort(test.to)).From(netip.MustParseAddr(test.from))
		if sent, err := s.Send(d); err == nil || errors.Is(err, net.ErrClosed) || sent != 0 {
			t.Errorf("from %s: %d sent, error %v", test.from, sent, err)
		}
	}
}
