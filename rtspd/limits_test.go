package rtspd

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"lenslet/rtspd/auth"
)

func limited(l Limits) option { return func(c *Config, _ *StreamConfig) { c.Limits = l } }

// dialFrom comes from another address of this host.
func (l *lab) dialFrom(ip string) *client {
	l.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	nc, err := d.Dial("tcp", l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	c := &client{t: l.t, lab: l, nc: nc, br: bufio.NewReader(nc)}
	l.t.Cleanup(c.close)
	return c
}

// turnedAway wants 503 with words and a time, and the end of the connection.
func (c *client) turnedAway(why string) {
	c.t.Helper()
	r := c.must(503, "OPTIONS", "*", nil, "")
	if r.header["retry-after"] != "10" || !strings.Contains(r.body, why) || !strings.HasSuffix(r.body, "; try again in 10 s\r\n") {
		c.t.Errorf("Retry-After: %s, %q", r.header["retry-after"], r.body)
	}
	c.ended()
}

func TestConnectionsPerAddress(t *testing.T) {
	l := newLab(t, limited(Limits{ConnectionsPerAddress: 3}))
	var in []*client
	for range 3 {
		c := l.dial()
		c.must(200, "OPTIONS", "*", nil, "")
		in = append(in, c)
	}
	for range 3 {
		l.dial().turnedAway("too many connections from this address")
	}
	l.dialFrom("127.0.0.2").must(200, "OPTIONS", "*", nil, "")
	for _, c := range in {
		c.must(200, "OPTIONS", "*", nil, "")
	}
	in[0].close()
	await(t, "there is room again", func() bool { return l.dial().do("OPTIONS", "*", nil, "").status == 200 })
}

func TestConnectionsInAll(t *testing.T) {
	l := newLab(t, limited(Limits{Connections: 3}))
	for i := range 3 {
		l.dialFrom(fmt.Sprintf("127.0.0.%d", i+2)).must(200, "OPTIONS", "*", nil, "")
	}
	l.dial().turnedAway("too many connections")
	l.dialFrom("127.0.0.2").turnedAway("too many connections")
}

// Who is turned away and does not even ask is not waited for long, and only so
// many are told.
func TestTurnedAwayAreBounded(t *testing.T) {
	l := newLab(t, limited(Limits{Connections: 1}))
	l.dial().must(200, "OPTIONS", "*", nil, "")
	for range turnedAwayMost {
		l.dialFrom("127.0.0.2")
	}
	await(t, "all of them are there", func() bool { return l.connections() == 1+turnedAwayMost })
	l.dialFrom("127.0.0.3").ended()
	await(t, "they are gone without a word", func() bool { return l.connections() == 1 })
	l.dialFrom("127.0.0.2").turnedAway("too many connections")
}

func (l *lab) connections() int {
	l.srv.mu.Lock()
	defer l.srv.mu.Unlock()
	return len(l.srv.conns)
}

// Half a login is no login: the time runs on, whatever else is sent.
func TestLoginTime(t *testing.T) {
	l := newLoginLab(t, limited(Limits{LoginTime: 300 * time.Millisecond, FailedLogins: 1 << 30}))
	l.publish(true, 100)
	begun := time.Now()
	silent, asks, guesses := l.dial(), l.dial(), l.dial()
	var all sync.WaitGroup
	for c, request := range map[*client]string{
		asks:    "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
		guesses: "DESCRIBE * RTSP/1.0\r\nCSeq: 1\r\nAuthorization: Basic eDp5\r\n\r\n",
	} {
		all.Go(func() {
			for time.Since(begun) < patience {
				if _, err := c.nc.Write([]byte(request)); err != nil {
					return
				}
				time.Sleep(time.Millisecond) // how fast it asks, not something waited for
			}
			t.Error("the server listens on and on")
		})
	}
	for _, c := range []*client{silent, asks, guesses} {
		c.ended()
	}
	if d := time.Since(begun); d < 300*time.Millisecond {
		t.Errorf("ended after %v", d)
	}
	all.Wait()
	var c *client
	await(t, "a login in time", func() bool {
		c = l.dial()
		c.answering(&auth.Client{User: "viewer", Password: "look-7531"}, c.challengesOf())
		_, err := c.nc.Write(c.request("DESCRIBE", l.url, nil, ""))
		r, _, err2 := c.read()
		return err == nil && err2 == nil && r.status == 200
	})
	for until := time.Now().Add(400 * time.Millisecond); time.Now().Before(until); {
		c.must(200, "DESCRIBE", l.url, nil, "")
	}
}

// Without authentication any request will do.
func TestLoginTimeOfEveryone(t *testing.T) {
	l := newLab(t, limited(Limits{LoginTime: 100 * time.Millisecond}))
	var c *client
	await(t, "a request in time", func() bool {
		c = l.dial()
		_, err := c.nc.Write(c.request("OPTIONS", "*", nil, ""))
		r, _, err2 := c.read()
		return err == nil && err2 == nil && r.status == 200
	})
	for until := time.Now().Add(200 * time.Millisecond); time.Now().Before(until); {
		c.must(200, "OPTIONS", "*", nil, "")
	}
	l.dial().ended()
}

func TestSessionsPerAddress(t *testing.T) {
	l := newLab(t, limited(Limits{SessionsPerAddress: 3}))
	first := l.dial().setupUDP()
	first.play()
	for range 2 {
		l.dial().setupUDP().close() // half-open: the session is still there
	}
	transport := headers{"Transport", "RTP/AVP/TCP;unicast;interleaved=0-1"}
	for range 3 {
		r := l.dial().must(503, "SETUP", first.track(), transport, "")
		if r.header["retry-after"] != "10" || !strings.Contains(r.body, "too many sessions from this address") {
			t.Errorf("Retry-After: %s, %s", r.header["retry-after"], r.body)
		}
	}
	l.dialFrom("127.0.0.2").must(200, "SETUP", first.track(), transport, "")
	l.publish(false, 3000)
	first.receive(2)
	first.must(200, "PAUSE", l.url, nil, "")
	first.must(200, "SETUP", first.track(), headers{"Transport", "RTP/AVP/TCP;unicast"}, "") // its own, again
	first.must(200, "TEARDOWN", l.url, nil, "")
	l.dial().must(200, "SETUP", first.track(), transport, "")
}

func TestRequestSizes(t *testing.T) {
	l := newLab(t, limited(Limits{Header: 200, Body: 100}))
	c := l.dial()
	c.must(200, "SET_PARAMETER", l.url, setBitrate, "bitrate: 2000"+strings.Repeat("\r\n", 30))
	c.must(413, "SET_PARAMETER", l.url, setBitrate, strings.Repeat("x", 101))
	c.ended() // who knows what the rest is
	c = l.dial()
	c.write(c.request("OPTIONS", "*", headers{"X", strings.Repeat("x", 200)}, ""))
	if r := c.response(); r.status < 400 {
		t.Errorf("a long header: %d", r.status)
	}
	c.ended()
}

func TestOrigin(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.7":             "192.0.2.7",
		"::ffff:192.0.2.7":      "192.0.2.7",
		"2001:db8:1:2:3:4:5:6":  "2001:db8:1:2::",
		"2001:db8:1:2:ffff::1":  "2001:db8:1:2::",
		"fe80::1%eth0":          "fe80::1",
		"fe80::2%eth0":          "fe80::2",
		"fd00:1:2:3:4:5:6:7":    "fd00:1:2:3:4:5:6:7",
		"::1":                   "::1",
		"2001:db8:1:2::9%wlan0": "2001:db8:1:2::",
	} {
		if got := origin(netip.MustParseAddr(a)); got != netip.MustParseAddr(want) {
			t.Errorf("%s counts as %s, want %s", a, got, want)
		}
	}
	if got := origin(netip.Addr{}); got.IsValid() {
		t.Errorf("no address counts as %s", got)
	}
}
