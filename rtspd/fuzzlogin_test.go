package rtspd

import (
	"fmt"

	"lenslet/rtspd/auth"
)

// A guard makes the credentials of a fuzzed client: right ones, and others.
type guard struct {
	verifier      *auth.Verifier
	viewer, admin auth.Client
	challenges    []string
	last          string       // the header that was sent last
	strangers     map[int]bool // requests by CSeq that nobody may be known by
}

// credentials are those of the next request; a byte says whose.
func (s *script) credentials(method, url string) string {
	g := s.guard
	if g == nil {
		return ""
	}
	answer := func(a *auth.Client) string {
		header, err := a.Answer(g.challenges, method, url, false)
		if err != nil {
			panic(err) // the challenges are the server's
		}
		return header
	}
	who := s.take() % 9
	if who == 2 || g.challenges == nil { // new nonces
		g.challenges = g.verifier.Challenges(addrPort(pipeConn{}.RemoteAddr()), false, false)
		g.viewer, g.admin = auth.Client{User: "viewer", Password: "look-7531"}, auth.Client{User: "admin", Password: "change-8642"}
	}
	g.strangers[len(s.cseqs)] = who == 3 || who == 5 || who == 7 || (who == 0 && method != "OPTIONS")
	header := g.last // also one of another request
	switch who {
	case 0:
		return ""
	case 1:
		header = answer(&g.viewer)
	case 2:
		header = answer(&g.admin)
	case 3:
		header = answer(&auth.Client{User: "viewer", Password: "guess"})
	case 4:
		header = answer(&auth.Client{User: s.text(), Password: "look-7531"})
	case 5:
		header = "Basic dmlld2VyOmxvb2stNzUzMQ==" // right, but in clear
	case 6:
		header = s.text()
	case 7:
		header = fmt.Sprintf(`Digest username="viewer", realm="Front door", nonce="%s", uri="%s", response="x"`, s.text(), url)
	}
	g.last = header
	return "Authorization: " + header + "\r\n"
}

// forgive forgets the wrong passwords that came.
func (l *lab) forgive() {
	l.srv.logins.mu.Lock()
	defer l.srv.logins.mu.Unlock()
	clear(l.srv.logins.from)
}
