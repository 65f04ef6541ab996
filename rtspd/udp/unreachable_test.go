//go:build !virt

// The kernel of the virtual board has no veth.

package udp

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/nettest"
)

// Errors that the camera's own kernel gives come with each attempt, and are met twice
// once they are known. Those of a router, told by ICMP, are pending for whoever is sent
// to next, and take no packet from others.
func TestUnreachable(t *testing.T) {
	camera := nettest.NewHost(t)
	router := nettest.NewHost(t)
	near, far := nettest.Connect(t, 0, camera, router)
	for _, route := range [][]string{{"unreachable", "198.51.100.0/24"}, {"prohibit", "203.0.113.0/24"}} {
		camera.Run(t, "ip", append([]string{"route", "add"}, route...)...)
	}
	camera.Run(t, "ip", "route", "add", "192.0.2.0/24", "via", far.IPv4.String())
	router.Run(t, "ip", "route", "add", "unreachable", "192.0.2.0/24")
	router.Set(t, "net/ipv4/ip_forward", "1")
	router.Set(t, "net/ipv4/icmp_ratelimit", "0")
	var s *Sender
	camera.Do(t, func() {
		c := listen(t, "udp", "[::]:0")
		if err := ReportRefusals(c); err != nil {
			t.Fatal(err)
		}
		s = newSender(t, c)
	})
	packets := makePackets(30, 30)
	s.Plan(packets)
	for to, want := range map[string]unix.Errno{"8.8.8.8:9": unix.ENETUNREACH, "198.51.100.1:9": unix.EHOSTUNREACH, "203.0.113.1:9": unix.EACCES} {
		d := NewDestination(netip.MustParseAddrPort(to))
		for _, calls := range []uint64{attempts, 2, 2} {
			before := s.Counters().Calls
			sent, err := s.Send(d)
			if made := s.Counters().Calls - before; sent != 0 || !errors.Is(err, want) || made != calls {
				t.Errorf("%s: %d sent by %d calls, error %v; want 0 by %d, %v", to, sent, made, err, calls, want)
			}
		}
	}
	router.Do(t, func() {
		viewer := listen(t, "udp4", far.IPv4.String()+":0")
		gone := NewDestination(netip.MustParseAddrPort("192.0.2.1:9"))
		d, before := NewDestination(addrOf(viewer)), s.Counters()
		for range 200 {
			send(t, s, gone, len(packets))
			send(t, s, d, len(packets))
		}
		for range 200 {
			expect(t, viewer, packets)
		}
		if n := s.Counters(); n.Reports == before.Reports || n.Dropped != before.Dropped {
			t.Errorf("%+v, before %+v: no ICMP message came", n, before)
		}
	})
	_ = near
}
