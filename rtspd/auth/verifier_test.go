package auth

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var peer = netip.MustParseAddrPort("192.0.2.7:4711")

const streamURL = "rtsp://cam:8554/main"

// newTestVerifier has two users, and a clock that the test turns.
func newTestVerifier() (*Verifier, *time.Duration) {
	v := NewVerifier("cam", map[string]string{"viewer": "look", "admin": "change"}, 5*time.Minute)
	clock := time.Hour
	v.nonces.now = func() time.Duration { return clock }
	return v, &clock
}

// attempt is a request whose credentials a client made for the challenges.
func attempt(t *testing.T, c *Client, challenges []string, method, url string) Attempt {
	t.Helper()
	header, err := c.Answer(challenges, method, url, false)
	if err != nil {
		t.Fatal(err)
	}
	return Attempt{Authorization: []string{header}, Method: method, URL: url, Peer: peer}
}

func (a Attempt) check(t *testing.T, v *Verifier, name, user string, want error) {
	t.Helper()
	if got, err := v.Verify(a); got != user || !errors.Is(err, want) {
		t.Errorf("%s: %q, %v, want %q, %v", name, got, err, user, want)
	}
}

func TestChallenges(t *testing.T) {
	v := NewVerifier(`Joe's "cam" \ door`, nil, time.Minute)
	for _, secure := range []bool{false, true} {
		all := v.Challenges(peer, secure, true)
		if secure {
			if all[0] != `Basic realm="Joe's 'cam' / door"` {
				t.Errorf("over TLS: %s", all[0])
			}
			all = all[1:]
		}
		if len(all) != 2 || strings.Contains(strings.Join(all, " "), "Basic") {
			t.Fatalf("secure %v: %q", secure, all)
		}
		for i, algorithm := range []string{"SHA-256", "MD5"} {
			got, err := ParseChallenges(all[i])
			if err != nil || len(got) != 1 || got[0].Algorithm != algorithm || got[0].QOP != "auth" || !got[0].Stale || got[0].Realm != "Joe's 'cam' / door" {
				t.Errorf("%s: %+v, %v", all[i], got, err)
			}
		}
	}
	if got, _ := ParseChallenges(v.Challenges(peer, false, false)[1]); got[0].Stale {
		t.Error("a first challenge is stale")
	}
}

func TestVerifyDigest(t *testing.T) {
	v, _ := newTestVerifier()
	both := v.Challenges(peer, false, false)
	for name, challenges := range map[string][]string{
		"SHA-256": both[:1], "MD5": both[1:], "both": both,
		"without qop": {strings.ReplaceAll(both[1], `, qop="auth"`, "")},
		"RFC 2069":    {strings.ReplaceAll(both[1], `, algorithm=MD5, qop="auth"`, "")},
		// go2rtc (Frigate, Home Assistant) takes the first nonce, and MD5 for granted
		"the first as RFC 2069": {strings.ReplaceAll(both[0], `, algorithm=SHA-256, qop="auth"`, "")},
		"MD5-sess":              {strings.ReplaceAll(both[1], "MD5", "MD5-sess")},
		"SHA-256-sess":          {strings.ReplaceAll(both[0], "SHA-256", "SHA-256-sess")},
	} {
		challenges = append([]string{}, challenges...)
		for _, c := range []*Client{{User: "viewer", Password: "look"}, {User: "admin", Password: "change"}} {
			fresh := v.Challenges(peer, false, false)
			for i := range challenges { // a nonce of its own for each
				old, _ := ParseChallenges(challenges[i])
				young, _ := ParseChallenges(fresh[i])
				challenges[i] = strings.ReplaceAll(challenges[i], old[0].Nonce, young[0].Nonce)
			}
			for range 3 {
				attempt(t, c, challenges, "DESCRIBE", streamURL).check(t, v, name, c.User, nil)
			}
		}
		for _, c := range []*Client{{User: "viewer", Password: "change"}, {User: "viewer"}, {User: "nobody", Password: "look"}, {User: "nobody"}, {}, {User: "Viewer", Password: "look"}} {
			attempt(t, c, challenges, "DESCRIBE", streamURL).check(t, v, name+", wrong "+c.User, "", ErrWrong)
		}
	}
}

// Every part of the credentials counts.
func TestVerifyRefuses(t *testing.T) {
	v, _ := newTestVerifier()
	change := func(of, to string) func(*Attempt) {
		return func(a *Attempt) {
			changed := strings.Replace(a.Authorization[0], of, to, 1)
			if changed == a.Authorization[0] {
				panic(of + " is not in " + changed)
			}
			a.Authorization[0] = changed
		}
	}
	tests := []struct {
		name   string
		change func(*Attempt)
		want   error
	}{
		{"nothing changed", func(*Attempt) {}, nil},
		{"no credentials", func(a *Attempt) { a.Authorization = nil }, ErrMissing},
		{"empty ones", func(a *Attempt) { a.Authorization[0] = "" }, ErrWrong},
		{"two of them", func(a *Attempt) { a.Authorization = append(a.Authorization, a.Authorization[0]) }, ErrWrong},
		{"another scheme", change("Digest", "Digset"), ErrWrong},
		{"another method", func(a *Attempt) { a.Method = "TEARDOWN" }, ErrWrong},
		{"a method in lower case", func(a *Attempt) { a.Method = "describe" }, ErrWrong},
		{"another stream", func(a *Attempt) { a.URL = "rtsp://cam:8554/side" }, ErrWrong},
		{"another host", func(a *Attempt) { a.URL = "rtsp://cam2:8554/main" }, ErrWrong},
		{"all streams", func(a *Attempt) { a.URL = "*" }, ErrWrong},
		{"another uri", change("8554/main", "8554/side"), ErrWrong},
		{"another user", change("viewer", "admin"), ErrWrong},
		{"another realm", change(`realm="cam"`, `realm="car"`), ErrWrong},
		{"another count", change("nc=00000001", "nc=00000002"), ErrWrong},
		{"no count", change("nc=00000001, ", ""), ErrWrong},
		{"a cnonce cut off", change(`cnonce="`, `cnonce="x`), ErrWrong},
		{"another algorithm", change("SHA-256", "MD5"), ErrWrong},
		{"an unknown algorithm", change("SHA-256", "SHA-512-256"), ErrWrong},
		{"an unknown qop", change("qop=auth", "qop=auth-int"), ErrWrong},
		{"no qop", change("qop=auth, ", ""), ErrWrong},
		{"no response", change("response=", "odd="), ErrWrong},
		{"an empty response", func(a *Attempt) {
			a.Authorization[0] = `Digest username="viewer", realm="cam", nonce="x", uri="` + streamURL + `", response=""`
		}, ErrWrong},
		{"an open quote", func(a *Attempt) { a.Authorization[0] += `, x="` }, ErrWrong},
		{"a second user's name", func(a *Attempt) { a.Authorization[0] += `, username="admin"` }, ErrWrong},
		{"from another port", func(a *Attempt) { a.Peer = netip.AddrPortFrom(peer.Addr(), 4712) }, ErrStale},
		{"from another address", func(a *Attempt) { a.Peer = netip.MustParseAddrPort("192.0.2.8:4711") }, ErrStale},
	}
	for _, test := range tests {
		a := attempt(t, &Client{User: "viewer", Password: "look"}, v.Challenges(peer, false, false), "DESCRIBE", streamURL)
		test.change(&a)
		user := ""
		if test.want == nil {
			user = "viewer"
		}
		a.check(t, v, test.name, user, test.want)
	}
}

// Whoever knows the password learns that a nonce serves no more, nobody else.
func TestVerifyStale(t *testing.T) {
	v, clock := newTestVerifier()
	c, wrong := &Client{User: "viewer", Password: "look"}, &Client{User: "viewer", Password: "guess"}
	for name, qop := range map[string]string{"counting": "", "RFC 2069": `, qop="auth"`} {
		challenges := v.Challenges(peer, false, false)[1:]
		if qop != "" {
			challenges[0] = strings.ReplaceAll(challenges[0], qop, "")
		}
		*clock += 5 * time.Minute
		attempt(t, c, challenges, "PLAY", streamURL).check(t, v, name+" at the end of its life", "viewer", nil)
		*clock++
		attempt(t, c, challenges, "PLAY", streamURL).check(t, v, name+" after it", "viewer", ErrStale)
		attempt(t, wrong, challenges, "PLAY", streamURL).check(t, v, name+" after it, with a guess", "", ErrWrong)
	}
	other, _ := newTestVerifier()
	attempt(t, c, other.Challenges(peer, false, false), "PLAY", streamURL).check(t, v, "before a restart", "", ErrStale)
	for _, nonce := range []string{"", "abc", "!", strings.Repeat("A", 43), strings.Repeat("A", 44)} {
		if _, ours := v.nonces.issued(nonce, peer); ours {
			t.Errorf("%q is taken for our own", nonce)
		}
	}
	ours := v.nonces.issue(peer)
	if _, ok := v.nonces.issued(ours, peer); !ok {
		t.Error("its own nonce is not known")
	}
	last := ours[len(ours)-1]
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if _, ok := v.nonces.issued(ours[:len(ours)-1]+string(c), peer); ok != (byte(c) == last) {
			t.Errorf("a nonce that ends with %c instead of %c: %v", c, last, ok)
		}
	}
}

// A count serves once, and none below it.
func TestVerifyCounts(t *testing.T) {
	v, _ := newTestVerifier()
	c := &Client{User: "viewer", Password: "look"}
	challenges := v.Challenges(peer, false, false)
	first, second, third := attempt(t, c, challenges, "PLAY", streamURL), attempt(t, c, challenges, "PAUSE", streamURL), attempt(t, c, challenges, "PLAY", streamURL)
	first.check(t, v, "first", "viewer", nil)
	first.check(t, v, "first again", "viewer", ErrStale)
	third.check(t, v, "third, one left out", "viewer", nil)
	second.check(t, v, "second, late", "viewer", ErrStale)
	third.check(t, v, "third again", "viewer", ErrStale)
	attempt(t, c, challenges, "PLAY", streamURL).check(t, v, "fourth", "viewer", nil)
	for nc, want := range map[string]bool{"00000000": false, "": false, "g": false, "100000000": false, "-1": false, "a": true, "FFFFFFFF": true} {
		if _, ok := (&Credentials{QOP: "auth", NC: nc, CNonce: "c"}).count(); ok != want {
			t.Errorf("count %q: %v", nc, ok)
		}
	}
}

// The table of counts is bounded, and what it forgets is not taken again.
func TestVerifyForgetsNoCount(t *testing.T) {
	v, clock := newTestVerifier()
	c := &Client{User: "viewer", Password: "look"}
	var used []Attempt
	for range 3 * keptCounts {
		*clock += time.Millisecond
		a := attempt(t, c, v.Challenges(peer, false, false)[:1], "PLAY", streamURL)
		a.check(t, v, "once", "viewer", nil)
		if n := len(v.nonces.counts); n > keptCounts {
			t.Fatalf("%d counts are kept", n)
		}
		used = append(used, a)
	}
	for _, a := range used {
		a.check(t, v, "twice", "viewer", ErrStale)
	}
	*clock += time.Hour
	attempt(t, c, v.Challenges(peer, false, false), "PLAY", streamURL).check(t, v, "an hour later", "viewer", nil)
	if len(v.nonces.counts) > keptCounts {
		t.Error("too many counts are kept")
	}
}

// All at one instant: there is no older half.
func TestVerifyForgetsAtOnce(t *testing.T) {
	v, _ := newTestVerifier()
	issued := v.nonces.now()
	for i := range keptCounts {
		if !v.nonces.fresh(string(rune('A'+i)), issued, 1) {
			t.Fatal(i)
		}
	}
	if v.nonces.fresh("one more", issued, 1) {
		t.Error("taken though others of the same instant are forgotten")
	}
	if v.nonces.fresh("A", issued, 1) {
		t.Error("taken twice")
	}
}

func TestVerifyBasic(t *testing.T) {
	v, _ := newTestVerifier()
	tests := []struct {
		user, password string
		secure         bool
		want           error
	}{
		{"viewer", "look", true, nil},
		{"admin", "change", true, nil},
		{"viewer", "look", false, ErrWrong}, // in the clear
		{"viewer", "change", true, ErrWrong},
		{"viewer", "", true, ErrWrong},
		{"nobody", "", true, ErrWrong},
		{"", "", true, ErrWrong},
	}
	for _, test := range tests {
		header := Credentials{Scheme: "bAsic", User: test.user, Password: test.password}.String()
		want := test.user
		if test.want != nil {
			want = ""
		}
		Attempt{Authorization: []string{header}, Method: "DESCRIBE", URL: streamURL, Peer: peer, Secure: test.secure}.
			check(t, v, test.user+" "+test.password, want, test.want)
	}
}

func TestCovers(t *testing.T) {
	tests := []struct {
		uri, target string
		want        bool
	}{
		{"rtsp://cam/main", "rtsp://cam/main", true},
		{"*", "*", true},
		{"rtsp://cam/main/", "rtsp://cam/main", true},
		{"rtsp://cam/main", "rtsp://cam/main/", true},
		{"rtsp://cam/main/", "rtsp://cam/main/trackID=0", true}, // live555
		{"rtsp://cam/main", "rtsp://cam/main/trackID=0", true},
		{"/main", "rtsp://cam/main", true},
		{"/main/trackID=0", "rtsp://cam/main/trackID=0", true},
		{"rtsp://CAM:554/main", "rtsp://cam/main", true},
		{"rtsps://cam:322/main", "rtsps://cam/main", true},
		{"rtsp://joe:pw@cam/main", "rtsp://cam/main", true},
		{"rtsp://cam/main?a=1", "rtsp://cam/main?a=1", true},
		{"rtsp://[fe80::1]:8554/main", "rtsp://[fe80::1]:8554/main/", true},
		{"rtsp://cam/main?a=1", "rtsp://cam/main?a=2", false},
		{"rtsp://cam/main", "rtsp://cam/main?a=2", false},
		{"rtsp://cam/main/trackID=0", "rtsp://cam/main", false},
		{"rtsp://cam/", "rtsp://cam/main/trackID=0", true}, // of the presentation of all
		{"rtsp://cam/", "rtsp://cam/trackID=0", true},
		{"rtsp://cam", "rtsp://cam/main", false},
		{"rtsp://cam/main", "rtsp://cam/main/a/b", false},
		{"rtsp://cam/mai", "rtsp://cam/main", false},
		{"rtsp://cam/side", "rtsp://cam/main", false},
		{"rtsp://car/main", "rtsp://cam/main", false},
		{"rtsp://cam:8554/main", "rtsp://cam/main", false},
		{"rtsps://cam:8554/main", "rtsp://cam:8554/main", false},
		{"//cam/main", "rtsp://cam/main", false},
		{"main", "rtsp://cam/main", false},
		{"*", "rtsp://cam/main", false},
		{"rtsp://cam/main", "*", false},
		{"", "*", false},
		{"", "", false},
		{"rtsp:main", "rtsp:main2", false},
		{"rtsp://cam/%zz", "rtsp://cam/main", false},
	}
	for _, test := range tests {
		if got := covers(test.uri, test.target); got != test.want {
			t.Errorf("credentials for %s, request of %s: %v", test.uri, test.target, got)
		}
	}
}

// No credentials that the fuzzer makes up are right.
func FuzzVerify(f *testing.F) {
	v, _ := newTestVerifier()
	challenges := v.Challenges(peer, true, false)
	wrong := &Client{User: "admin", Password: "guess"}
	for _, i := range []int{0, 1, 2} {
		header, err := wrong.Answer(challenges[i:i+1], "PLAY", streamURL, true)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(header, "PLAY", streamURL, i == 0)
	}
	f.Add(`Digest username="viewer", realm="cam", response="", qop=auth, nc=1, cnonce=x, uri="*"`, "OPTIONS", "*", true)
	f.Fuzz(func(t *testing.T, header, method, url string, secure bool) {
		user, err := v.Verify(Attempt{Authorization: []string{header}, Method: method, URL: url, Peer: peer, Secure: secure})
		if err == nil || user != "" {
			t.Errorf("%q for %s %s: %q, %v", header, method, url, user, err)
		}
	})
}
