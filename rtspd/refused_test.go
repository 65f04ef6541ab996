package rtspd

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestSeriesOfRefusals(t *testing.T) {
	type event struct {
		at   float64 // seconds
		life bool
		gone bool
	}
	for _, test := range []struct {
		name   string
		events []event
	}{
		{"one", []event{{at: 5}}},
		{"two at once", []event{{at: 5}, {at: 5}}},
		{"two, far from each other", []event{{at: 5}, {at: 15}, {at: 100}}},
		{"for 10 s", []event{{at: 5}, {at: 9}, {at: 14.9}, {at: 15, gone: true}, {at: 16, gone: true}}},
		{"as rarely as sender reports", []event{{at: 5}, {at: 10}, {at: 15, gone: true}}},
		{"with a pause", []event{{at: 5}, {at: 9}, {at: 15.1}, {at: 20}, {at: 25}, {at: 25.1, gone: true}}},
		{"with life in it", []event{{at: 5}, {at: 9}, {at: 10, life: true}, {at: 11}, {at: 15}, {at: 20.9}, {at: 21, gone: true}}},
		{"life before", []event{{at: 4, life: true}, {at: 5}, {at: 10}, {at: 15, gone: true}}},
		{"life at once", []event{{at: 5}, {at: 5, life: true}, {at: 10}, {at: 15}, {at: 20, gone: true}}},
		{"life all the time", []event{{at: 5}, {at: 9, life: true}, {at: 10}, {at: 14, life: true}, {at: 15}, {at: 19, life: true}, {at: 20}, {at: 25}}},
		{"from the first moment", []event{{at: 0}, {at: 5}, {at: 10, gone: true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r refusals
			seen := -time.Second
			for _, e := range test.events {
				at := time.Duration(e.at * float64(time.Second))
				if e.life {
					seen = at
				} else if gone := r.add(at, seen); gone != e.gone {
					t.Errorf("at %v: gone %v, want %v", at, gone, e.gone)
				}
			}
		})
	}
}

// refusedSince lets the series of refusals of a client's session have begun that
// long ago, and its last sign of life before that.
func (l *lab) refusedSince(c *client, d time.Duration) {
	l.t.Helper()
	l.srv.mu.Lock()
	defer l.srv.mu.Unlock()
	ses := l.srv.sessions[c.session]
	if !ses.refusals.known {
		l.t.Fatal("nothing is refused")
	}
	ses.refusals.first = monotonic() - d
	ses.seen.Store(int64(ses.refusals.first - time.Second))
}

// publishUntil publishes until the condition holds.
func (l *lab) publishUntil(what string, ok func() bool) {
	l.t.Helper()
	await(l.t, what, func() bool {
		l.publish(true, 3000, 20) // two system calls of several packets
		return ok()
	})
}

// closedOn has what is the same for IPv4, IPv6, and RTP and RTCP by one port.
func closedOn(t *testing.T, f func(t *testing.T, l *lab, setup func(*client) *client)) {
	mux := func(c *client) *client {
		c.version = "2.0"
		return c.setupMux()
	}
	for _, test := range []struct {
		name, listen string
		setup        func(*client) *client
	}{
		{"IPv4", "127.0.0.1:0", (*client).setupUDP},
		{"IPv6", "[::1]:0", (*client).setupUDP},
		{"one port", "127.0.0.1:0", mux},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLabOn(t, test.listen)
			l.publish(true, 100)
			f(t, l, test.setup)
		})
	}
}

// A viewer whose port is closed is counted, and its session ends when that goes
// on; another viewer loses nothing by it.
func TestClosedPortEndsTheSession(t *testing.T) {
	closedOn(t, func(t *testing.T, l *lab, setup func(*client) *client) {
		dead, lives := setup(l.dial()), l.dial().setupUDP()
		dead.playAny()
		lives.play()
		first := len(l.published) - 1
		_ = dead.udp[0].Close()
		read := func() { lives.receive(len(l.published) - first) } // the kernel does not keep much
		l.publishUntil("the refusal", func() bool { read(); return l.stream.Stats().Unreachable == 1 })
		if n := len(l.sessions()); n != 2 {
			t.Fatalf("%d sessions: one refusal has ended one", n)
		}
		l.refusedSince(dead, refusedLimit-time.Minute) // a series that has just begun
		l.publish(true, 100)
		l.refusedSince(dead, refusedLimit)
		l.publishUntil("the end of the session", func() bool { read(); return len(l.sessions()) == 1 })
		if r := dead.do("PAUSE", l.url, nil, ""); r.status != 454 {
			t.Errorf("PAUSE: %d", r.status)
		}
		if st := l.stream.Stats(); st.Unreachable != 1 || st.Refused != 0 || st.Viewers != 1 {
			t.Errorf("%+v", st)
		}
		read()
		lives.media.equal(t, l.published[first:])
	})
}

// playAny plays in the version that the client speaks.
func (c *client) playAny() {
	c.t.Helper()
	if c.version == "2.0" {
		c.play2()
	} else {
		c.play()
	}
}

// A sign of life begins the count anew: RTCP, or a request.
func TestRefusalsAndLife(t *testing.T) {
	for name, life := range map[string]func(c *client){
		"RTCP":      func(c *client) { c.sendReport(marshal(c.t, &rtcp.ReceiverReport{SSRC: 7})) },
		"a request": func(c *client) { c.must(200, "GET_PARAMETER", c.lab.url, nil, "") },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c := l.dial().setupUDP()
			c.play()
			to, begun := addrPort(c.udp[0].LocalAddr()), monotonic()
			refuse := func(from, until time.Duration) {
				for ; from <= until; from += time.Second {
					l.srv.refused(to, from)
				}
			}
			refuse(begun, begun+refusedLimit-1)
			seen := &l.srv.session(c.session).seen
			before := seen.Load()
			life(c)
			await(t, "the sign of life", func() bool { return seen.Load() > before })
			refuse(begun+refusedLimit, begun+2*refusedLimit-time.Second)
			if n := len(l.sessions()); n != 1 {
				t.Fatal("the session has ended")
			}
			refuse(begun+2*refusedLimit, begun+2*refusedLimit)
			if n := len(l.sessions()); n != 0 {
				t.Error("the session goes on")
			}
		})
	}
}

// A player that is started again on its port goes on.
func TestPlayerComesBackToItsPort(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	c.play()
	at := c.udp[0].LocalAddr().(*net.UDPAddr)
	_ = c.udp[0].Close()
	l.publishUntil("the refusal", func() bool { return l.stream.Stats().Unreachable == 1 })
	var err error
	if c.udp[0], err = net.ListenUDP("udp", at); err != nil {
		t.Fatal(err)
	}
	l.publish(true, 100)
	if b := c.datagram(0); len(b) == 0 {
		t.Error("an empty packet")
	}
}

// What somebody makes up about an address that nobody watches from changes nothing.
func TestRefusalsOfStrangers(t *testing.T) {
	l := newLab(t)
	c, tcp := l.dial().setupUDP(), l.dial().setupTCP()
	c.play()
	tcp.play()
	for i := range 30 {
		for _, a := range []string{"127.0.0.1:9", "[::1]:9", "192.0.2.1:5000"} {
			l.srv.refused(netip.MustParseAddrPort(a), monotonic()+time.Duration(i)*time.Second)
		}
	}
	if st := l.stream.Stats(); st.Unreachable != 0 || len(l.sessions()) != 2 {
		t.Errorf("%+v", st)
	}
}
