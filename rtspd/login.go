package rtspd

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"lenslet/rtspd/auth"
	"lenslet/rtspd/wire"
)

// A Role says what a user may do.
type Role int

// The roles.
const (
	RoleViewer Role = iota // watch, and read parameters
	RoleAdmin              // change parameters too
)

// A User may log in.
type User struct {
	Name     string // without a colon, which Basic cannot carry
	Password string
	Role     Role
}

// newVerifier is nil where everyone may do everything.
func newVerifier(cfg *Config) (*auth.Verifier, map[string]Role) {
	if cfg.Users == nil {
		return nil, nil
	}
	passwords, roles := map[string]string{}, map[string]Role{}
	for _, u := range cfg.Users {
		passwords[u.Name], roles[u.Name] = u.Password, u.Role
	}
	return auth.NewVerifier(cfg.Realm, passwords, cfg.NonceLifetime), roles
}

// authenticate finds out who asks. An answer refuses; it tells who is not
// known nothing about streams and sessions. OPTIONS is answered to everyone, but
// for a request that names a session or has credentials: these are looked at,
// lest OPTIONS keeps another's session alive or tries passwords.
func (c *conn) authenticate(r *request) *wire.Response {
	s := c.srv
	credentials := r.Header.Values("Authorization")
	switch {
	case s.verifier == nil:
		c.proved, r.role = true, RoleAdmin
		return nil
	case r.Method == "OPTIONS" && len(credentials) == 0 && !r.Header.Has("Session"):
		r.anonymous = true
		return nil
	}
	user, err := s.verifier.Verify(auth.Attempt{
		Authorization: credentials, Method: r.Method, URL: r.URL, Peer: c.remote, Secure: c.secure,
	})
	// Whom this connection belongs to already goes on, whatever others do from
	// the same address; another user's password cannot be tried that way.
	if !c.proved || user != c.user {
		if wait := s.logins.refused(origin(c.remote.Addr()), monotonic()); wait > 0 {
			return busy(wait, "too many wrong passwords came from this address")
		}
	}
	switch {
	case err == nil:
		c.proved, c.user = true, user
		r.user, r.role = user, s.roles[user]
		return nil
	case errors.Is(err, auth.ErrStale):
		c.keepAlive(r, user)
	case errors.Is(err, auth.ErrWrong):
		c.failed()
	}
	res := plain(wire.Unauthorized, "this camera wants the name of a user and the password")
	for _, challenge := range s.verifier.Challenges(c.remote, c.secure, errors.Is(err, auth.ErrStale)) {
		res.Header.Add("WWW-Authenticate", challenge)
	}
	return res
}

// keepAlive takes a request whose nonce is used up for a sign of life: GStreamer
// and live555 do not look at the answers to what they send to keep a session.
func (c *conn) keepAlive(r *request, user string) {
	id, _, err := wire.ParseSession(r.Header.Get("Session"))
	if ses := c.srv.session(id); err == nil && user != "" && ses != nil && ses.user == user {
		ses.touch()
	}
}

// failed lets whoever tries passwords wait, the longer the more often.
func (c *conn) failed() {
	delay, refused := c.srv.logins.fail(origin(c.remote.Addr()), monotonic())
	c.srv.cfg.Log.Warn("wrong password", "viewer", c.remote.Addr(), "refused", refused)
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.gone:
	}
}

const (
	failureSpan = time.Minute            // in which failures count, and that a refusal lasts
	failureStep = 200 * time.Millisecond // of delay for each
	failureMost = 2 * time.Second        // of delay
	failureKept = 1024                   // addresses
)

// logins counts wrong passwords by address.
type logins struct {
	limit int
	step  time.Duration

	mu   sync.Mutex
	from map[netip.Addr]failures
}

type failures struct {
	count        int
	since, until time.Duration // the first one; the end of the refusal, 0 if there is none
}

// fail counts one more. It tells how long its answer is to wait, and whether
// those that follow are refused.
func (l *logins) fail(from netip.Addr, now time.Duration) (delay time.Duration, refused bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.from[from]
	if !ok && len(l.from) >= failureKept {
		l.forget(now)
	}
	if !ok || f.over(now) {
		f = failures{since: now}
	}
	f.count++
	if f.count >= l.limit {
		f.until = now + failureSpan
	}
	l.from[from] = f
	return min(time.Duration(f.count)*l.step, failureMost), f.until > now
}

// over tells whether they count no more.
func (f failures) over(now time.Duration) bool {
	return now >= max(f.until, f.since+failureSpan)
}

// forget makes room: for what counts no more, or for the one that began first.
func (l *logins) forget(now time.Duration) {
	var oldest netip.Addr
	for a, f := range l.from {
		if f.over(now) {
			delete(l.from, a)
		} else if !oldest.IsValid() || f.since < l.from[oldest].since {
			oldest = a
		}
	}
	if len(l.from) >= failureKept {
		delete(l.from, oldest)
	}
}

// refused is how long an address is still refused, 0 if it is not.
func (l *logins) refused(from netip.Addr, now time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, l.from[from].until-now)
}
