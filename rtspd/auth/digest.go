package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
)

// The algorithms of Digest that are known here. With -sess the password's hash
// is bound to the first nonce (RFC 7616 section 3.4.2).
const (
	SHA256     = "SHA-256"
	SHA256Sess = "SHA-256-sess"
	MD5        = "MD5" // for players that know nothing better
	MD5Sess    = "MD5-sess"
)

// hashOf is the hash function of an algorithm; "" means MD5 (RFC 2069). nil:
// it is not known.
func hashOf(algorithm string) (newHash func() hash.Hash, session bool) {
	switch strings.ToUpper(algorithm) {
	case "", "MD5":
		return md5.New, false
	case "MD5-SESS":
		return md5.New, true
	case "SHA-256":
		return sha256.New, false
	case "SHA-256-SESS":
		return sha256.New, true
	}
	return nil, false
}

// response computes the response of Digest credentials for a password (RFC 7616
// section 3.4.1; without qop RFC 2069 section 2.1.2). False: the algorithm or
// the quality of protection is not known.
func (c *Credentials) response(method, password string) (string, bool) {
	newHash, session := hashOf(c.Algorithm)
	if newHash == nil || (c.QOP != "" && !strings.EqualFold(c.QOP, "auth")) {
		return "", false
	}
	sum := func(parts ...string) string {
		h := newHash()
		h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	a1 := sum(c.User, c.Realm, password)
	if session {
		a1 = sum(a1, c.Nonce, c.CNonce)
	}
	a2 := sum(method, c.URI)
	if c.QOP == "" {
		return sum(a1, c.Nonce, a2), true
	}
	return sum(a1, c.Nonce, c.NC, c.CNonce, c.QOP, a2), true
}
