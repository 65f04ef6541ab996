package rtspd

import (
	"strings"
	"sync"
	"testing"
	"time"
)

const elsewhere = "rtsp://elsewhere.example/main"

func directions(d Directions) option {
	return func(c *Config, _ *StreamConfig) { c.Directions = d }
}

func drainTime(d time.Duration) option {
	return func(c *Config, _ *StreamConfig) { c.DrainTime = d }
}

const interleavedOffer = "RTP/AVP/TCP;unicast;interleaved=0-1"

// trySetup asks for a new session.
func (c *client) trySetup() response {
	c.t.Helper()
	return c.do("SETUP", c.track(), headers{"Transport", interleavedOffer}, "")
}

// checkSentAway wants DESCRIBE and SETUP of somebody new to be answered 302.
func (l *lab) checkSentAway(to string) {
	l.t.Helper()
	c := l.dial()
	for _, r := range []response{c.do("DESCRIBE", l.url, nil, ""), c.trySetup()} {
		if r.status != 302 || r.header["location"] != to || !strings.Contains(r.body, to) {
			l.t.Errorf("%d, Location %q: %s", r.status, r.header["location"], r.body)
		}
	}
	c.must(200, "OPTIONS", l.url, nil, "")
	c.must(200, "GET_PARAMETER", l.url, nil, "")
}

// checkWelcome wants somebody new to be taken.
func (l *lab) checkWelcome() {
	l.t.Helper()
	c := l.dial()
	c.must(200, "DESCRIBE", l.url, nil, "")
	c.setupTCP()
	c.must(200, "TEARDOWN", l.url, nil, "")
}

func TestNewViewersAreRedirected(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		l.publish(true, 100)
		l.checkWelcome()
		c := setup(l.dial())
		l.srv.Direct(Directions{RedirectTo: elsewhere})
		l.checkSentAway(elsewhere)

		// who is there already stays
		c.must(200, "DESCRIBE", l.url, nil, "")
		c.must(200, "SETUP", c.track(), headers{"Transport", c.offer()}, "")
		c.play()
		c.receive(1)
		session := c.session
		c.session = ""
		c.must(200, "DESCRIBE", l.url, nil, "")
		c.session = session

		l.srv.Direct(Directions{})
		l.checkWelcome()
	})
}

// offer is the transport that the client has.
func (c *client) offer() string {
	offer, _, _ := strings.Cut(c.setUp.header["transport"], ";server_port")
	return offer
}

func TestRedirectedFromTheBeginning(t *testing.T) {
	l := newLab(t, directions(Directions{RedirectTo: elsewhere}))
	l.checkSentAway(elsewhere) // also before the first picture
	// one connection that has lost its session is as good as new
	l.srv.Direct(Directions{})
	l.publish(true, 100)
	c := l.dial().setupUDP()
	c.must(200, "TEARDOWN", l.url, nil, "")
	c.session = ""
	l.srv.Direct(Directions{RedirectTo: elsewhere})
	c.must(302, "DESCRIBE", l.url, nil, "")
}

func TestViewersLimit(t *testing.T) {
	l := newLab(t, directions(Directions{Viewers: 2}))
	l.publish(true, 100)
	a, b, c := l.dial().setupUDP(), l.dial().setupTCP(), l.dial()
	c.must(200, "DESCRIBE", l.url, nil, "")
	r := c.trySetup()
	if r.status != 453 || r.header["retry-after"] != "30" || r.header["location"] != "" || !strings.Contains(r.body, "are there: 2\r\n") {
		t.Errorf("%d, Retry-After %s: %s", r.status, r.header["retry-after"], r.body)
	}
	a.must(200, "SETUP", a.track(), headers{"Transport", a.offer()}, "") // has its place
	l.srv.Direct(Directions{Viewers: 2, RedirectTo: elsewhere, DrainTo: ""})
	l.checkSentAway(elsewhere)
	l.srv.Direct(Directions{Viewers: 2})
	b.must(200, "TEARDOWN", l.url, nil, "")
	l.checkWelcome()
	l.srv.Direct(Directions{Viewers: 1})
	a.must(200, "GET_PARAMETER", l.url, nil, "") // nobody is thrown out
	if r := c.trySetup(); r.status != 453 {
		t.Errorf("%d", r.status)
	}
}

// The board itself watches whatever the directions and limits are, and takes nobody's
// place; who comes by a proxy or a tunnel on the board is a viewer as any other.
func TestTheBoardItselfIsNoViewer(t *testing.T) {
	l := newLab(t, directions(Directions{Viewers: 1}), func(c *Config, _ *StreamConfig) { c.Limits.Connections = 3 })
	l.publish(true, 100)
	self := l.dialFrom(Inside().String()).setupTCP()
	a, b := l.dial(), l.dial()
	a.setupTCP()
	if r := b.trySetup(); r.status != 453 {
		t.Errorf("the second viewer: %d", r.status)
	}
	watches := func() {
		t.Helper()
		c := l.dialFrom(Inside().String())
		c.must(200, "DESCRIBE", l.url, nil, "")
		c.setupTCP().play()
		c.receive(1)
		c.must(200, "TEARDOWN", l.url, nil, "")
		c.close()
	}
	watches()
	l.srv.Direct(Directions{Viewers: 1, RedirectTo: elsewhere})
	watches()
	if r := b.do("DESCRIBE", l.url, nil, ""); r.status != 302 {
		t.Errorf("somebody new: %d", r.status)
	}
	l.srv.Direct(Directions{DrainTo: elsewhere})
	watches()
	self.ended()
}

func TestOverTheLimitIsSentWhereItWouldDrain(t *testing.T) {
	l := newLab(t, directions(Directions{Viewers: 1, DrainTo: elsewhere}))
	l.publish(true, 100)
	l.checkWelcome()
	c := l.dial().setupUDP()
	l.checkSentAway(elsewhere)
	c.must(200, "TEARDOWN", l.url, nil, "")
	l.checkWelcome()
}

// A viewer that comes again from the port that it had takes its own place.
func TestLimitLeavesAPlaceToWhoComesAgain(t *testing.T) {
	l := newLab(t, directions(Directions{Viewers: 1}))
	c := l.dial().setupUDP()
	again := l.dial()
	again.must(200, "SETUP", c.track(), headers{"Transport", c.offer()}, "")
	c.must(454, "PLAY", l.url, nil, "")
	if n := len(l.sessions()); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

func TestLimitHoldsForManyAtOnce(t *testing.T) {
	l := newLab(t, directions(Directions{Viewers: 3}))
	var all sync.WaitGroup
	statuses := make(chan int, 20)
	for range cap(statuses) {
		c := l.dial()
		all.Go(func() { statuses <- c.trySetup().status })
	}
	all.Wait()
	close(statuses)
	count := map[int]int{}
	for s := range statuses {
		count[s]++
	}
	if count[200] != 3 || count[453] != 17 {
		t.Errorf("%v", count)
	}
}

// checkRedirect wants a REDIRECT of the client's session.
func (c *client) checkRedirect() response {
	c.t.Helper()
	r := c.nextRequest()
	if r.method != "REDIRECT" || r.url != c.lab.url || r.header["location"] != elsewhere || r.header["session"] != c.session {
		c.t.Fatalf("not the redirection expected: %+v", r)
	}
	return r
}

// A drained holds the viewers that a drain treats differently.
type drained struct {
	follows, stays, quiet *client // by UDP
	newcomer              *client // connected, but no viewer
}

func drain(l *lab) drained {
	l.t.Helper()
	d := drained{l.dial().setupUDP(), l.dial().setupUDP(), l.dial().setupUDP(), l.dial()}
	d.newcomer.must(200, "DESCRIBE", l.url, nil, "")
	for _, c := range []*client{d.follows, d.stays, d.quiet} {
		c.play()
		c.receive(1)
		c.senderReport()
	}
	d.follows.optIn()
	d.stays.optIn()
	return d
}

// check lets one follow and one stay, and wants the others to be dismissed.
func (d drained) check(l *lab) {
	l.t.Helper()
	d.quiet.bye(d.quiet.media.ssrc)
	d.quiet.ended()
	if len(d.quiet.asked) > 0 {
		l.t.Errorf("who has not opted in is asked %+v", d.quiet.asked)
	}
	d.follows.answer(d.follows.checkRedirect(), 200, nil, "")
	d.stays.answer(d.stays.checkRedirect(), 200, nil, "")
	if r := d.newcomer.do("DESCRIBE", l.url, nil, ""); r.status != 302 || r.header["location"] != elsewhere {
		l.t.Errorf("somebody new: %d %+v", r.status, r.header)
	}
	if r := d.newcomer.trySetup(); r.status != 302 {
		l.t.Errorf("somebody new: %d", r.status)
	}
	d.follows.must(200, "TEARDOWN", l.url, nil, "")
	d.stays.bye(d.stays.media.ssrc)
	d.stays.ended()
}

func TestShutdownSendsViewersElsewhere(t *testing.T) {
	l := newLab(t, directions(Directions{DrainTo: elsewhere}), drainTime(3*time.Second))
	l.publish(true, 100)
	d := drain(l)
	begun := time.Now()
	l.halt()
	d.check(l)
	l.stop()
	if took := time.Since(begun); took < 3*time.Second || took > patience {
		t.Errorf("stopped after %v", took)
	}
}

// When all have followed there is nothing to wait for.
func TestShutdownWaitsForNobodyElse(t *testing.T) {
	l := newLab(t, directions(Directions{DrainTo: elsewhere}), drainTime(patience))
	l.publish(true, 100)
	c, silent := l.dial().setupTCP().optIn(), l.dial()
	c.play()
	silent.must(200, "OPTIONS", "*", nil, "")
	l.halt()
	c.checkRedirect()
	begun := time.Now()
	c.must(200, "TEARDOWN", l.url, nil, "")
	silent.ended()
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("%v after the last viewer left", took)
	}
}

func TestDrainWhileRunning(t *testing.T) {
	l := newLab(t, drainTime(3*time.Second))
	l.publish(true, 100)
	d := drain(l)
	directed := make(chan struct{})
	go func() {
		defer close(directed)
		l.srv.Direct(Directions{DrainTo: elsewhere})
	}()
	d.check(l)
	<-directed
	if n := len(l.sessions()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	l.checkSentAway(elsewhere)
	l.srv.Direct(Directions{DrainTo: elsewhere, Viewers: 5})
	l.checkSentAway(elsewhere) // still
	l.srv.Direct(Directions{})
	l.checkWelcome()
}

// What is in force already drains nobody: somebody changed something else.
func TestSameDirectionsDrainNobody(t *testing.T) {
	l := newLab(t, directions(Directions{DrainTo: elsewhere}))
	l.publish(true, 100)
	c := l.dial().setupTCP().optIn()
	l.srv.Direct(Directions{DrainTo: elsewhere, Viewers: 9})
	c.must(200, "OPTIONS", l.url, nil, "")
	if len(c.asked) > 0 {
		t.Errorf("asked %+v", c.asked)
	}
	l.checkWelcome()
}

// A lower limit sends away who can be sent, as many as are too many.
func TestLowerLimitRelieves(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	var clients []*client
	for range 4 {
		clients = append(clients, l.dial().setupTCP().optIn())
	}
	clients = append(clients, l.dial().setupTCP()) // has not opted in
	asked := func() (n int) {
		t.Helper()
		for _, c := range clients {
			c.must(200, "GET_PARAMETER", l.url, nil, "")
			for len(c.asked) > 0 {
				c.answer(c.checkRedirect(), 200, nil, "")
				n++
			}
		}
		return n
	}
	for _, s := range []struct {
		d    Directions
		want int
	}{
		{Directions{Viewers: 2}, 0}, // nowhere to go
		{Directions{RedirectTo: elsewhere}, 0},
		{Directions{RedirectTo: elsewhere, Viewers: 5}, 0},
		{Directions{RedirectTo: elsewhere, Viewers: 3}, 2},
		{Directions{RedirectTo: elsewhere, Viewers: 1}, 4},
	} {
		l.srv.Direct(s.d)
		if got := asked(); got != s.want {
			t.Errorf("%+v: %d are sent elsewhere, want %d", s.d, got, s.want)
		}
	}
	if n := len(l.sessions()); n != len(clients) {
		t.Errorf("%d sessions are left", n)
	}
}
