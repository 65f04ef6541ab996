package rtspd

import (
	"context"
	"maps"
	"slices"
	"time"
)

// reportInterval is the time between sender reports of a session; RFC 3550 6.2
// recommends 5 s as the least for a session of average bandwidth.
const reportInterval = 5 * time.Second

// tick sends due reports and ends silent sessions, once a second for all, and has
// the codec follow what the networks carry: it alone waits for the codec.
func (s *Server) tick(ctx context.Context) {
	t := time.NewTicker(s.pass)
	defer t.Stop()
	var calm calm
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.fell:
			for _, stream := range s.order {
				if stream.fell() {
					stream.follow(monotonic(), s.cfg.Log)
				}
			}
		case <-t.C:
			s.sweep(monotonic(), time.Now())
			s.mu.Lock()
			sessions := len(s.sessions)
			s.mu.Unlock()
			if calm.settled(sessions, s.changes.Load()) && s.cfg.Settled != nil {
				s.cfg.Settled()
			}
		}
	}
}

// A calm knows whether the number of sessions, or of changes of parameters, has
// changed: a new resolution leaves the pictures of the old one behind.
type calm struct {
	sessions int
	changes  uint64
	stirred  bool
}

// settled is told the numbers again and again, and true when they stay as they were
// for the first time after a change.
func (c *calm) settled(sessions int, changes uint64) bool {
	if sessions != c.sessions || changes != c.changes {
		c.sessions, c.changes, c.stirred = sessions, changes, true
		return false
	}
	was := c.stirred
	c.stirred = false
	return was
}

// sweep does what is due at an instant, given by both clocks.
func (s *Server) sweep(now time.Duration, wall time.Time) {
	s.mu.Lock()
	var silent []*session
	for _, ses := range s.sessions {
		if ses.silent(now) > ses.timeout {
			silent = append(silent, ses)
		}
	}
	s.mu.Unlock()
	for _, ses := range silent {
		s.end(ses, "no sign of life", true)
		if v := ses.viewer.Load(); v.conn != nil {
			v.conn.hangUp()
		}
	}
	s.expire(now)
	for _, ses := range s.everySession() {
		ses.poll(now)
		ses.update(now)
	}
	for _, stream := range s.streams {
		stream.report(now, wall)
		for _, v := range stream.losers(now) {
			s.cfg.Log.Info("packets to a viewer are paced: its reports show loss, or there was no room to send", "viewer", v, "stream", stream.cfg.Path)
		}
		stream.follow(now, s.cfg.Log)
	}
}

// expire gives up on clients that leave a request without an answer.
func (s *Server) expire(now time.Duration) {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range conns {
		c.asker.expire(now)
	}
}
