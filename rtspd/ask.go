package rtspd

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"lenslet/rtspd/wire"
)

const (
	askLimit = 10 * time.Second // that a client has for its answer
	askMost  = 16               // requests without an answer; one who leaves more gets none
)

var (
	errNoAnswer = errors.New("the client did not answer in time")
	errLeft     = errors.New("the connection ended before the client answered")
)

// An asker sends requests to the client of a connection, and finds the answers
// to them by their CSeq, which it counts by itself (RFC 2326 12.17).
type asker struct {
	mu      sync.Mutex // taken after Stream's lock and before the outbox's
	willing bool       // the client takes requests
	ended   bool       // the connection has; nothing is asked any more
	cseq    int        // of the last request
	open    map[int]question
}

// A question waits for its answer.
type question struct {
	until time.Duration // CLOCK_MONOTONIC
	done  func(*wire.Response, error)
}

// optIn notes whether the client takes requests.
func (a *asker) optIn(willing bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.willing = willing
}

// takesRequests tells whether the client does, and is still there.
func (a *asker) takesRequests() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.willing && !a.ended
}

// ask sends a request to the client, behind what its outbox holds already, and
// waits for nobody. done, which may be nil, is called once: with the answer,
// whatever its status, or with an error when none comes in time or the
// connection ends. It runs without a lock held, and must not block. False: the
// client takes no requests, and done is not called. An empty version is 1.0.
func (c *conn) ask(req *wire.Request, done func(*wire.Response, error)) bool {
	a := &c.asker
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.willing || a.ended || len(a.open) >= askMost {
		return false
	}
	a.cseq++
	if a.open == nil {
		a.open = map[int]question{}
	}
	if done == nil {
		done = func(*wire.Response, error) {}
	}
	a.open[a.cseq] = question{monotonic() + askLimit, done}
	sent := *req
	sent.Header = append(wire.Header{{Name: "CSeq", Value: strconv.Itoa(a.cseq)}, {Name: "Date", Value: date(time.Now())}}, req.Header...)
	c.out.send(sent.Append(nil)) // with the lock, so that the numbers rise on the wire too
	return true
}

// answered takes an answer of the client. One to nothing that was asked is
// passed over.
func (a *asker) answered(res *wire.Response) {
	cseq, err := strconv.Atoi(res.Header.Get("CSeq"))
	if err != nil || res.Status < wire.OK { // 1xx: the answer is still to come
		return
	}
	a.mu.Lock()
	q, ok := a.open[cseq]
	delete(a.open, cseq)
	a.mu.Unlock()
	if ok {
		q.done(res, nil)
	}
}

// expire gives up on the answers that did not come in time.
func (a *asker) expire(now time.Duration) {
	a.giveUp(errNoAnswer, func(q question) bool { return now > q.until })
}

// end gives up on all answers: the connection has ended.
func (a *asker) end() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.giveUp(errLeft, func(question) bool { return true })
}

func (a *asker) giveUp(err error, which func(question) bool) {
	var late []question
	a.mu.Lock()
	for cseq, q := range a.open {
		if which(q) {
			late = append(late, q)
			delete(a.open, cseq)
		}
	}
	a.mu.Unlock()
	for _, q := range late {
		q.done(nil, err)
	}
}

// carry notes that a request of the session came in this connection: requests to
// the client go the same way. One that takes them is not given up for one that
// does not.
func (s *session) carry(c *conn) {
	if now := s.control.Load(); now == nil || c.asker.takesRequests() || !now.asker.takesRequests() {
		s.control.Store(c)
	}
}

// ask sends a request to the client of a session, whose id it adds;
// any answer is a sign of life. See conn.ask.
func (s *session) ask(req *wire.Request, done func(*wire.Response, error)) bool {
	c := s.control.Load()
	if c == nil || s.ended() {
		return false
	}
	sent := *req
	if s.v2 {
		sent.Version = wire.Version20
	}
	sent.Header = append(wire.Header{{Name: "Session", Value: s.id}}, req.Header...)
	return c.ask(&sent, func(res *wire.Response, err error) {
		if err == nil {
			s.touch()
		}
		if done != nil {
			done(res, err)
		}
	})
}
