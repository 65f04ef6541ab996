package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func newReceiver(t *testing.T, c *net.UDPConn) *Receiver {
	t.Helper()
	if err := ReportRefusals(c); err != nil {
		t.Fatal(err)
	}
	r, err := NewReceiver(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return r
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T, addr string) netip.AddrPort {
	t.Helper()
	c := listen(t, "udp", addr)
	defer c.Close()
	return addrOf(c)
}

// families are the sockets that there are, and peers of theirs.
func families() []struct{ name, network, listen, peer string } {
	return []struct{ name, network, listen, peer string }{
		{"IPv4", "udp4", "0.0.0.0:0", "127.0.0.1:0"},
		{"dual stack to IPv4", "udp", "[::]:0", "127.0.0.1:0"},
		{"dual stack to IPv6", "udp", "[::]:0", "[::1]:0"},
		{"IPv6", "udp6", "[::1]:0", "[::1]:0"},
	}
}

// Refusals come between the packets, and name who refuses.
func TestRefusals(t *testing.T) {
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			c, peer, gone := listen(t, f.network, f.listen), listen(t, "udp", f.peer), closedPort(t, f.peer)
			r, s := newReceiver(t, c), newSender(t, c)
			us := netip.AddrPortFrom(addrOf(peer).Addr(), addrOf(c).Port())
			buf := make([]byte, 100)
			for i := range 5 {
				if _, err := peer.WriteToUDPAddrPort([]byte{byte(i)}, us); err != nil {
					t.Fatal(err)
				}
				if n, from, err := r.Receive(buf); err != nil || n != 1 || buf[0] != byte(i) || from != addrOf(peer) {
					t.Fatalf("%d: %d bytes from %v, error %v", i, n, from, err)
				}
				s.Plan(makePackets(30, 30))
				send(t, s, NewDestination(gone), 2)
				if _, to, err := r.Receive(buf); !errors.Is(err, ErrRefused) || to != gone {
					t.Fatalf("%d: refused by %v, error %v; want %v", i, to, err, gone)
				}
			}
		})
	}
}

// What others refuse takes no packet away from a viewer, and nothing is left in
// the queue of errors: each refusal is heard, also when a send met it first.
func TestRefusalsHarmNobodyElse(t *testing.T) {
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) {
			c, viewer, gone := listen(t, f.network, f.listen), listen(t, "udp", f.peer), closedPort(t, f.peer)
			r, s := newReceiver(t, c), newSender(t, c)
			to := []*Destination{NewDestination(gone), NewDestination(addrOf(viewer)), NewDestination(gone)}
			packets := makePackets(seven()...)
			for range 20 {
				s.Plan(packets)
				for _, d := range to {
					send(t, s, d, len(packets))
				}
				expect(t, viewer, packets)
			}
			n := s.Counters()
			if n.Dropped != 0 || n.Fallbacks != 0 || n.Reports == 0 {
				t.Errorf("%+v", n)
			}
			const least = 20
			for heard, wait := 0, patience; ; {
				if heard >= least { // no more need be there
					wait = 100 * time.Millisecond
				}
				if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
					t.Fatal(err)
				}
				_, from, err := r.Receive(make([]byte, 100))
				if !errors.Is(err, ErrRefused) {
					if heard < least {
						t.Errorf("%d refusals heard", heard)
					}
					break
				}
				if heard++; from != gone {
					t.Fatalf("refused by %v, want %v", from, gone)
				}
			}
		})
	}
}

// Who reads the queue of errors while others send makes the next one pending again
// and again: a viewer loses nothing by that either.
func TestRefusalsWhileTheyAreRead(t *testing.T) {
	c, viewer := listen(t, "udp", "[::]:0"), listen(t, "udp", "127.0.0.1:0")
	r, s := newReceiver(t, c), newSender(t, c)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer c.Close()
	reading.Go(func() {
		for buf := make([]byte, 100); ; {
			if _, _, err := r.Receive(buf); !errors.Is(err, ErrRefused) {
				return
			}
		}
	})
	var gone []*Destination
	for range 20 {
		gone = append(gone, NewDestination(closedPort(t, "127.0.0.1:0")))
	}
	d, packets := NewDestination(addrOf(viewer)), makePackets(30)
	s.Plan(packets)
	for range 2000 {
		for _, g := range gone {
			send(t, s, g, 1)
		}
		send(t, s, d, 1)
		expect(t, viewer, packets)
	}
	if n := s.Counters(); n.Dropped != 0 || n.Reports == 0 {
		t.Errorf("%+v", n)
	}
}

func TestReceiverEnds(t *testing.T) {
	c := listen(t, "udp", "[::]:0")
	r := newReceiver(t, c)
	done := make(chan error)
	go func() {
		_, _, err := r.Receive(make([]byte, 10))
		done <- err
	}()
	c.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want net.ErrClosed", err)
	}
	if err := ReportRefusals(c); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ReportRefusals on a closed socket: %v", err)
	}
}

func TestReceiverZone(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, listen(t, "udp", "[::]:0"))
	const none = 1 << 30
	for index, want := range map[uint32]string{uint32(lo.Index): "lo", none: fmt.Sprint(none)} {
		for range 2 {
			if got := r.zone(index); got != want {
				t.Errorf("interface %d is %s, want %s", index, got, want)
			}
		}
	}
	if len(r.zones) != 1 {
		t.Errorf("%v: what does not exist is kept", r.zones)
	}
}
