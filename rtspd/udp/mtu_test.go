//go:build !virt

// The kernel of the virtual board has no veth.

package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"lenslet/rtspd/nettest"
)

// A path from a camera to a viewer, with a router between them.
type path struct{ camera, near, far, viewer *nettest.End }

func newPath(t *testing.T) path {
	a, r, b := nettest.NewHost(t), nettest.NewHost(t), nettest.NewHost(t)
	camera, near := nettest.Connect(t, 0, a, r)
	far, viewer := nettest.Connect(t, 1, r, b)
	r.Set(t, "net/ipv4/ip_forward", "1")
	r.Set(t, "net/ipv6/conf/all/forwarding", "1")
	for _, way := range []struct {
		from *nettest.End
		via  *nettest.End
	}{{camera, near}, {viewer, far}} {
		way.from.Run(t, "ip", "route", "add", "default", "via", way.via.IPv4.String())
		way.from.Run(t, "ip", "-6", "route", "add", "default", "via", way.via.IPv6.String())
	}
	return path{camera, near, far, viewer}
}

// Packets larger than the MTU of the camera's own link, or of one behind a router,
// reach the viewer.
func TestPacketsLargerThanThePathTakes(t *testing.T) {
	for _, test := range []struct {
		name    string
		six     bool
		far     bool // from the camera
		mtu     string
		noICMP  bool // a firewall drops what tells of it; in single packets, since veth lets larger segments pass
		segment bool // stays possible
	}{
		{name: "IPv4, own link", mtu: "1200"},
		{name: "IPv6, own link", six: true, mtu: "1280"},
		{name: "IPv4, behind a router", far: true, mtu: "1200", segment: true},
		{name: "IPv4, behind a router that says nothing", far: true, mtu: "1200", noICMP: true},
		{name: "IPv6, behind a router", six: true, far: true, mtu: "1280"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPath(t)
			narrow := []*nettest.End{p.camera, p.near}
			if test.far {
				narrow = []*nettest.End{p.far, p.viewer}
			}
			for _, e := range narrow {
				e.Run(t, "ip", "link", "set", e.Name, "mtu", test.mtu)
			}
			if test.noICMP {
				p.camera.Run(t, "ip", "rule", "add", "pref", "2", "table", "local")
				p.camera.Run(t, "ip", "rule", "add", "pref", "1", "iif", p.camera.Name, "ipproto", "icmp", "blackhole")
				p.camera.Run(t, "ip", "rule", "del", "pref", "0")
			}
			to := p.viewer.IPv4
			if test.six {
				to = p.viewer.IPv6
			}
			d := p.deliver(t, to, test.noICMP)
			if d.Segmented() != test.segment {
				t.Errorf("segmentation is tried: %v", d.Segmented())
			}
		})
	}
}

// deliver sends units until one of them has arrived whole: IPv6 learns the MTU by
// the first one that does not.
func (p path) deliver(t *testing.T, to netip.Addr, whole bool) *Destination {
	t.Helper()
	var viewer, camera *net.UDPConn
	p.viewer.Do(t, func() { viewer = listen(t, "udp", netip.AddrPortFrom(to, 0).String()) })
	p.camera.Do(t, func() { camera = listen(t, "udp", "[::]:0") })
	if err := Fragment(camera); err != nil {
		t.Fatal(err)
	}
	s, d := newSender(t, camera), NewDestination(addrOf(viewer))
	d.whole = whole
	packets := makePackets(append(repeat(1400, 20), 500)...)
	buf := make([]byte, 1<<16)
	s.Plan(packets)
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		send(t, s, d, len(packets))
		for got := 0; ; got++ {
			if got == len(packets) {
				return d
			}
			if err := viewer.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if _, err := viewer.Read(buf); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("no unit arrives whole")
	return nil
}

func TestFragmentOfBothFamilies(t *testing.T) {
	for network, addr := range map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0", "udp": "[::]:0"} {
		if err := Fragment(listen(t, network, addr)); err != nil {
			t.Error(err)
		}
	}
	c := listen(t, "udp4", "127.0.0.1:0")
	c.Close()
	if err := Fragment(c); !errors.Is(err, net.ErrClosed) {
		t.Errorf("on a closed socket: %v", err)
	}
}
