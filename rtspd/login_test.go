package rtspd

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lenslet/rtspd/auth"
)

// withUsers has one of each role, and lets nobody wait for a wrong password.
func withUsers(c *Config, _ *StreamConfig) {
	c.Realm = "Front door"
	c.Users = []User{{"viewer", "look-7531", RoleViewer}, {"admin", "change-8642", RoleAdmin}}
}

func newLoginLab(t testing.TB, options ...option) *lab {
	l := newLab(t, append([]option{withUsers}, options...)...)
	l.delays(0)
	return l
}

// delays sets what each wrong password adds to the wait for its answer.
func (l *lab) delays(step time.Duration) {
	l.srv.logins.mu.Lock()
	defer l.srv.logins.mu.Unlock()
	l.srv.logins.step = step
}

// challenges gets the ways to log in, one by one.
func (c *client) challenges() []string {
	c.t.Helper()
	r := c.must(401, "DESCRIBE", c.lab.url, nil, "")
	all, err := auth.ParseChallenges(r.header["www-authenticate"])
	if err != nil || len(all) < 2 {
		c.t.Fatalf("WWW-Authenticate: %q", r.header["www-authenticate"])
	}
	values := make([]string, len(all))
	for i := range all {
		values[i] = all[i].String()
	}
	return values
}

// as lets the following requests be somebody's.
func (c *client) as(user, password string) *client {
	c.t.Helper()
	c.logsIn = nil
	c.answering(&auth.Client{User: user, Password: password}, c.challenges())
	return c
}

func (c *client) answering(a *auth.Client, challenges []string) {
	c.logsIn = func(method, url string) string {
		header, err := a.Answer(challenges, method, url, c.lab.trust != nil)
		if err != nil {
			c.t.Fatal(err)
		}
		return header
	}
}

func (l *lab) viewer() *client { l.t.Helper(); return l.dial().as("viewer", "look-7531") }
func (l *lab) admin() *client  { l.t.Helper(); return l.dial().as("admin", "change-8642") }

func (l *lab) bitrate() int {
	l.parameters.mu.Lock()
	defer l.parameters.mu.Unlock()
	return l.parameters.bitrate
}

var setBitrate = headers{"Content-Type", "text/parameters"}

// A viewer watches and reads, by each way to log in.
func TestLogin(t *testing.T) {
	for i, algorithm := range []string{"SHA-256", "MD5", "RFC 2069"} {
		t.Run(algorithm, func(t *testing.T) {
			both(t, func(t *testing.T, setup func(*client) *client) {
				l := newLoginLab(t)
				l.publish(true, 100)
				c := l.dial()
				challenges := c.challenges()
				if i == 2 {
					challenges = []string{strings.Replace(challenges[1], `, qop="auth"`, "", 1)}
				} else {
					challenges = challenges[i : i+1]
				}
				if !strings.Contains(challenges[0], `realm="Front door"`) {
					t.Errorf("the realm does not name the camera: %s", challenges[0])
				}
				c.answering(&auth.Client{User: "viewer", Password: "look-7531"}, challenges)
				c.must(200, "OPTIONS", l.url, nil, "")
				c.must(200, "DESCRIBE", l.url, nil, "")
				setup(c)
				c.play()
				l.publish(false, 2000)
				c.receive(2)
				c.must(200, "GET_PARAMETER", l.url, setBitrate, "bitrate\r\n")
				c.must(200, "SET_PARAMETER", l.url, nil, "") // a ping
				c.must(200, "SET_PARAMETER", l.url, setBitrate, "server_requests: on\r\n")
				c.must(403, "SET_PARAMETER", l.url, setBitrate, "bitrate: 2000\r\n")
				if l.bitrate() != 5000 {
					t.Error("a viewer changed the bit rate")
				}
				c.must(200, "TEARDOWN", l.url, nil, "")
				c.session = ""
				l.admin().must(200, "SET_PARAMETER", l.url, setBitrate, "bitrate: 2000\r\n")
				if l.bitrate() != 2000 {
					t.Error("an admin did not change the bit rate")
				}
			})
		})
	}
}

// Basic will do where nobody can listen, and only there.
func TestBasicOverTLSOnly(t *testing.T) {
	for listen, secure := range map[string]bool{"tls:127.0.0.1:0": true, "127.0.0.1:0": false} {
		t.Run(listen, func(t *testing.T) {
			l := newLabOn(t, listen, withUsers)
			l.delays(0)
			l.publish(true, 100)
			c := l.dial()
			if offered := strings.Contains(strings.Join(c.challenges(), " "), "Basic"); offered != secure {
				t.Errorf("Basic is offered: %v", offered)
			}
			for password, right := range map[string]bool{"look-7531": true, "guess": false} {
				c.logsIn = func(string, string) string {
					return auth.Credentials{Scheme: "Basic", User: "viewer", Password: password}.String()
				}
				want := 401
				if right && secure {
					want = 200
				}
				c.must(want, "DESCRIBE", l.url, nil, "")
			}
			c.as("viewer", "look-7531").must(200, "DESCRIBE", l.url, nil, "")
		})
	}
}

var nonce = regexp.MustCompile(`nonce="[^"]*"`)

// Who is not known learns nothing but that: not which streams, sessions,
// methods or parameters there are.
func TestNobodyLearnsAnything(t *testing.T) {
	l := newLoginLab(t, func(c *Config, _ *StreamConfig) { c.Limits.FailedLogins = 1 << 30 })
	l.publish(true, 100)
	owner := l.viewer().setupUDP()
	seen := l.srv.session(owner.session).seen.Load()
	c := l.dial()
	same := ""
	for _, method := range []string{"DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "RECORD", "FOO"} {
		for _, url := range []string{l.url, l.url + "/trackID=0", "rtsp://" + l.addr + "/nowhere", "rtsp://" + l.addr + "/", "*", "http://x/"} {
			for _, session := range []string{"", owner.session, "nowhere", "no session"} {
				c.session = session
				for _, h := range []headers{nil, {"Require", "x"}, {"Transport", "RTP/AVP/TCP"}, {"Accept", "text/html"}, {"Authorization", "Basic dmlld2VyOmxvb2stNzUzMQ=="}, {"Authorization", `Digest username="viewer"`}} {
					r := c.must(401, method, url, h, "")
					delete(r.header, "cseq")
					delete(r.header, "date")
					got := nonce.ReplaceAllString(fmt.Sprint(r.header, r.body), "nonce")
					if same == "" {
						same = got
					}
					if got != same {
						t.Fatalf("%s %s, session %q, %q: %s\ninstead of %s", method, url, session, h, got, same)
					}
				}
			}
		}
	}
	c.session = ""
	for _, version := range []string{"3.0", "2.1", "0.9"} { // 505 comes later
		c.version = version
		c.must(401, "DESCRIBE", l.url, nil, "")
		c.must(505, "OPTIONS", l.url, nil, "")
	}
	for _, head := range []string{"DESCRIBE " + l.url + " RTSP/1.0\r\n", "PLAY x HTTP/1.1\r\nCSeq: x\r\n", "SETUP * RTSP/2.0\r\nCSeq: x\r\n"} {
		c.write([]byte(head + "\r\n"))
		if r := c.response(); r.status != 401 {
			t.Errorf("%q: %d", head, r.status)
		}
	}
	if l.srv.session(owner.session).seen.Load() != seen {
		t.Error("strangers keep the session alive")
	}
}

// A tunnel through HTTP is no way round either.
func TestNobodyLearnsAnythingThroughHTTP(t *testing.T) {
	l := newLoginLab(t)
	l.publish(true, 100)
	owner := l.viewer().setupUDP()
	c := l.tunnel("3c2f9e0a7b51d84c", 0)
	for _, url := range []string{l.url, "rtsp://" + l.addr + "/nowhere"} {
		c.must(401, "DESCRIBE", url, nil, "")
		c.must(401, "SETUP", url+"/trackID=0", headers{"Transport", interleavedOffer}, "")
		c.must(401, "TEARDOWN", url, headers{"Session", owner.session}, "")
	}
	c.as("viewer", "look-7531").must(200, "DESCRIBE", l.url, nil, "")
	if len(l.sessions()) != 1 {
		t.Errorf("sessions %v", l.sessions())
	}
}

// OPTIONS is for everyone, but says the same of every URL, and is no way round.
func TestOptionsForEveryone(t *testing.T) {
	l := newLoginLab(t)
	owner := l.viewer().setupUDP()
	c := l.dial()
	for _, url := range []string{"*", l.url, "rtsp://" + l.addr + "/nowhere"} {
		if r := c.must(200, "OPTIONS", url, nil, ""); !strings.Contains(r.header["public"], "DESCRIBE") {
			t.Errorf("%s: Public: %s", url, r.header["public"])
		}
		c.must(401, "OPTIONS", url, headers{"Session", owner.session}, "")
		c.must(401, "OPTIONS", url, headers{"Authorization", `Digest username="viewer"`}, "")
	}
	l.viewer().must(404, "OPTIONS", "rtsp://"+l.addr+"/nowhere", nil, "")
}

// To know a session's id is worth nothing.
func TestSessionIsItsUsers(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLoginLab(t)
		owner := setup(l.viewer())
		owner.play()
		admin, thief := l.admin(), l.dial()
		admin.session, thief.session = owner.session, owner.session
		seen := l.srv.session(owner.session).seen.Load()
		transport := headers{"Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"}
		for _, method := range []string{"PAUSE", "PLAY", "GET_PARAMETER", "SET_PARAMETER", "OPTIONS", "DESCRIBE", "TEARDOWN"} {
			admin.must(454, method, l.url, nil, "")
			thief.must(401, method, l.url, nil, "")
		}
		admin.must(454, "SETUP", owner.track(), transport, "")
		thief.must(401, "SETUP", owner.track(), transport, "")
		if owner.tcp {
			seen = l.srv.session(owner.session).seen.Load()
		}
		if got := l.srv.session(owner.session).seen.Load(); got != seen {
			t.Error("others keep the session alive")
		}
		l.publish(false, 3000)
		owner.receive(2)
		owner.must(200, "TEARDOWN", l.url, nil, "")
	})
}

// What was overheard once cannot be sent again.
func TestReplayIsRefused(t *testing.T) {
	l := newLoginLab(t)
	l.publish(true, 100)
	c := l.admin()
	header := c.logsIn("SET_PARAMETER", l.url)
	c.logsIn = nil
	h := append(headers{"Authorization", header}, setBitrate...)
	c.must(200, "SET_PARAMETER", l.url, h, "bitrate: 2000\r\n")
	for _, again := range []*client{c, l.dial()} {
		r := again.must(401, "SET_PARAMETER", l.url, h, "bitrate: 3000\r\n")
		if !strings.Contains(r.header["www-authenticate"], "stale=true") {
			t.Errorf("WWW-Authenticate: %s", r.header["www-authenticate"])
		}
	}
	c.must(401, "DESCRIBE", l.url, h, "")
	if l.bitrate() != 2000 {
		t.Errorf("bitrate %d", l.bitrate())
	}
}

// A nonce that is too old is answered with a new one, and the session goes on.
func TestStaleNonce(t *testing.T) {
	l := newLoginLab(t, func(c *Config, _ *StreamConfig) { c.NonceLifetime = 300 * time.Millisecond })
	l.publish(true, 100)
	var c *client
	await(t, "SETUP within the life of a nonce", func() bool {
		c = l.viewer()
		host, _, _ := strings.Cut(l.addr, ":")
		port := c.openUDP(host)
		r := c.do("SETUP", c.track(), headers{"Transport", fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1)}, "")
		c.session, _, _ = strings.Cut(r.header["session"], ";")
		return r.status == 200
	})
	ses := l.srv.session(c.session)
	var r response
	await(t, "the nonce is too old", func() bool {
		r = c.do("GET_PARAMETER", l.url, nil, "")
		return r.status == 401
	})
	if !strings.Contains(r.header["www-authenticate"], "stale=true") {
		t.Errorf("WWW-Authenticate: %s", r.header["www-authenticate"])
	}
	seen := ses.seen.Load()
	c.must(401, "GET_PARAMETER", l.url, nil, "")
	if ses.seen.Load() == seen {
		t.Error("the owner does not keep the session alive with the old nonce")
	}
	id := c.session
	await(t, "a request with the new nonce", func() bool {
		c.session = ""
		c.as("viewer", "look-7531")
		c.session = id
		return c.do("GET_PARAMETER", l.url, nil, "").status == 200
	})
}

// After ten wrong passwords an address is refused; who is in stays in.
func TestWrongPasswords(t *testing.T) {
	l := newLoginLab(t)
	viewer := l.viewer().setupTCP()
	viewer.play()
	begun := time.Now()
	for i := range 10 {
		c := l.dial().as("admin", fmt.Sprint("guess", i))
		r := c.must(401, "DESCRIBE", l.url, nil, "")
		if strings.Contains(r.header["www-authenticate"], "stale") {
			t.Error("a wrong password is called stale")
		}
	}
	r := l.dial().must(503, "DESCRIBE", l.url, nil, "")
	n, err := strconv.Atoi(r.header["retry-after"])
	if least := 59 - int(time.Since(begun).Seconds()); err != nil || n < least || n > 60 || !strings.Contains(r.body, "wrong passwords") {
		t.Errorf("Retry-After: %s, %s", r.header["retry-after"], r.body)
	}
	l.dial().must(200, "OPTIONS", "*", nil, "")
	viewer.must(200, "GET_PARAMETER", l.url, setBitrate, "bitrate\r\n")
	l.publish(false, 3000)
	viewer.receive(2)
	viewersOwn := viewer.logsIn
	challenges, id := viewer.challengesOf(), viewer.session
	viewer.session = ""
	for _, password := range []string{"guess", "change-8642"} { // right or not: who is in learns nothing of others either
		viewer.answering(&auth.Client{User: "admin", Password: password}, challenges)
		viewer.must(503, "DESCRIBE", l.url, nil, "")
	}
	viewer.logsIn, viewer.session = viewersOwn, id
	viewer.must(200, "GET_PARAMETER", l.url, nil, "")
}

// challengesOf makes challenges that the server takes from this connection.
func (c *client) challengesOf() []string {
	return c.lab.srv.verifier.Challenges(addrPort(c.nc.LocalAddr()), false, false)
}

// The answer to a wrong password waits, and ends with the server all the same.
func TestWrongPasswordWaits(t *testing.T) {
	l := newLoginLab(t)
	l.delays(50 * time.Millisecond)
	c := l.dial().as("viewer", "guess")
	for i := range 3 {
		begun := time.Now()
		c.must(401, "DESCRIBE", l.url, nil, "")
		if d, least := time.Since(begun), time.Duration(i+1)*50*time.Millisecond; d < least {
			t.Errorf("failure %d is answered after %v, want %v at least", i+1, d, least)
		}
	}
	l.delays(time.Hour)
	c.write(c.request("DESCRIBE", l.url, nil, ""))
	await(t, "the wrong password arrives", func() bool {
		l.srv.logins.mu.Lock()
		defer l.srv.logins.mu.Unlock()
		return l.srv.logins.from[netip.MustParseAddr("127.0.0.1")].count == 4
	})
	took := stopwatch()
	l.stop()
	if d := took(); d > failureMost/2 {
		t.Errorf("the shutdown took %v", d)
	}
}

func TestLogins(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	l := &logins{limit: 3, step: 200 * time.Millisecond, from: map[netip.Addr]failures{}}
	for i, step := range []struct {
		at      time.Duration // s
		delay   time.Duration
		refused bool
	}{
		{1, 200 * time.Millisecond, false},
		{2, 400 * time.Millisecond, false},
		{62, 200 * time.Millisecond, false}, // the others are a minute old
		{63, 400 * time.Millisecond, false},
		{64, 600 * time.Millisecond, true},
		{65, 800 * time.Millisecond, true},
		{126, 200 * time.Millisecond, false},
	} {
		now := step.at * time.Second
		delay, refused := l.fail(a, now)
		if delay != step.delay || refused != step.refused || (l.refused(a, now) == time.Minute) != refused {
			t.Errorf("failure %d: %v, %v, refused for %v", i, delay, refused, l.refused(a, now))
		}
		if l.refused(b, now) != 0 {
			t.Error("another address is refused")
		}
	}
	for range 100 {
		if delay, _ := l.fail(b, time.Hour); delay > failureMost {
			t.Fatalf("a delay of %v", delay)
		}
	}
	if l.refused(b, time.Hour+30*time.Second) != 30*time.Second || l.refused(b, time.Hour+time.Minute) != 0 {
		t.Error("the refusal does not last a minute")
	}
}

// However many addresses try: what is kept is bounded, the latest stay.
func TestLoginsAreBounded(t *testing.T) {
	l := &logins{limit: 1, from: map[netip.Addr]failures{}}
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range 3 * failureKept {
		l.fail(addr(i), time.Duration(i))
		if len(l.from) > failureKept {
			t.Fatalf("%d addresses are kept", len(l.from))
		}
	}
	if l.refused(addr(3*failureKept-1), 3*failureKept) == 0 || l.refused(addr(0), 3*failureKept) != 0 {
		t.Error("not the oldest were forgotten")
	}
	l.fail(addr(0), time.Hour)
	if len(l.from) != 1 {
		t.Errorf("%d addresses are kept after an hour", len(l.from))
	}
}

// A buffer that several goroutines write to.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// No log has a password in it, however it came.
func TestNoPasswordIsLogged(t *testing.T) {
	logs := &logBuffer{}
	l := newLoginLab(t, func(c *Config, _ *StreamConfig) {
		c.Log = slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	host := l.addr
	l.publish(true, 100)
	for _, c := range []*client{l.viewer(), l.admin()} {
		l.url = "rtsp://admin:change-8642@" + host + "/main"
		r := c.must(200, "DESCRIBE", l.url, nil, "")
		if all := fmt.Sprint(r.header, r.body); strings.Contains(all, "8642") {
			t.Errorf("the password comes back: %s", all)
		}
		l.url = "rtsp://" + host + "/main"
		c.setupTCP()
		c.do("SET_PARAMETER", l.url, setBitrate, "bitrate: 1\r\n")
	}
	wrong := l.dial().as("look-7531", "change-8642") // in the wrong field
	wrong.must(401, "DESCRIBE", l.url, nil, "")
	for _, line := range []string{
		"rtsp://viewer:look-7531@cam DESCRIBE RTSP/1.0", "look-7531 rtsp://cam RTSP/1.0", "look-7531\x00", "DESCRIBE * look-7531/1.0",
		"DESCRIBE * RTSP/1.0\r\nlook-7531", "DESCRIBE * RTSP/1.0\r\nContent-Length: look-7531",
	} {
		c := l.dial()
		c.write([]byte(line + "\r\n\r\n"))
		c.response()
		c.close()
	}
	for _, to := range []string{"rtsp://look-7531:change-8642@other/main", "rtsp://look:7531@:x"} {
		l.srv.Direct(Directions{DrainTo: to})
	}
	l.stop()
	got := logs.b.String()
	for _, secret := range []string{"look", "7531", "change-", "8642"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is in the log:\n%s", secret, got)
		}
	}
	if !strings.Contains(got, "rtsp://other/main") {
		t.Errorf("where viewers are sent is not in the log:\n%s", got)
	}
	if !strings.Contains(got, "wrong password") {
		t.Errorf("the wrong password is not in the log:\n%s", got)
	}
}
