package rtspd

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// comesFrom reads a datagram of RTP (0) or RTCP (1) and wants its source.
func (c *client) comesFrom(which int, want netip.Addr) {
	c.t.Helper()
	_ = c.udp[which].SetReadDeadline(time.Now().Add(patience))
	_, from, err := c.udp[which].ReadFromUDPAddrPort(make([]byte, 1<<16))
	if err != nil {
		c.t.Fatalf("no packet: %v", err)
	}
	if got := from.Addr().Unmap(); got != want {
		c.t.Errorf("socket %d: a packet from %v, want %v", which, got, want)
	}
}

// Packets leave from the address that the viewer's requests came to, whatever
// addresses the host has. Dual stack, and IPv4 alone.
func TestPacketsLeaveFromWhereTheRequestsCameTo(t *testing.T) {
	for _, test := range []struct{ listen, host, from string }{
		{"[::]:0", "127.0.0.2", "127.0.0.1"},
		{"[::]:0", "127.0.0.1", "127.0.0.1"},
		{"[::]:0", "::1", "::1"},
		{"0.0.0.0:0", "127.0.0.3", "127.0.0.1"},
		{"127.0.0.2:0", "127.0.0.2", "127.0.0.1"},
	} {
		for _, mux := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s at %s, one port %v", test.host, test.listen, mux), func(t *testing.T) {
				l := newLabOn(t, test.listen)
				_, port, _ := net.SplitHostPort(l.addr)
				l.addr = net.JoinHostPort(test.host, port)
				l.url = "rtsp://" + l.addr + "/main"
				l.publish(true, 100)
				c := l.dial()
				at, control, offer, play := c.openUDP(test.from), 1, "RTP/AVP;unicast;client_port=%d-%d", c.play
				if mux {
					c.version, control, offer, play = "2.0", 0, "RTP/AVP;unicast;RTCP-mux;dest_addr=\":%d\"/\":%d\"", func() response { return c.play2() }
				}
				c.setup(fmt.Sprintf(offer, at, at+1))
				if told := c.setUp.header["transport"]; !strings.Contains(told, test.host) {
					t.Errorf("told %s", told)
				}
				play()
				want := netip.MustParseAddr(test.host)
				c.comesFrom(0, want)
				c.comesFrom(control, want)
			})
		}
	}
}
