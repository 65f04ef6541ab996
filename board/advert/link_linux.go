package advert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

// sendLimit bounds a send that the interface does not take: stopping must not
// wait for it.
const sendLimit = 50 * time.Millisecond

// A link is the advert on one interface, with one name and one set of addresses.
type link struct {
	place
	instance  string
	log       *slog.Logger
	sockets   []*socket
	server    *mdns.Server  // nil if it could not be opened
	responder *responder    // of run, then of end
	inbox     chan packet   // from the readers; never closed
	lost      chan<- *link  // the Advert's: another host has the name; never closed
	gaveUp    bool          // after lost
	live      atomic.Bool   // whether the server may answer: the name is ours
	done      chan struct{} // closed when run has ended
	cancel    context.CancelFunc
	readers   sync.WaitGroup
}

type packet struct {
	message *dns.Msg
	port    uint16 // that it came from
}

// openLink joins the multicast groups of an interface and lets r speak there.
// When another host has the name, the link goes to lost, and is silent from then.
func openLink(p place, name string, r *responder, lost chan<- *link, log *slog.Logger) (*link, error) {
	log = log.With("interface", p.Name)
	l := &link{place: p, instance: name, log: log, responder: r, lost: lost,
		inbox: make(chan packet, 16), done: make(chan struct{})}
	if err := l.join(); err != nil {
		return nil, err
	}
	var err error
	if l.server, err = openServer(p.Interface, l, log); err != nil {
		log.Warn("only multicast questions are answered", "error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	for _, s := range l.sockets {
		l.readers.Go(func() { l.read(s.conn) })
	}
	go l.run(ctx)
	return l, nil
}

// join opens a socket for each family that has an address. One of them is enough.
func (l *link) join() error {
	var errs []error
	add := func(s *socket, err error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		l.sockets = append(l.sockets, s)
	}
	if l.has4() {
		add(openSocket4(l.Index))
	}
	if l.has6() {
		add(openSocket6(l.Index, l.Name))
	}
	err := errors.Join(errs...)
	if len(l.sockets) == 0 {
		return fmt.Errorf("advertise on %s: %w", l.Name, err)
	}
	if err != nil {
		l.log.Warn("advertising in one family only", "error", err)
	}
	return nil
}

// Records answers for the server; it is silent until the name is ours.
func (l *link) Records(q dns.Question) []dns.RR {
	if !l.live.Load() {
		return nil
	}
	return l.responder.zone.Records(q)
}

func (l *link) run(ctx context.Context) {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		l.speak()
		timer.Stop()
		if wake := l.responder.wake(); !wake.IsZero() {
			timer.Reset(time.Until(wake))
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case p := <-l.inbox:
			if l.responder.receive(p.message, p.port, time.Now()) {
				l.giveUp(ctx)
				return
			}
		}
	}
}

func (l *link) giveUp(ctx context.Context) {
	l.gaveUp = true
	l.live.Store(false)
	select {
	case l.lost <- l:
	case <-ctx.Done():
	}
}

// speak sends all that is due.
func (l *link) speak() {
	now := time.Now()
	for m := l.responder.due(now); m != nil; m = l.responder.due(now) {
		l.send(m)
	}
	if l.responder.live && !l.live.Swap(true) {
		l.log.Info("advertised", "name", l.instance, "addresses", l.addrs)
	}
}

func (l *link) send(m *dns.Msg) {
	wire, err := m.Pack()
	if err != nil {
		l.log.Warn("mDNS message not sent", "error", err)
		return
	}
	for _, s := range l.sockets {
		if err := s.send(wire); err != nil {
			l.log.Debug("mDNS message not sent", "error", err)
		}
	}
}

// read hands messages over until the socket is closed.
func (l *link) read(conn *net.UDPConn) {
	buf := make([]byte, maxMessage)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(sendLimit) // whatever fails must not spin
			continue
		}
		m := new(dns.Msg)
		if m.Unpack(buf[:n]) != nil {
			continue
		}
		select {
		case l.inbox <- packet{m, from.Port()}:
		case <-l.done:
		}
	}
}

// owner tells whether the name was ours on this link, when it has ended.
func (l *link) owner() bool { return l.responder.live && !l.gaveUp }

// end stops the link, with a goodbye if it is wanted and due.
func (l *link) end(farewell bool) {
	l.cancel()
	<-l.done
	if farewell && l.owner() {
		l.send(goodbye(l.responder.zone.owned()))
	}
	if l.server != nil {
		_ = l.server.Shutdown()
	}
	for _, s := range l.sockets {
		_ = s.conn.Close()
	}
	l.readers.Wait()
}
