package rtspd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Config of a Server. The zero value of each field but Log has a meaning.
type Config struct {
	Name           string        // in the Server header; "lenslet" when empty
	SessionTimeout time.Duration // without a sign of life; 60 s when 0
	Log            *slog.Logger
}

// A Server answers RTSP on any number of listeners.
type Server struct {
	cfg     Config
	udp     *udpPair
	streams map[string]*Stream // by path; fixed once Serve runs
	stops   chan struct{}      // closed by shutdown

	mu       sync.Mutex
	sessions map[string]*session         // by id
	byRTCP   map[netip.AddrPort]*session // UDP sessions by the viewer's RTCP address
	conns    map[*conn]struct{}
	closed   bool
}

// NewServer opens the pair of UDP ports for RTP and RTCP. Serve closes them.
func NewServer(cfg Config, streams ...*Stream) (*Server, error) {
	if cfg.Name == "" {
		cfg.Name = "lenslet"
	}
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = time.Minute
	}
	pair, err := listenPair()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, udp: pair, streams: map[string]*Stream{}, stops: make(chan struct{}),
		sessions: map[string]*session{}, byRTCP: map[netip.AddrPort]*session{}, conns: map[*conn]struct{}{},
	}
	for _, stream := range streams {
		if err := stream.attach(pair); err != nil {
			pair.close()
			return nil, err
		}
		s.streams[stream.cfg.Path] = stream
	}
	return s, nil
}

// Serve answers until ctx ends; then every viewer gets a BYE, and nothing is
// left behind. It takes the listeners over. An error means that a listener
// failed before.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
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
	all.Go(func() { s.udp.read(s.udp.rtcp, s.rtcpFrom) })
	all.Go(func() { s.udp.read(s.udp.rtp, func(netip.AddrPort, []byte) {}) }) // what viewers send to open a firewall
	all.Go(func() { s.tick(ctx) })

	<-ctx.Done()
	for _, l := range listeners {
		_ = l.Close()
	}
	s.shutdown()
	s.udp.close()
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (s *Server) accept(ctx context.Context, l net.Listener, all *sync.WaitGroup) error {
	for {
		nc, err := l.Accept()
		switch {
		case ctx.Err() != nil:
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
	if !s.closed {
		s.conns[c] = struct{}{}
	}
	return !s.closed
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// shutdown says BYE to every viewer and ends every connection.
func (s *Server) shutdown() {
	close(s.stops)
	s.mu.Lock()
	s.closed = true
	sessions := make([]*session, 0, len(s.sessions))
	for _, ses := range s.sessions {
		sessions = append(sessions, ses)
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, ses := range sessions {
		s.end(ses, "the camera stops")
	}
	for _, c := range conns {
		c.hangUp()
	}
}

// newSession makes a session that knows of no transport yet.
func (s *Server) newSession(stream *Stream, c *conn) *session {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	ses := &session{id: hex.EncodeToString(id[:]), stream: stream, from: c.remote, timeout: s.cfg.SessionTimeout}
	ses.touch()
	return ses
}

// add makes a session known under its id, and under its RTCP address. A
// session that had the same address before is over: its viewer has left the
// port, and two streams must not mix there.
func (s *Server) add(ses *session) bool {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	s.sessions[ses.id] = ses
	var old *session
	if ses.rtcpAddr.IsValid() {
		old, s.byRTCP[ses.rtcpAddr] = s.byRTCP[ses.rtcpAddr], ses
	}
	s.mu.Unlock()
	if old != nil && old != ses {
		old.stream.pause(old.viewer.Load()) // a BYE would reach the new viewer
		s.end(old, "another viewer has its port")
	}
	return true
}

// forget takes a session's RTCP address away before it gets another transport.
func (s *Server) forget(ses *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byRTCP[ses.rtcpAddr] == ses {
		delete(s.byRTCP, ses.rtcpAddr)
	}
}

func (s *Server) session(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// end takes a session out of everything, with a BYE if it was playing. Ending
// twice does nothing.
func (s *Server) end(ses *session, why string) {
	s.mu.Lock()
	_, known := s.sessions[ses.id]
	delete(s.sessions, ses.id)
	if s.byRTCP[ses.rtcpAddr] == ses {
		delete(s.byRTCP, ses.rtcpAddr)
	}
	s.mu.Unlock()
	if !known {
		return
	}
	ses.mu.Lock()
	ses.state = stateInit
	ses.mu.Unlock()
	if v := ses.viewer.Load(); v != nil && ses.stream.remove(v) {
		s.cfg.Log.Info("viewer left", "viewer", ses.from.Addr(), "stream", ses.stream.cfg.Path, "why", why)
	}
}

// rtcpFrom takes an RTCP packet from a UDP viewer: a sign of life, and news.
func (s *Server) rtcpFrom(from netip.AddrPort, packet []byte) {
	s.mu.Lock()
	ses := s.byRTCP[from]
	s.mu.Unlock()
	if ses != nil {
		s.feedback(ses, packet)
	}
}

func (s *Server) feedback(ses *session, packet []byte) {
	ses.touch()
	if v := ses.viewer.Load(); v != nil && ses.stream.feedback(v, packet) {
		s.end(ses, "the viewer said BYE")
	}
}
