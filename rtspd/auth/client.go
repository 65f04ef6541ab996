package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// A Client answers challenges for one user. It counts how often it used a
// nonce, so one Client serves one connection, or several one after the other.
type Client struct {
	User, Password string

	mu     sync.Mutex
	nonce  string // the one that count belongs to
	count  uint32 // answers to nonce so far
	cnonce string
}

// Answer gives the value of Authorization for a request: the method and the URL
// as the request line has them. The challenges are all values of
// WWW-Authenticate of the last 401; the best one is taken: SHA-256, then MD5,
// then, only where secure tells that nobody can listen, Basic. The same
// challenges serve the following requests too, until another 401 comes. An
// error means that none of them can be answered, and says why.
func (c *Client) Answer(challenges []string, method, uri string, secure bool) (header string, err error) {
	best, strength, asksBasic := Challenge{}, 0, false
	for _, value := range challenges {
		offers, err := ParseChallenges(value)
		if err != nil {
			continue // another value may be better
		}
		for _, offer := range offers {
			if s := strengthOf(offer); s > strength {
				best, strength = offer, s
			}
			asksBasic = asksBasic || strings.EqualFold(offer.Scheme, "Basic")
		}
	}
	switch {
	case strength > 0:
		return c.digest(best, method, uri), nil
	case asksBasic && secure:
		return Credentials{Scheme: "Basic", User: c.User, Password: c.Password}.String(), nil
	case asksBasic:
		return "", errors.New("the server asks for the password in the clear, over a connection that anybody can listen to")
	}
	return "", fmt.Errorf("the server offers no authentication that is known here: %.80q", strings.Join(challenges, ", "))
}

// strengthOf puts the challenges of Digest in order; 0 is one that cannot be
// answered.
func strengthOf(offer Challenge) int {
	newHash, _ := hashOf(offer.Algorithm)
	if !strings.EqualFold(offer.Scheme, "Digest") || newHash == nil || offer.Nonce == "" || (offer.QOP != "" && !offersAuth(offer.QOP)) {
		return 0
	}
	if newHash().Size() > 16 {
		return 2
	}
	return 1
}

func offersAuth(qop string) bool {
	for q := range strings.SplitSeq(qop, ",") {
		if strings.EqualFold(strings.TrimSpace(q), "auth") {
			return true
		}
	}
	return false
}

func (c *Client) digest(offer Challenge, method, uri string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if offer.Nonce != c.nonce || c.cnonce == "" {
		c.nonce, c.count, c.cnonce = offer.Nonce, 0, rand.Text()
	}
	answer := Credentials{
		Scheme: "Digest", User: c.User, Realm: offer.Realm, Nonce: offer.Nonce, URI: uri,
		Algorithm: offer.Algorithm, Opaque: offer.Opaque,
	}
	if _, session := hashOf(offer.Algorithm); session || offer.QOP != "" {
		answer.CNonce = c.cnonce
	}
	if offer.QOP != "" {
		c.count++
		answer.QOP, answer.NC = "auth", fmt.Sprintf("%08x", c.count)
	}
	answer.Response, _ = answer.response(method, c.Password) // strengthOf knew the algorithm
	return answer.String()
}
