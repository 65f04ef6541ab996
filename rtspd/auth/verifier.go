package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Why Verify does not know who asks.
var (
	ErrMissing = errors.New("no credentials")
	ErrWrong   = errors.New("wrong credentials")
	ErrStale   = errors.New("right credentials, but for a nonce that is used up")
)

// A Verifier knows the users' passwords and checks credentials against them.
// It may be used by several goroutines.
type Verifier struct {
	realm     string
	passwords map[string]string // by user
	nonces    *nonces
}

// An Attempt is a request whose sender says who it is.
type Attempt struct {
	Authorization []string       // all values of the header
	Method, URL   string         // of the request line, as they came
	Peer          netip.AddrPort // the far end of the connection
	Secure        bool           // nobody can listen: Basic will do
}

// NewVerifier takes the users' passwords by their names, and how long a nonce
// serves. In the realm quotes and backslashes become apostrophes and slashes:
// players read it in ways of their own.
func NewVerifier(realm string, passwords map[string]string, lifetime time.Duration) *Verifier {
	realm = strings.NewReplacer(`"`, "'", `\`, "/").Replace(realm)
	return &Verifier{realm: realm, passwords: passwords, nonces: newNonces(lifetime)}
}

// Challenges gives the values of WWW-Authenticate for a 401, each for a field of
// its own. SHA-256 comes first, since RFC 7616 section 3.7 lets the client take
// the first that it knows; FFmpeg, GStreamer and live555 take the last, and
// know MD5 only.
func (v *Verifier) Challenges(peer netip.AddrPort, secure, stale bool) []string {
	var all []string
	if secure { // first, so that it is nobody's last
		all = append(all, Challenge{Scheme: "Basic", Realm: v.realm}.String())
	}
	for _, algorithm := range []string{SHA256, MD5} {
		c := Challenge{Scheme: "Digest", Realm: v.realm, Nonce: v.nonces.issue(peer), Stale: stale, Algorithm: algorithm, QOP: "auth"}
		all = append(all, c.String())
	}
	return all
}

// Verify tells who asks. The error is ErrMissing, ErrWrong or ErrStale; with
// ErrStale user is the one who would be right, if the nonce was made here for
// this connection, else "".
func (v *Verifier) Verify(a Attempt) (user string, err error) {
	if len(a.Authorization) == 0 {
		return "", ErrMissing
	}
	c, err := ParseCredentials(a.Authorization[0])
	if err != nil || len(a.Authorization) > 1 {
		return "", ErrWrong
	}
	switch strings.ToLower(c.Scheme) {
	case "digest":
		return v.digest(&c, a)
	case "basic":
		if a.Secure && v.basic(&c) {
			return c.User, nil
		}
	}
	return "", ErrWrong
}

// basic compares hashes, which are of one length. For a user that does not
// exist it does the same work.
func (v *Verifier) basic(c *Credentials) bool {
	password, known := v.passwords[c.User]
	given, right := sha256.Sum256([]byte(c.Password)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(given[:], right[:]) == 1 && known
}

// digest looks at the nonce last: that one is used up is told only to who knows
// the password.
func (v *Verifier) digest(c *Credentials, a Attempt) (string, error) {
	password, known := v.passwords[c.User]
	right, ok := c.response(a.Method, password)
	same := subtle.ConstantTimeCompare([]byte(strings.ToLower(c.Response)), []byte(right)) == 1
	count, counts := c.count()
	if !known || !ok || !same || !counts || c.Realm != v.realm || !covers(c.URI, a.URL) {
		return "", ErrWrong
	}
	issued, ours := v.nonces.issued(c.Nonce, a.Peer)
	switch {
	case !ours: // of a run or a connection before this one
		return "", ErrStale
	case !v.nonces.fresh(c.Nonce, issued, count):
		return c.User, ErrStale
	}
	return c.User, nil
}

// count is the nonce's count, 0 for clients that do not count: GStreamer,
// live555. False: it is missing, though it belongs to what qop promises.
func (c *Credentials) count() (n uint64, ok bool) {
	if c.QOP == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(c.NC, 16, 32)
	return n, err == nil && n > 0 && c.CNonce != ""
}
