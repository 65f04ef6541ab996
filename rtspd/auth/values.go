package auth

import (
	"encoding/base64"
	"errors"
	"strings"
)

// A Challenge is one way to prove who one is, as WWW-Authenticate offers it.
type Challenge struct {
	Scheme    string // "Digest" or "Basic"; others are given as they came
	Realm     string // what the password is for, to be shown
	Nonce     string // Digest
	Opaque    string // Digest: to be sent back; "" if none
	Algorithm string // Digest: one of the constants, or another; "" means MD5
	QOP       string // Digest: a list such as "auth,auth-int"; "" means RFC 2069
	Stale     bool   // Digest: the password was right, but the nonce too old
}

// ParseChallenges reads one value of WWW-Authenticate, which may have several
// challenges. A value that is not of that form is an error.
func ParseChallenges(value string) ([]Challenge, error) {
	sections, err := parse(value)
	if err != nil {
		return nil, err
	}
	all := make([]Challenge, len(sections))
	for i, s := range sections {
		all[i] = Challenge{
			Scheme: s.scheme, Realm: s.get("realm"), Nonce: s.get("nonce"), Opaque: s.get("opaque"),
			Algorithm: s.get("algorithm"), QOP: s.get("qop"), Stale: strings.EqualFold(s.get("stale"), "true"),
		}
	}
	return all, nil
}

// String writes the challenge as a value of WWW-Authenticate. The order is the
// one that live555 looks for: realm, nonce, stale.
func (c Challenge) String() string {
	s := section{scheme: c.Scheme, params: []param{{"realm", c.Realm, false}}}
	if strings.EqualFold(c.Scheme, "Basic") {
		return s.String()
	}
	add := func(name, value string, bare bool) {
		if value != "" {
			s.params = append(s.params, param{name, value, bare && isWord(value)})
		}
	}
	add("nonce", c.Nonce, false)
	if c.Stale {
		add("stale", "true", true)
	}
	add("algorithm", c.Algorithm, true)
	add("qop", c.QOP, false)
	add("opaque", c.Opaque, false)
	return s.String()
}

// Credentials are what Authorization has.
type Credentials struct {
	Scheme    string // "Digest" or "Basic", as it came
	User      string
	Password  string // Basic
	Realm     string // Digest, and all below
	Nonce     string
	URI       string // what the request is for
	Response  string // hexadecimal
	Algorithm string // "" means MD5
	QOP       string // "auth"; "" means RFC 2069
	NC        string // the nonce's count: 8 hexadecimal digits, with QOP
	CNonce    string // of the client
	Opaque    string
}

var errNotBasic = errors.New("the Basic credentials cannot be read")

// ParseCredentials reads the value of Authorization. It is an error when it is
// not of that form, has a parameter twice or more than one scheme.
func ParseCredentials(value string) (Credentials, error) {
	sections, err := parse(value)
	if err != nil || len(sections) != 1 || sections[0].twice() {
		return Credentials{}, errSyntax
	}
	s := sections[0]
	if strings.EqualFold(s.scheme, "Basic") {
		text, err := base64.StdEncoding.DecodeString(s.token)
		user, password, ok := strings.Cut(string(text), ":")
		if err != nil || !ok {
			return Credentials{}, errNotBasic
		}
		return Credentials{Scheme: s.scheme, User: user, Password: password}, nil
	}
	return Credentials{
		Scheme: s.scheme, User: s.get("username"), Realm: s.get("realm"), Nonce: s.get("nonce"), URI: s.get("uri"),
		Response: s.get("response"), Algorithm: s.get("algorithm"), QOP: s.get("qop"), NC: s.get("nc"),
		CNonce: s.get("cnonce"), Opaque: s.get("opaque"),
	}, nil
}

// String writes the value of Authorization. Of Basic the user's name has no
// colon (RFC 7617 section 2).
func (c Credentials) String() string {
	if strings.EqualFold(c.Scheme, "Basic") {
		s := section{scheme: c.Scheme, token: base64.StdEncoding.EncodeToString([]byte(c.User + ":" + c.Password))}
		return s.String()
	}
	s := section{scheme: c.Scheme, params: []param{
		{"username", c.User, false}, {"realm", c.Realm, false}, {"nonce", c.Nonce, false},
		{"uri", c.URI, false}, {"response", c.Response, false},
	}}
	for _, p := range []param{
		{"algorithm", c.Algorithm, true}, {"qop", c.QOP, true}, {"nc", c.NC, true},
		{"cnonce", c.CNonce, false}, {"opaque", c.Opaque, false},
	} {
		if p.value != "" {
			p.bare = p.bare && isWord(p.value)
			s.params = append(s.params, p)
		}
	}
	return s.String()
}

// isWord tells whether s needs no quotes.
func isWord(s string) bool {
	token, rest := cutToken(s)
	return token != "" && rest == ""
}
