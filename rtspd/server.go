package rtspd

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"lenslet/rtspd/auth"
	"lenslet/rtspd/rtp"
)

// Config of a Server. The zero value of each field but Log has a meaning.
type Config struct {
	Name           string        // in the Server header; "lenslet" when empty
	SessionTimeout time.Duration // without a sign of life; 60 s when 0
	RequestTimeout time.Duration // until a request is complete; 10 s when 0
	StallTimeout   time.Duration // of a connection that takes no byte; SessionTimeout when 0
	DrainTime      time.Duration // to follow a REDIRECT before the BYE; 1 s when 0
	PatienceTime   time.Duration // until a client of RTSP 2.0 is told that its answer takes long, and again; 5 s when 0
	Directions     Directions    // to begin with; Direct changes them
	Users          []User        // who may log in; nil: everyone is an admin, without
	Realm          string        // what the passwords are for: the camera's name; Name when empty
	NonceLifetime  time.Duration // of what a login is made with; 5 min when 0
	Limits         Limits
	Datagrams      *net.UDPConn // where requests may come in datagrams (rtspu); nil: nowhere
	SRTP           SRTPMode     // who is sent SRTP
	Uploads        Uploads      // who takes files that admins send by HTTP over TLS; nil: nobody
	Settled        func()       // called a second or two after viewers have come or gone, or parameters were set, when no more do; may be nil
	Log            *slog.Logger
}

// A Server answers RTSP on any number of listeners.
type Server struct {
	cfg     Config
	udp     *udpPair
	streams map[string]*Stream // by path; fixed once Serve runs
	order   []*Stream          // the same as NewServer was given them
	pushes  []*Push            // fixed once Serve runs
	pass    time.Duration      // from one pass of the clockwork to the next; fixed once Serve runs
	fell    chan struct{}      // wakes the clockwork: a viewer's rate fell
	running context.Context    // ends with shutdown: what a request waits for
	halt    context.CancelFunc // ends running

	changes atomic.Uint64 // of parameters, that were made

	verifier *auth.Verifier  // nil: without authentication
	roles    map[string]Role // of the users
	logins   logins

	tunnels tunnels

	// Locks are taken in the order session, Server, outbox and session, Stream,
	// outbox; never two of a kind.
	mu       sync.Mutex
	sessions map[string]*session         // by id
	byRTCP   map[netip.AddrPort]*session // UDP sessions by the viewer's RTCP address
	conns    map[*conn]struct{}
	closed   bool

	groups groups
	lanes  laneCount
	rtspu  *rtspu // nil: there is none

	directions Directions
	draining   bool // every viewer is sent to directions.DrainTo
}

// NewServer opens the pair of UDP ports for RTP and RTCP. Serve closes them.
func NewServer(cfg Config, streams ...*Stream) (*Server, error) {
	cfg.Name = cmp.Or(cfg.Name, "lenslet")
	cfg.SessionTimeout = cmp.Or(cfg.SessionTimeout, time.Minute)
	cfg.RequestTimeout = cmp.Or(cfg.RequestTimeout, 10*time.Second)
	cfg.StallTimeout = cmp.Or(cfg.StallTimeout, cfg.SessionTimeout)
	cfg.DrainTime = cmp.Or(cfg.DrainTime, time.Second)
	cfg.PatienceTime = cmp.Or(cfg.PatienceTime, 5*time.Second)
	cfg.Realm = cmp.Or(cfg.Realm, cfg.Name)
	cfg.NonceLifetime = cmp.Or(cfg.NonceLifetime, 5*time.Minute)
	cfg.Limits = cfg.Limits.withDefaults()
	pair, err := listenPair()
	if err != nil {
		return nil, err
	}
	if n := granted(pair.rtp); n < udpSendBuffer {
		cfg.Log.Info("net.core.wmem_max grants less than key frames for many viewers by UDP need", "bytes", n, "right", udpSendBuffer)
	}
	s := &Server{
		cfg: cfg, udp: pair, pass: time.Second, fell: make(chan struct{}, 1), streams: map[string]*Stream{},
		sessions: map[string]*session{}, byRTCP: map[netip.AddrPort]*session{}, conns: map[*conn]struct{}{}, directions: cfg.Directions,
		logins: logins{limit: cfg.Limits.FailedLogins, step: failureStep, from: map[netip.Addr]failures{}},
	}
	s.lanes.wait = laneWait
	s.verifier, s.roles = newVerifier(&cfg)
	if cfg.Datagrams != nil {
		s.rtspu = newRTSPU(s, cfg.Datagrams)
	}
	s.running, s.halt = context.WithCancel(context.Background())
	for _, stream := range streams {
		if err := stream.attach(pair); err != nil {
			pair.close()
			return nil, err
		}
		stream.tell(func() { s.describeChanged(stream) })
		s.streams[stream.cfg.Path] = stream
		s.order = append(s.order, stream)
	}
	return s, nil
}

// Serve answers until ctx ends; then every viewer gets a BYE, and nothing is
// left behind. It takes the listeners over. An error means that a listener
// failed before.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	asked := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, l := range listeners {
		all.Go(func() {
			if err := s.accept(ctx, l, &all); err != nil {
				cancel(err)
			}
		})
	}
	refused := func(to netip.AddrPort) { s.refused(to, monotonic()) }
	all.Go(func() { readUDP(s.udp.rtcp, s.rtcpFrom, refused) })
	all.Go(func() { readUDP(s.udp.rtp, s.rtpFrom, refused) })
	all.Go(func() { s.tick(ctx) })
	if s.cfg.Datagrams != nil {
		defer func() { _ = s.cfg.Datagrams.Close() }()
		all.Go(func() { s.rtspu.read(ctx, &all) })
	}
	var pushing sync.WaitGroup
	for _, p := range s.pushes {
		pushing.Go(func() { p.run(ctx) })
	}

	<-ctx.Done()
	for _, l := range listeners {
		_ = l.Close()
	}
	s.shutdown()
	pushing.Wait() // they say BYE by UDP too
	s.udp.close()
	all.Wait()
	s.groups.readers.Wait()
	s.lanes.running.Wait()
	if asked.Err() != nil {
		return nil
	}
	return context.Cause(ctx)
}

func (s *Server) accept(ctx context.Context, l net.Listener, all *sync.WaitGroup) error {
	for {
		nc, err := l.Accept()
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("listener %s: %w", l.Addr(), err)
		case err != nil: // out of descriptors, or a connection that broke at once
			s.cfg.Log.Warn("cannot accept a connection", "listener", l.Addr(), "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		c := newConn(s, nc)
		if !s.enter(c) {
			_ = nc.Close()
			continue
		}
		all.Go(c.serve)
	}
}

func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.admit(c) {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// shutdown sends viewers elsewhere that can be, says BYE to the others and ends
// every connection.
func (s *Server) shutdown() {
	s.mu.Lock()
	s.closed = true
	to := s.directions.DrainTo
	s.mu.Unlock()
	if to == "" {
		s.halt()
	}
	s.drain(to, "the camera stops")
	s.halt()
	s.mu.Lock()
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.hangUp()
	}
}

// newSession makes a session that knows of no transport yet.
func (s *Server) newSession(stream *Stream, c *conn) *session {
	var id [16]byte         // as RFC 7826 4.3 recommends
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	ses := &session{
		id: hex.EncodeToString(id[:]), stream: stream, from: c.remote, timeout: s.cfg.SessionTimeout,
		over: make(chan struct{}),
	}
	ses.touch()
	return ses
}

// bind gives a session its transport and makes it known, under its id and under
// its RTCP address. A session that had the same address before is displaced:
// its viewer has left the port, and two streams must not mix there. The caller
// ends it, when it holds no session's lock. False: it is too late, or there is no
// place.
func (s *Server) bind(ses *session, v *viewer) (displaced *session, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || ses.ended() {
		return nil, false
	}
	from := v.rtcpFrom()
	if other := s.byRTCP[from]; from.IsValid() && other != ses {
		displaced = other
	}
	if s.turnsAway(ses, displaced) {
		return nil, false
	}
	s.forget(ses)
	ses.viewer.Store(v)
	s.sessions[ses.id] = ses
	if from.IsValid() {
		s.byRTCP[from] = ses
	}
	return displaced, true
}

// forget takes a session's RTCP address away. The lock is held.
func (s *Server) forget(ses *session) {
	if from := ses.viewer.Load().rtcpFrom(); s.byRTCP[from] == ses {
		delete(s.byRTCP, from)
	}
}

func (s *Server) session(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// end takes a session out of everything, with a BYE if so wished. Ending twice
// does nothing. True: it played.
func (s *Server) end(ses *session, why string, bye bool) (played bool) {
	s.mu.Lock()
	known := s.sessions[ses.id] == ses
	if known {
		delete(s.sessions, ses.id)
		s.forget(ses)
		close(ses.over) // a PLAY that waits gives the session's lock back
	}
	s.mu.Unlock()
	if !known {
		return false
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	ses.state = stateInit
	v := ses.viewer.Load()
	if played = ses.stream.remove(v, bye); played {
		s.cfg.Log.Info("viewer left", "viewer", ses.from.Addr(), "stream", ses.stream.cfg.Path, "why", why)
	}
	s.giveBack(v, nil)
	return played
}

// rtpFrom takes what comes to the port of RTP: RTCP of viewers who have both in
// one, and what opens a firewall.
func (s *Server) rtpFrom(from netip.AddrPort, packet []byte) {
	if rtp.IsRTCP(packet) {
		s.rtcpFrom(from, packet)
	}
}

// rtcpFrom takes an RTCP packet from a UDP viewer: a sign of life, and news.
func (s *Server) rtcpFrom(from netip.AddrPort, packet []byte) {
	s.mu.Lock()
	ses := s.byRTCP[from]
	s.mu.Unlock()
	if ses != nil {
		s.feedback(ses, packet)
		return
	}
	for _, p := range s.pushes {
		p.rtcpFrom(from, packet)
	}
}

func (s *Server) feedback(ses *session, packet []byte) {
	ses.touch()
	if v := ses.viewer.Load(); v != nil && ses.stream.feedback(v, packet) {
		s.end(ses, "the viewer said BYE", true)
	}
	if ses.stream.fell() {
		select {
		case s.fell <- struct{}{}: // the codec may take its time, and the next packet does not wait for it
		default:
		}
	}
}
