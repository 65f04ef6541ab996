package advert

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	askFirst = 250 * time.Millisecond // until the first repetition; then twice that, and so on
	// maxQuestions of one message keep it within a packet.
	maxQuestions = 8
)

// Discover asks on all interfaces, over IPv4 and IPv6, which RTSP cameras there
// are, and returns those that answered within the timeout, sorted by name.
// hashicorp/mdns's client does not serve: it keeps one camera of each message,
// one address of each camera, and uses one interface. The questions come from
// an unprivileged port, so that Discover works beside the system's own mDNS, and
// the answers are unicast: RFC 6762 section 5.1. If ctx is done early, the
// cameras found until then are returned with its error.
func Discover(ctx context.Context, timeout time.Duration) ([]Camera, error) {
	askers, err := openAskers()
	if err != nil {
		return nil, fmt.Errorf("discover: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	heard := make(chan heard, 16)
	ended := make(chan struct{}, len(askers))
	for _, a := range askers {
		go func() {
			a.read(limited, heard)
			ended <- struct{}{}
		}()
	}
	found := collect(limited, askers, heard)
	cancel()
	for _, a := range askers {
		_ = a.conn.Close()
	}
	for range askers {
		<-ended
	}
	return found, ctx.Err()
}

// collect asks, again and again at growing intervals, and gathers the answers.
func collect(ctx context.Context, askers []*asker, heard <-chan heard) []Camera {
	c := newCollector()
	interval := askFirst
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return c.cameras()
		case h := <-heard:
			c.take(h.message, h.zone)
		case <-again.C:
			browse := dns.Question{Name: serviceName, Qtype: dns.TypePTR, Qclass: dns.ClassINET}
			for qs := range slices.Chunk(append([]dns.Question{browse}, c.missing()...), maxQuestions) {
				for _, a := range askers {
					a.ask(qs)
				}
			}
			again.Reset(interval)
			interval *= 2
		}
	}
}

// An asker asks on one interface in one family.
type asker struct {
	conn  net.PacketConn
	zone  string // name of the interface
	group *net.UDPAddr
}

// heard is an answer, and the interface that it came through.
type heard struct {
	message *dns.Msg
	zone    string
}

// openAskers opens an asker for each interface and family that lets it.
func openAskers() ([]*asker, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var out []*asker
	errs := []error{errors.New("no network interface can multicast")}
	for _, ifi := range interfaces {
		if ifi.Flags&(net.FlagUp|net.FlagMulticast) != net.FlagUp|net.FlagMulticast || ifi.Flags&net.FlagLoopback != 0 {
			continue
		}
		for _, open := range []func(net.Interface) (*asker, error){openAsker4, openAsker6} {
			a, err := open(ifi)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", ifi.Name, err))
				continue
			}
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, errors.Join(errs...)
	}
	return out, nil
}

// openAsker4 asks from the interface's own address: not every system chooses
// it by the multicast interface.
func openAsker4(ifi net.Interface) (*asker, error) {
	addrs, err := ifi.Addrs()
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().Is4() {
			continue
		}
		conn, err := net.ListenPacket("udp4", netip.AddrPortFrom(prefix.Addr(), 0).String())
		if err != nil {
			return nil, err
		}
		p := ipv4.NewPacketConn(conn)
		if err := errors.Join(p.SetMulticastInterface(&ifi), p.SetMulticastTTL(hops)); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return &asker{conn, ifi.Name, &net.UDPAddr{IP: net.ParseIP(group4), Port: mdnsPort}}, nil
	}
	return nil, errors.New("no IPv4 address")
}

func openAsker6(ifi net.Interface) (*asker, error) {
	conn, err := net.ListenPacket("udp6", "[::]:0")
	if err != nil {
		return nil, err
	}
	p := ipv6.NewPacketConn(conn)
	if err := errors.Join(p.SetMulticastInterface(&ifi), p.SetMulticastHopLimit(hops)); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &asker{conn, ifi.Name, &net.UDPAddr{IP: net.ParseIP(group6), Port: mdnsPort, Zone: ifi.Name}}, nil
}

// ask sends the questions. What cannot be sent now may be the next time: an
// interface that is just coming up has no address to send from.
func (a *asker) ask(qs []dns.Question) {
	wire, err := question(qs...).Pack()
	if err != nil {
		return
	}
	_ = a.conn.SetWriteDeadline(time.Now().Add(askFirst))
	_, _ = a.conn.WriteTo(wire, a.group)
}

// read hands answers over until the socket is closed.
func (a *asker) read(ctx context.Context, out chan<- heard) {
	buf := make([]byte, maxMessage)
	for ctx.Err() == nil {
		n, from, err := a.conn.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // Windows reports refused messages here
			continue
		}
		m := new(dns.Msg)
		if udp, ok := from.(*net.UDPAddr); !ok || udp.Port != mdnsPort || m.Unpack(buf[:n]) != nil {
			continue
		}
		select {
		case out <- heard{m, a.zone}:
		case <-ctx.Done():
		}
	}
}
