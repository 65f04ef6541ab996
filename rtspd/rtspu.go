package rtspd

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"lenslet/rtspd/wire"
)

const (
	// addressToken is the field in which a client by datagrams gives back what
	// was sent to its address.
	addressToken = "Address-Token"
	tokenEpoch   = 2 * time.Minute // a token is good in its own and in the next
	tokenBytes   = 12

	datagramPeers = 64    // clients at once
	datagramBytes = 65535 // no datagram is larger
)

// An rtspu is the port where requests come in datagrams.
type rtspu struct {
	srv    *Server
	uc     *net.UDPConn
	tokens tokens

	mu    sync.Mutex // taken before that of a peer, and with no other
	peers map[netip.AddrPort]*peer
}

func newRTSPU(s *Server, uc *net.UDPConn) *rtspu {
	d := &rtspu{srv: s, uc: uc, peers: map[netip.AddrPort]*peer{}}
	_, _ = rand.Read(d.tokens.secret[:]) // never fails (crypto/rand)
	return d
}

// read takes datagrams until ctx ends; the goroutines that it starts are of all.
func (d *rtspu) read(ctx context.Context, all *sync.WaitGroup) {
	defer context.AfterFunc(ctx, func() { _ = d.uc.SetReadDeadline(time.Now()) })()
	buf := make([]byte, datagramBytes)
	for ctx.Err() == nil {
		n, from, err := d.uc.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // the network's, an ICMP error for instance
			time.Sleep(time.Millisecond)
		default:
			d.take(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), buf[:n], all)
		}
	}
}

// take judges a datagram, and gives it to its peer.
func (d *rtspu) take(from netip.AddrPort, b []byte, all *sync.WaitGroup) {
	cseq, answer := d.tokens.judge(from, b, monotonic())
	switch {
	case answer != nil:
		d.send(from, answer)
	case cseq != "":
		if p := d.peer(from, all); p != nil {
			if again := p.take(cseq, b); again != nil {
				d.send(from, again)
			}
		}
	}
}

func (d *rtspu) send(to netip.AddrPort, b []byte) {
	_, _ = d.uc.WriteToUDPAddrPort(b, to) // as UDP: it arrives or not
}

// peer finds who is at an address, or begins to serve it. nil: there is no room;
// whoever repeats its request finds some later.
func (d *rtspu) peer(from netip.AddrPort, all *sync.WaitGroup) *peer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.peers[from]; p != nil {
		return p
	}
	if len(d.peers) >= datagramPeers {
		return nil
	}
	near, far := net.Pipe()
	c := newConn(d.srv, &datagramConn{Conn: far, local: d.localFor(from), remote: net.UDPAddrFromAddrPort(from)})
	if !d.srv.enter(c) {
		_, _ = near.Close(), far.Close()
		return nil
	}
	p := &peer{near: near, in: make(chan []byte, peerQueue), over: make(chan struct{})}
	d.peers[from] = p
	all.Go(c.serve)
	all.Go(p.pass)
	all.Go(func() {
		p.answer(func(b []byte) { d.send(from, b) })
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.peers, from)
	})
	return p
}

// localFor is the address that a client reached us by, as far as routes tell.
func (d *rtspu) localFor(remote netip.AddrPort) *net.UDPAddr {
	local := *d.uc.LocalAddr().(*net.UDPAddr)
	if !local.IP.IsUnspecified() {
		return &local
	}
	if c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote)); err == nil { // sends nothing
		a := c.LocalAddr().(*net.UDPAddr)
		local.IP, local.Zone = a.IP, a.Zone
		_ = c.Close()
	}
	return &local
}

// A datagramConn is a connection, of which each Write is a datagram.
type datagramConn struct {
	net.Conn
	local, remote *net.UDPAddr
}

// LocalAddr is the address of the port for datagrams.
func (c *datagramConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the address of the client, which is proven.
func (c *datagramConn) RemoteAddr() net.Addr { return c.remote }

// tokens prove that who sends from an address receives there too. They need no
// memory of the address.
type tokens struct {
	secret [32]byte
}

// of is the token of an address at an instant, CLOCK_MONOTONIC.
func (t *tokens) of(a netip.AddrPort, at time.Duration) string {
	mac := hmac.New(sha256.New, t.secret[:])
	ip := a.Addr().As16()
	mac.Write(ip[:])
	mac.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint16(nil, a.Port()), uint64(at/tokenEpoch)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:tokenBytes])
}

func (t *tokens) proves(token string, a netip.AddrPort, now time.Duration) bool {
	for _, at := range []time.Duration{now, now - tokenEpoch} {
		if at >= 0 && hmac.Equal([]byte(token), []byte(t.of(a, at))) {
			return true
		}
	}
	return false
}

// judge looks at a datagram. With a good token it is a request with the number
// cseq, to be handled. Without, the answer tells the token, unless that would be
// longer than the datagram: nobody can make us send more to a third party than
// was sent to us. What is not one whole request is passed over.
func (t *tokens) judge(from netip.AddrPort, b []byte, now time.Duration) (cseq string, answer []byte) {
	m, n, err := wire.Decode(b, wire.Limits{})
	r, ok := m.(*wire.Request)
	if err != nil || !ok || n != len(b) || !strings.HasPrefix(r.Version, "RTSP/") {
		return "", nil
	}
	if cseq = r.Header.Get("CSeq"); cseq == "" {
		return "", nil
	}
	if t.proves(r.Header.Get(addressToken), from, now) {
		return cseq, nil
	}
	res := wire.Response{Version: "RTSP/1.0", Status: wire.Unauthorized, Header: wire.Header{
		{Name: "CSeq", Value: cseq}, {Name: addressToken, Value: t.of(from, now)},
	}}
	if answer = res.Append(nil); len(answer) > len(b) {
		return "", nil
	}
	return "", answer
}
