package udp

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/rtp"
)

// patience is how long a datagram on loopback may take on a busy machine.
const patience = 20 * time.Second

func listen(t testing.TB, network, addr string) *net.UDPConn {
	t.Helper()
	a, err := net.ResolveUDPAddr(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP(network, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	return c
}

func newSender(t testing.TB, c *net.UDPConn) *Sender {
	t.Helper()
	s, err := NewSender(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// addrOf is where a socket that listens everywhere is reached on loopback.
func addrOf(c *net.UDPConn) netip.AddrPort {
	a := c.LocalAddr().(*net.UDPAddr).AddrPort()
	switch {
	case !a.Addr().IsUnspecified():
		return a
	case a.Addr().Is4():
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), a.Port())
	}
	return netip.AddrPortFrom(netip.IPv6Loopback(), a.Port())
}

// makePackets makes one packet of each size, each with bytes of its own; what
// does not fit into a header of 14 bytes is payload.
func makePackets(sizes ...int) []rtp.Packet {
	packets := make([]rtp.Packet, len(sizes))
	for i, size := range sizes {
		b := make([]byte, size)
		for j := range b {
			b[j] = byte(i*31 + j*7)
		}
		head := min(size, 14)
		packets[i] = rtp.Packet{Header: b[:head:head], Payload: b[head:]}
	}
	return packets
}

func wire(p rtp.Packet) []byte { return slices.Concat(p.Header, p.Payload) }

// expect reads one datagram for each packet and compares.
func expect(t *testing.T, c *net.UDPConn, packets []rtp.Packet) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for i, p := range packets {
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := c.Read(buf)
		if err != nil {
			t.Fatalf("packet %d of %d: %v", i, len(packets), err)
		}
		if !bytes.Equal(buf[:n], wire(p)) {
			t.Fatalf("packet %d of %d: got %d bytes, want other %d", i, len(packets), n, p.Len())
		}
	}
}

// expectNothing checks that a marker sent now is the next datagram.
func expectNothing(t *testing.T, s *Sender, d *Destination, c *net.UDPConn) {
	t.Helper()
	marker := makePackets(3)
	s.Plan(marker)
	send(t, s, d, 1)
	expect(t, c, marker)
}

func send(t *testing.T, s *Sender, d *Destination, want int) {
	t.Helper()
	if sent, err := s.Send(d); err != nil || sent != want {
		t.Fatalf("sent %d packets, error %v; want %d", sent, err, want)
	}
}

func repeat(size, n int) []int { return slices.Repeat([]int{size}, n) }

// unit is a key frame: parameter sets, many equal fragments, a short last one.
// It fits into the receive buffer that any system grants.
func unit() []rtp.Packet {
	return makePackets(slices.Concat([]int{60}, repeat(1400, 70), []int{77})...)
}

func TestSend(t *testing.T) {
	for _, test := range []struct{ name, network, from, to string }{
		{"IPv4", "udp4", "127.0.0.1:0", "127.0.0.1:0"},
		{"IPv6", "udp6", "[::1]:0", "[::1]:0"},
		{"dual stack to IPv4", "udp", "[::]:0", "127.0.0.1:0"},
		{"dual stack to IPv6", "udp", "[::]:0", "[::1]:0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			viewer := listen(t, "udp", test.to)
			s := newSender(t, listen(t, test.network, test.from))
			d := NewDestination(addrOf(viewer))
			for range 3 {
				packets := unit()
				s.Plan(packets)
				send(t, s, d, len(packets))
				expect(t, viewer, packets)
			}
			expectNothing(t, s, d, viewer)
			c := s.Counters()
			if want := uint64(3*72 + 1); c.Packets != want || c.Dropped != 0 {
				t.Errorf("%d packets sent, %d dropped; want %d and 0", c.Packets, c.Dropped, want)
			}
			if want := uint64(3*(60+70*1400+77) + 3); c.Bytes != want {
				t.Errorf("%d bytes, want %d", c.Bytes, want)
			}
			// 60 | 46 x 1400 | 24 x 1400, 77
			if !s.Segments() || c.Segmented != 6 {
				t.Errorf("%d segmented sends, want 6", c.Segmented)
			}
			if c.Calls != 4 {
				t.Errorf("%d system calls, want 4", c.Calls)
			}
		})
	}
}

func TestMappedAddress(t *testing.T) {
	viewer := listen(t, "udp4", "127.0.0.1:0")
	mapped := netip.AddrPortFrom(netip.MustParseAddr("::ffff:127.0.0.1"), addrOf(viewer).Port())
	for _, from := range []string{"127.0.0.1:0", "[::]:0"} {
		s := newSender(t, listen(t, "udp", from))
		d := NewDestination(mapped)
		if d.AddrPort() != addrOf(viewer) {
			t.Errorf("address is %v, want %v", d.AddrPort(), addrOf(viewer))
		}
		packets := makePackets(repeat(500, 5)...)
		s.Plan(packets)
		send(t, s, d, len(packets))
		expect(t, viewer, packets)
	}
}

func TestManyDestinations(t *testing.T) {
	s := newSender(t, listen(t, "udp", "[::]:0"))
	var viewers []*net.UDPConn
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "127.0.0.1:0"} {
		viewers = append(viewers, listen(t, "udp", addr))
	}
	packets := unit()
	s.Plan(packets)
	for _, v := range viewers {
		send(t, s, NewDestination(addrOf(v)), len(packets))
	}
	for _, v := range viewers {
		expect(t, v, packets)
	}
}

// Without checksums the kernel refuses to segment: EINVAL.
func TestFallback(t *testing.T) {
	viewer, other := listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0")
	c := listen(t, "udp4", "127.0.0.1:0")
	s := newSender(t, c)
	d := NewDestination(addrOf(viewer))
	noChecksum(t, c, 1)
	packets := unit()
	s.Plan(packets)
	send(t, s, d, len(packets))
	expect(t, viewer, packets)
	before := s.Counters()
	if before.Segmented != 0 || before.Fallbacks != 1 || d.Segmented() {
		t.Fatalf("%+v: want a fallback and nothing segmented", before)
	}
	noChecksum(t, c, 0)
	send(t, s, d, len(packets))
	expect(t, viewer, packets)
	if after := s.Counters(); after.Segmented != 0 || after.Calls != before.Calls+1 {
		t.Errorf("%+v: the destination was segmented again", after)
	}
	send(t, s, NewDestination(addrOf(other)), len(packets))
	expect(t, other, packets)
	if after := s.Counters(); after.Segmented != 2 || after.Fallbacks != 1 {
		t.Errorf("%+v: another destination was not segmented", after)
	}
}

// The fallback begins with the packet that did not go out, not with the first.
func TestFallbackInTheMiddle(t *testing.T) {
	viewer := listen(t, "udp4", "127.0.0.1:0")
	c := listen(t, "udp4", "127.0.0.1:0")
	s := newSender(t, c)
	d := NewDestination(addrOf(viewer))
	noChecksum(t, c, 1)
	packets := makePackets(10, 20, 900, 900, 900, 100, 30)
	s.Plan(packets)
	send(t, s, d, len(packets))
	expect(t, viewer, packets)
	expectNothing(t, s, d, viewer)
}

func TestKernelWithoutSegmentation(t *testing.T) {
	viewer := listen(t, "udp4", "127.0.0.1:0")
	s := newSender(t, listen(t, "udp4", "127.0.0.1:0"))
	s.segments = false
	d := NewDestination(addrOf(viewer))
	packets := unit()
	s.Plan(packets)
	for range 2 {
		send(t, s, d, len(packets))
		expect(t, viewer, packets)
	}
	if c := s.Counters(); c.Segmented != 0 || c.Calls != 2 || c.Fallbacks != 0 {
		t.Errorf("%+v: want two calls, none segmented", c)
	}
}

func noChecksum(t *testing.T, c *net.UDPConn, on int) {
	t.Helper()
	setOption(t, c, unix.SOL_SOCKET, unix.SO_NO_CHECK, on)
}

func setOption(t *testing.T, c *net.UDPConn, level, option, value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), level, option, value) })
	if err = errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
}
