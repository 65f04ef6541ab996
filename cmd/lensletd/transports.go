package main

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"lenslet/rtspd"
	"lenslet/rtspd/rate"
)

func (c *config) validateTransports() error {
	if _, port, err := net.SplitHostPort(c.RTSPU); c.RTSPU != "" && (err != nil || !isPort(port)) {
		return usagef("rtspu %q is not an address; right would be :8554 or 192.168.1.7:8554", c.RTSPU)
	}
	if _, err := multicastGroups(c.Multicast, ""); err != nil {
		return err
	}
	if c.TTL < 1 || c.TTL > 255 {
		return usagef("multicast_ttl %d is not a number of hops; right would be 1 to 255", c.TTL)
	}
	if _, err := rate.ParsePolicy(c.Adapt); err != nil {
		return usagef("%v", err)
	}
	if _, ok := pacings()[c.Pacing]; !ok {
		return usagef("pacing %q is not known; right would be auto, on or off", c.Pacing)
	}
	if c.Chunk < 8 || c.Chunk > 64 {
		return usagef("pacing_chunk %d is not a number of packets; right would be 8 to 64", c.Chunk)
	}
	return nil
}

// adapt is the setting, which was validated.
func (c *config) adapt() rate.Policy {
	p, _ := rate.ParsePolicy(c.Adapt)
	return p
}

// pacings are what the setting can be.
func pacings() map[string]rtspd.Pacing {
	return map[string]rtspd.Pacing{"auto": rtspd.PacingAuto, "on": rtspd.PacingOn, "off": rtspd.PacingOff}
}

// listenDatagrams opens the port for requests in datagrams, if there is one.
func (d *daemon) listenDatagrams() (*net.UDPConn, error) {
	if d.RTSPU == "" {
		return nil, nil
	}
	a, err := net.ResolveUDPAddr("udp", d.RTSPU)
	if err != nil {
		return nil, fmt.Errorf("listen for datagrams on %s: %w", d.RTSPU, err)
	}
	c, err := net.ListenUDP("udp", a)
	if err != nil {
		return nil, fmt.Errorf("listen for datagrams on %s: %w", d.RTSPU, err)
	}
	return c, nil
}

// multicast is what the configuration says about groups, which was validated.
func (d *daemon) multicast() rtspd.Multicast {
	groups, _ := multicastGroups(d.Multicast, d.id.Suffix())
	return rtspd.Multicast{Groups: groups, TTL: d.TTL}
}

// multicastGroups reads the setting: one group, or with auto one for each family
// that differs from board to board, as far as the last digits of its serial do.
// So does the port: a recorder's socket may hear all groups of one port.
func multicastGroups(setting, serial string) ([]netip.AddrPort, error) {
	switch setting {
	case "off":
		return nil, nil
	case "auto":
		n, _ := strconv.ParseUint(serial, 16, 64) // six digits, always
		port := 20000 + 2*uint16(n%5000)
		four := [4]byte{239, 255, byte(n >> 8), byte(n)}                                       // RFC 2365 section 6.1
		six := [16]byte{0xff, 0x15, 12: 'l', 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)} // transient, of the site: RFC 4291 section 2.7
		return []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4(four), port), netip.AddrPortFrom(netip.AddrFrom16(six), port)}, nil
	}
	to, err := netip.ParseAddrPort(setting)
	if err != nil || !to.Addr().IsMulticast() || to.Addr().Zone() != "" || to.Addr().Is4In6() || to.Port() == 0 || to.Port()%2 != 0 {
		return nil, usagef("multicast %q is not a group and an even port; right would be off, auto, 239.1.2.3:5004 or [ff15::1:2]:5004", setting)
	}
	return []netip.AddrPort{to}, nil
}
