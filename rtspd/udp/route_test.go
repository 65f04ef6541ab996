//go:build !virt

// The kernel of the virtual board has no veth.

package udp

import (
	"net/netip"
	"testing"

	"lenslet/rtspd/nettest"
)

func TestInterface(t *testing.T) {
	camera := nettest.NewHost(t)
	wire, _ := nettest.Connect(t, 0, camera, nettest.NewHost(t))
	air, far := nettest.Connect(t, 1, camera, nettest.NewHost(t))
	camera.Run(t, "ip", "route", "add", "192.0.2.0/24", "via", far.IPv4.String())
	camera.Do(t, func() {
		for to, want := range map[string]string{
			"127.0.0.1": "lo", "::1": "lo", "10.98.0.77": wire.Name, "::ffff:10.98.1.77": air.Name,
			"fd98:1::77": air.Name, "192.0.2.9": air.Name, "fe80::1%eth7": "eth7", "198.51.100.1": "", "2001:db8::1": "",
		} {
			name, err := Interface(netip.MustParseAddr(to))
			if name != want || (err == nil) != (want != "") {
				t.Errorf("%s: %q, %v; want %q", to, name, err, want)
			}
		}
	})
}
