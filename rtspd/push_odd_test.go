package rtspd

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// Every refusal becomes a reason in words, and the next attempt comes.
func TestPushRefusals(t *testing.T) {
	answer := func(status wire.Status, fields ...string) func(*mediaConn, *wire.Request) {
		return func(c *mediaConn, r *wire.Request) { c.reply(r, status, fields...) }
	}
	raw := func(text string) func(*mediaConn, *wire.Request) {
		return func(c *mediaConn, r *wire.Request) {
			c.write([]byte(strings.ReplaceAll(text, "CSEQ", r.Header.Get("CSeq"))))
		}
	}
	hangUp := func(c *mediaConn, _ *wire.Request) { _ = c.nc.Close() }
	silent := func(*mediaConn, *wire.Request) {}
	for _, c := range []struct {
		name, method string
		odd          func(*mediaConn, *wire.Request)
		udp          bool
		want         string
	}{
		{"no user", "ANNOUNCE", answer(401, "WWW-Authenticate", `Basic realm="x"`), false, "the server wants a user and a password, and the URL has none"},
		{"forbidden", "ANNOUNCE", answer(403), false, "the server does not allow it (403 Forbidden to ANNOUNCE)"},
		{"no path", "ANNOUNCE", answer(404), false, "the server does not know the path (404 Not Found to ANNOUNCE)"},
		{"no ANNOUNCE", "ANNOUNCE", answer(405), false, "the server takes no streams (405 Method Not Allowed to ANNOUNCE)"},
		{"no RECORD", "RECORD", answer(501), false, "the server takes no streams (501 Not Implemented to RECORD)"},
		{"not in this state", "RECORD", answer(455), false, "the server answers 455 Method Not Valid in This State to RECORD"},
		{"transport", "SETUP", answer(461), false, "the server does not take this transport (461 Unsupported Transport to SETUP)"},
		{"bandwidth", "SETUP", answer(453), false, "the server answers 453 Not Enough Bandwidth to SETUP"},
		{"own words", "RECORD", raw("RTSP/1.0 599 Lunch\r\nCSeq: CSEQ\r\n\r\n"), false, "the server answers 599 Lunch to RECORD"},
		{"no words", "RECORD", raw("RTSP/1.0 500\r\nCSeq: CSEQ\r\n\r\n"), false, "the server answers 500 Internal Server Error to RECORD"},
		{"redirect without Location", "ANNOUNCE", answer(302), false, "the server answers 302"},
		{"proxy", "ANNOUNCE", answer(305, "Location", "rtsp://a/b"), false, "the server answers 305 Use Proxy to ANNOUNCE"},
		{"no session", "SETUP", answer(200, "Transport", "RTP/AVP/TCP;interleaved=0-1"), false, "the server gives no session"},
		{"bad session", "SETUP", answer(200, "Session", "a b", "Transport", "RTP/AVP/TCP;interleaved=0-1"), false, "the server gives a session that cannot be read"},
		{"bad transport", "SETUP", answer(200, "Session", "a", "Transport", "RTP/AVP/TCP;interleaved=x"), false, "the server gives a transport that cannot be read"},
		{"UDP instead", "SETUP", answer(200, "Session", "a", "Transport", "RTP/AVP;server_port=4-5"), false, "the server gives another transport than tcp"},
		{"TCP instead", "SETUP", answer(200, "Session", "a", "Transport", "RTP/AVP/TCP;interleaved=0-1"), true, "the server gives another transport than udp"},
		{"multicast", "SETUP", answer(200, "Session", "a", "Transport", "RTP/AVP;multicast;port=4-5"), true, "the server gives another transport than udp"},
		{"no ports", "SETUP", answer(200, "Session", "a", "Transport", "RTP/AVP;unicast;client_port=4-5"), true, "the server names no ports for UDP"},
		{"the last port", "SETUP", answer(200, "Session", "a", "Transport", "RTP/AVP;unicast;server_port=65535"), true, "the server names no ports for UDP"},
		{"the last channel", "SETUP", answer(200, "Session", "a", "Transport", "RTP/AVP/TCP;interleaved=255"), false, "the server gives channels that do not exist"},
		{"no RTSP", "OPTIONS", raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"), false, "what the server sends is not RTSP"},
		{"hangs up", "SETUP", hangUp, false, "the server closed the connection"},
		{"silence", "ANNOUNCE", silent, false, "the server does not answer ANNOUNCE"},
		{"only 100", "SETUP", answer(100), false, "the server does not answer SETUP"},
		{"another's answer", "SETUP", raw("RTSP/1.0 404 Not Found\r\nCSeq: 4711\r\n\r\n"), false, "the server does not answer SETUP"},
		{"unreadable answer", "SETUP", raw("RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nno field\r\n\r\n"), false, "the server does not answer SETUP"},
		{"ends the session", "RECORD", raw("RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\n\r\nTEARDOWN * RTSP/1.0\r\nCSeq: 1\r\n\r\n"), false, "the server ended the session"},
		{"nowhere", "RECORD", raw("REDIRECT * RTSP/1.0\r\nCSeq: 1\r\n\r\n"), false, "the server redirects to nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newMediaServer(t)
			s.odd[c.method] = c.odd
			cfg, times := PushConfig{URL: s.url()}, hasty
			if c.udp {
				cfg.Transport = "udp"
			}
			if strings.HasPrefix(c.want, "the server does not answer") {
				times.limit, times.farewell = 200*time.Millisecond, time.Millisecond
			}
			_, p := pushing(t, s, cfg, times)
			awaitStatus(t, p, "failed: "+c.want)
			s.conn(1)
		})
	}
}

// What is odd, but can be lived with.
func TestPushBearsOddities(t *testing.T) {
	raw := func(text string) func(*mediaConn, *wire.Request) {
		return func(c *mediaConn, r *wire.Request) {
			c.write([]byte(strings.ReplaceAll(text, "CSEQ", r.Header.Get("CSeq"))))
		}
	}
	for _, c := range []struct {
		name, method string
		odd          func(*mediaConn, *wire.Request)
	}{
		{"OPTIONS refused", "OPTIONS", raw("RTSP/1.0 403 No\r\nCSeq: CSEQ\r\n\r\n")},
		{"no number", "ANNOUNCE", raw("RTSP/1.0 200 OK\r\n\r\n")},
		{"an old answer first", "ANNOUNCE", raw("RTSP/1.0 404 Old\r\nCSeq: 0\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: CSEQ\r\n\r\n")},
		{"the answer twice", "ANNOUNCE", raw("RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\n\r\nRTSP/1.0 404 No\r\nCSeq: CSEQ\r\n\r\n")},
		{"100 first", "SETUP", raw("RTSP/1.0 100 Continue\r\nCSeq: CSEQ\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nSession: 5\r\n\r\n")},
		{"no Transport, no timeout", "SETUP", raw("RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nSession: 5\r\n\r\n")},
		{"a body, frames and line ends between", "RECORD", raw("$\x01\x00\x04abcd\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nContent-Length: 3\r\n\r\nabc$\x09\x00\x00")},
		{"a bad answer between", "RECORD", raw("RTSP/1.0 200 OK\r\nbad\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: CSEQ\r\n\r\n")},
		{"a session with every answer", "ANNOUNCE", raw("RTSP/1.0 200 OK\r\nCSeq: CSEQ\r\nSession: 8;timeout=9\r\n\r\n")},
		{"created", "RECORD", raw("RTSP/1.0 201 Created\r\nCSeq: CSEQ\r\n\r\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newMediaServer(t)
			s.odd[c.method] = c.odd
			l, p := pushing(t, s, PushConfig{URL: s.url()}, hasty)
			awaitStatus(t, p, "streaming")
			l.publish(true, 400)
			await(t, "packets", func() bool { return len(s.conn(0).on(0)) == 2 })
		})
	}
}

// The server may ask, too.
func TestPushAnswersTheServer(t *testing.T) {
	s := newMediaServer(t)
	_, p := pushing(t, s, PushConfig{URL: s.url()}, hasty)
	awaitStatus(t, p, "streaming")
	c := s.conn(0)
	for i, r := range []struct {
		request string
		want    wire.Status
	}{
		{"OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n", 200},
		{"GET_PARAMETER * RTSP/1.0\r\nCSeq: 7\r\n\r\n", 200},
		{"GET_PARAMETER * RTSP/1.0\r\nCSeq: 7\r\nContent-Length: 1\r\n\r\nx", 451},
		{"DESCRIBE * RTSP/1.0\r\nCSeq: 7\r\n\r\n", 405},
		{"SET_PARAMETER * RTSP/1.0\r\nCSeq: 7\r\n\r\n", 405},
	} {
		c.write([]byte(r.request))
		var got *wire.Response
		await(t, "an answer", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			if len(c.answers) > i {
				got = c.answers[i]
			}
			return got != nil
		})
		if got.Status != r.want || got.Header.Get("CSeq") != "7" {
			t.Errorf("%q is answered by %d, number %s", r.request, got.Status, got.Header.Get("CSeq"))
		}
	}
	if s.count() != 1 || p.Status() != "streaming" {
		t.Errorf("%d connections, %s", s.count(), p.Status())
	}
}

// A redirect is followed wherever it comes, with the credentials, and five in
// a row are too many.
func TestPushRedirects(t *testing.T) {
	end, first := newMediaServer(t), newMediaServer(t)
	first.odd["ANNOUNCE"] = func(c *mediaConn, r *wire.Request) {
		c.reply(r, wire.MovedTemporarily, "Location", end.url()+"2")
	}
	l, p := pushing(t, first, PushConfig{URL: first.url()}, hasty)
	end.open()
	awaitStatus(t, p, "streaming")
	if got := end.conn(0).asked("ANNOUNCE", 1).URL; got != end.url()+"2" || first.count() != 1 {
		t.Errorf("announced %s, after %d attempts", got, first.count())
	}
	l.publish(true, 400)
	await(t, "packets", func() bool { return len(end.conn(0).on(0)) == 2 })

	end.conn(0).write([]byte("REDIRECT * RTSP/1.0\r\nCSeq: 1\r\nLocation: " + end.url() + "3\r\n\r\n"))
	if got := end.conn(1).asked("ANNOUNCE", 1).URL; got != end.url()+"3" {
		t.Errorf("announced %s after REDIRECT", got)
	}
	l.awaitWaiting(1)
	l.publish(true, 400)
	await(t, "packets", func() bool { return len(end.conn(1).on(0)) == 2 })
	if p.Status() != "streaming" || first.count() != 1 {
		t.Errorf("%s, after %d attempts", p.Status(), first.count())
	}
}

func TestPushRedirectsAreBounded(t *testing.T) {
	for location, want := range map[string]string{
		"":              "failed: the server redirects again and again",
		"http://a/b":    "failed: the server redirects to a URL that cannot be used",
		"/elsewhere":    "failed: the server redirects to a URL that cannot be used",
		"rtsp://a:x/b#": "failed: the server redirects to a URL that cannot be used",
	} {
		t.Run(location, func(t *testing.T) {
			s := newMediaServer(t)
			s.odd["ANNOUNCE"] = func(c *mediaConn, r *wire.Request) {
				to := location
				if to == "" {
					to = s.url()
				}
				c.reply(r, wire.MovedPermanently, "Location", to)
			}
			times := hasty
			times.first, times.most = time.Hour, time.Hour
			_, p := pushing(t, s, PushConfig{URL: s.url()}, times)
			awaitStatus(t, p, want)
			if n := s.count(); (location == "" && n != maxRedirects+1) || (location != "" && n != 1) {
				t.Errorf("%q: %d connections", location, n)
			}
		})
	}
}

// The password is proved by Digest, anew where the nonce changes, and never
// shown.
func TestPushLogsIn(t *testing.T) {
	s := newMediaServer(t)
	nonce := func(n, more string) string {
		return fmt.Sprintf(`Digest realm="r", nonce="%s", qop="auth", algorithm=MD5%s`, n, more)
	}
	var asked atomic.Int32
	s.odd["ANNOUNCE"] = func(c *mediaConn, r *wire.Request) {
		a := r.Header.Get("Authorization")
		switch n := asked.Add(1); {
		case n == 1 && a == "":
			c.reply(r, wire.Unauthorized, "WWW-Authenticate", `Basic realm="r"`, "WWW-Authenticate", nonce("one", ""))
		case n == 2 && strings.Contains(a, `nonce="one"`) && strings.Contains(a, `uri="`+s.url()+`"`) && strings.Contains(a, "nc=00000001"):
			c.reply(r, wire.Unauthorized, "WWW-Authenticate", nonce("two", ", stale=TRUE"))
		case n == 3 && strings.Contains(a, `nonce="two"`) && strings.Contains(a, `username="user"`):
			c.good(r)
		default:
			t.Errorf("ANNOUNCE %d with %s", n, a)
			c.reply(r, wire.Forbidden)
		}
	}
	_, p := pushing(t, s, PushConfig{URL: strings.Replace(s.url(), "//", "//user:p%20w@", 1)}, hasty)
	awaitStatus(t, p, "streaming")
	c := s.conn(0)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if a := r.Header.Get("Authorization"); strings.Contains(r.URL, "user") || (r.Method == "RECORD" && !strings.Contains(a, "nc=00000003")) {
			t.Errorf("%s %s with %s", r.Method, r.URL, a)
		}
	}
}

// In the clear there is no Basic, and who refuses twice is not asked again.
func TestPushPasswordIsRefused(t *testing.T) {
	for challenge, want := range map[string]struct {
		status string
		asked  int
	}{
		`Digest realm="r", nonce="n", qop="auth"`: {"failed: the server refuses user and password", 2},
		`Basic realm="r"`:                         {"failed: the server asks for the password in the clear", 1},
		`Kerberos x="y"`:                          {"failed: the server offers no authentication that is known here", 1},
		`Digest realm="r", nonce="n", stale=true`: {"failed: the server refuses user and password", 4},
	} {
		t.Run(challenge, func(t *testing.T) {
			s := newMediaServer(t)
			s.odd["ANNOUNCE"] = func(c *mediaConn, r *wire.Request) {
				c.reply(r, wire.Unauthorized, "WWW-Authenticate", challenge)
			}
			times := hasty
			times.first, times.most = time.Hour, time.Hour
			_, p := pushing(t, s, PushConfig{URL: strings.Replace(s.url(), "//", "//user:secret@", 1)}, times)
			awaitStatus(t, p, want.status)
			if got := strings.Count(s.conn(0).methods(), "ANNOUNCE"); got != want.asked {
				t.Errorf("%s: asked %d times, not %d", challenge, got, want.asked)
			}
		})
	}
}

// Signs of life come before the session's timeout, by the method that the
// server has; one that loses the session is noticed.
func TestPushKeepsTheSession(t *testing.T) {
	s := newMediaServer(t)
	s.odd["SETUP"] = func(c *mediaConn, r *wire.Request) { c.reply(r, wire.OK, "Session", "47;timeout=1") }
	var pings atomic.Int32
	s.odd["GET_PARAMETER"] = func(c *mediaConn, r *wire.Request) {
		switch pings.Add(1) {
		case 1:
			c.reply(r, wire.OK)
		case 2:
			c.reply(r, wire.NotImplemented)
		case 3:
			c.reply(r, wire.SessionNotFound)
		}
	}
	_, p := pushing(t, s, PushConfig{URL: s.url()}, hasty)
	c := s.conn(0)
	c.asked("GET_PARAMETER", 2)
	if r := c.asked("OPTIONS", 2); r.Header.Get("Session") != "47" {
		t.Errorf("sign of life with %v", r.Header)
	}
	awaitStatus(t, p, "streaming")
	if got := s.conn(0).methods(); !strings.HasPrefix(got, "OPTIONS ANNOUNCE SETUP RECORD GET_PARAMETER GET_PARAMETER OPTIONS") {
		t.Errorf("asked %s", got)
	}
	c.srv.hangUp()
	s.conn(1).asked("GET_PARAMETER", 1) // the third one
	s.conn(2).asked("ANNOUNCE", 1)
}

// A server that falls silent while it takes the stream is left.
func TestPushLeavesASilentServer(t *testing.T) {
	s := newMediaServer(t)
	s.odd["SETUP"] = func(c *mediaConn, r *wire.Request) { c.reply(r, wire.OK, "Session", "47;timeout=1") }
	s.odd["GET_PARAMETER"] = func(*mediaConn, *wire.Request) {}
	times := hasty
	times.limit, times.farewell = 2*time.Second, 100*time.Millisecond
	_, p := pushing(t, s, PushConfig{URL: s.url()}, times)
	awaitStatus(t, p, "failed: the server does not answer GET_PARAMETER")
	s.conn(0).asked("TEARDOWN", 1)
	s.conn(1)
}

// Pauses double to the longest, vary by a quarter, and begin small again after
// a steady time.
func TestPushBackoff(t *testing.T) {
	times, pause := usualTimes(), time.Duration(0)
	for i, want := range []int{1, 2, 4, 8, 16, 32, 60, 60, 1, 2, 4} {
		lasted := 59 * time.Second
		if i == 8 {
			lasted = time.Minute
		}
		if pause = times.after(pause, lasted); pause != time.Duration(want)*time.Second {
			t.Errorf("pause %d is %v, not %d s", i, pause, want)
		}
	}
	least, most := time.Hour, time.Duration(0)
	for range 1000 {
		d := jittered(time.Minute)
		least, most = min(least, d), max(most, d)
	}
	if least < 45*time.Second || least > 47*time.Second || most < 73*time.Second || most > 75*time.Second {
		t.Errorf("a minute is %v to %v", least, most)
	}
}
