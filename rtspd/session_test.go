package rtspd

import (
	"encoding/hex"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestSilentSessionEnds(t *testing.T) {
	l := newLab(t)
	c, idle := l.dial().setupUDP(), l.dial().setupUDP()
	c.play()
	c.receive(1)
	c.senderReport()
	l.sweepLater(59 * time.Second)
	if n := len(l.sessions()); n != 2 {
		t.Fatalf("%d sessions after 59 s", n)
	}
	l.sweepLater(62 * time.Second)
	if n := len(l.sessions()); n != 0 {
		t.Fatalf("%d sessions after 62 s", n)
	}
	c.senderReport()
	c.bye(c.media.ssrc)
	c.must(454, "PLAY", l.url, nil, "")
	idle.must(454, "PLAY", l.url, nil, "")
	if l.rtcpAddresses() != 0 {
		t.Error("addresses are left")
	}
}

// Who sets up and tears down for ever, or displaces one session by the next, takes no
// memory for ever.
func TestEndedSessionsAreForgotten(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	transport := c.setUp.header["transport"]
	transport, _, _ = strings.Cut(transport, ";server_port")
	for i := range 100 {
		if i%2 == 0 {
			c.must(200, "TEARDOWN", l.url, nil, "")
		}
		c.session = ""
		c.setup(transport)
	}
	c.must(200, "OPTIONS", l.url, nil, "")
	l.srv.mu.Lock()
	defer l.srv.mu.Unlock()
	for served := range l.srv.conns {
		if n := len(served.sessions); n > 2 {
			t.Errorf("the connection remembers %d sessions", n)
		}
	}
}

// Session identifiers have 128 bits, and no two are the same.
func TestSessionIdentifiers(t *testing.T) {
	l := newLab(t)
	for _, c := range []*client{l.dial(), l.dial2()} {
		seen := map[string]bool{}
		for range 10 {
			c.session = ""
			c.setup("RTP/AVP/TCP;unicast")
			if b, err := hex.DecodeString(c.session); err != nil || len(b) != 16 || seen[c.session] {
				t.Errorf("%q, %v", c.session, err)
			}
			seen[c.session] = true
		}
	}
}

func TestSessionTimeoutIsTold(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.SessionTimeout = 17 * time.Second })
	c := l.dial().setupUDP()
	if got := c.setUp.header["session"]; got != c.session+";timeout=17" {
		t.Errorf("Session: %s", got)
	}
	l.sweepLater(16 * time.Second)
	c.must(200, "OPTIONS", "*", nil, "")
	l.sweepLater(19 * time.Second)
	c.must(454, "OPTIONS", "*", nil, "")
}

func TestSignsOfLife(t *testing.T) {
	for _, s := range []struct {
		name string
		give func(c *client)
	}{
		{"OPTIONS", func(c *client) { c.must(200, "OPTIONS", c.lab.url, nil, "") }},
		{"OPTIONS of the server", func(c *client) { c.must(200, "OPTIONS", "*", nil, "") }},
		{"GET_PARAMETER", func(c *client) { c.must(200, "GET_PARAMETER", c.lab.url, nil, "") }},
		{"SET_PARAMETER", func(c *client) { c.must(200, "SET_PARAMETER", c.lab.url, nil, "") }},
		{"DESCRIBE", func(c *client) { c.must(200, "DESCRIBE", c.lab.url, nil, "") }},
		{"PLAY", func(c *client) { c.must(200, "PLAY", c.lab.url, nil, "") }},
		{"a request that is refused", func(c *client) { c.must(457, "PLAY", c.lab.url, headers{"Range", "npt=5-"}, "") }},
		{"a request in another connection", func(c *client) {
			other := c.lab.dial()
			other.session = c.session
			other.must(200, "OPTIONS", c.lab.url, nil, "")
		}},
		{"RTCP", func(c *client) { c.sendReport(marshal(c.t, &rtcp.ReceiverReport{SSRC: 1})) }},
	} {
		t.Run(s.name, func(t *testing.T) {
			both(t, func(t *testing.T, setup func(*client) *client) {
				l := newLab(t)
				c := setup(l.dial())
				c.play()
				c.receive(1)
				ses := l.srv.session(c.session)
				ses.seen.Store(0)
				s.give(c)
				await(t, "the sign of life is seen", func() bool { return ses.seen.Load() > 0 })
				l.sweepLater(time.Minute - patience)
				if len(l.sessions()) != 1 {
					t.Error("the session has ended")
				}
			})
		})
	}
}

// A viewer that takes what is sent in its connection is alive.
func TestInterleavedViewerThatReadsIsAlive(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupTCP()
	c.play()
	ses := l.srv.session(c.session)
	ses.seen.Store(0)
	c.lab.publish(false, 100)
	c.receive(2)
	if d := ses.silent(monotonic()); d > patience {
		t.Errorf("silent for %v", d)
	}
	l.sweepLater(time.Minute - patience)
	if len(l.sessions()) != 1 {
		t.Fatal("the session has ended")
	}
	l.sweepLater(time.Hour)
	if len(l.sessions()) != 0 {
		t.Fatal("the session goes on")
	}
	c.ended()
	c.takeFrames()
	c.senderReport()
	c.senderReport()
	c.bye(c.media.ssrc)
}

// A connection that nobody needs is closed; one whose viewer by UDP lives, by
// RTCP alone, is kept.
func TestSilentConnections(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.SessionTimeout = 2 * time.Second })
	c := l.dial().setupUDP()
	c.play()
	l.srv.session(c.session).seen.Store(int64(monotonic() + time.Hour)) // as if RTCP came all that time
	l.dial().ended()                                                    // which fell silent later
	c.must(200, "OPTIONS", "*", nil, "")
	l.sweepLater(time.Minute)
	if n := len(l.sessions()); n != 0 {
		t.Errorf("%d sessions", n)
	}
	c.session = ""
	c.ended()
}

func TestRequestMustBeComplete(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.RequestTimeout = 200 * time.Millisecond })
	c := l.dial()
	c.must(200, "OPTIONS", "*", nil, "")
	c.write([]byte("\r\n\r\n")) // these begin no request
	time.Sleep(400 * time.Millisecond)
	c.must(200, "OPTIONS", "*", nil, "")
	c.write([]byte("OPTIONS * RTSP/1.0\r\nCS"))
	if r := c.response(); r.status != 408 {
		t.Errorf("%d", r.status)
	}
	c.ended()
}

// A writer of one byte now and then does not gain time.
func TestSlowWriter(t *testing.T) {
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.RequestTimeout = 200 * time.Millisecond })
	c := l.dial()
	done := make(chan response)
	go func() {
		r, _ := readResponse(c.br)
		done <- r
	}()
	for {
		_, _ = c.nc.Write([]byte("A")) // fails once the server has closed
		select {
		case r := <-done:
			if r.status != 408 {
				t.Errorf("%d", r.status)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestEndOfTheConnectionEndsInterleavedSessionsOnly(t *testing.T) {
	l := newLab(t)
	udp, tcp := l.dial().setupUDP(), l.dial().setupTCP()
	udp.play()
	tcp.play()
	_, _ = udp.nc.Close(), tcp.nc.Close()
	await(t, "one session is left", func() bool { return slices.Equal(l.sessions(), []string{udp.session}) })
	await(t, "one viewer is left", func() bool { n, _ := l.viewers(); return n == 1 })
	l.publish(false, 1000)
	udp.receive(3)
	udp.media.equal(t, l.published)
	other := l.dial()
	other.session = udp.session
	other.must(200, "TEARDOWN", l.url, nil, "")
}

// The answers to requests are still sent to who says no more than these.
func TestHalfClosedConnection(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	c.write([]byte("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: 2\r\n\r\n"))
	if err := c.nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1", "2"} {
		if r := c.response(); r.cseq != want {
			t.Errorf("answer to %s", r.cseq)
		}
	}
	c.ended()
}

func TestPortUsedAgain(t *testing.T) {
	l := newLab(t)
	old := l.dial().setupUDP()
	old.play()
	old.receive(1)
	old.senderReport()
	c := l.dial()
	c.udp = old.udp // the viewer of old has left, its ports were given to another
	port := c.udp[0].LocalAddr().(*net.UDPAddr).Port
	c.setup(fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1))
	if !slices.Equal(l.sessions(), []string{c.session}) {
		t.Errorf("sessions %v", l.sessions())
	}
	if !c.silent(1) {
		t.Error("RTCP of the old session came to the new viewer")
	}
	l.publish(true, 100)
	if !c.silent(0) {
		t.Error("packets of the old session came to the new viewer")
	}
	old.must(454, "PLAY", l.url, nil, "")
	c.play()
	c.receive(1)
	if n, _ := l.viewers(); n != 1 {
		t.Errorf("%d viewers", n)
	}
}

// A viewer may set its session up again on the same ports.
func TestSamePortsInTheSameSession(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	first := c.session
	transport := c.setUp.header["transport"]
	_, ports, _ := strings.Cut(transport, "client_port=")
	ports, _, _ = strings.Cut(ports, ";")
	c.setup("RTP/AVP;unicast;client_port=" + ports)
	if c.session != first || len(l.sessions()) != 1 || l.rtcpAddresses() != 1 {
		t.Errorf("session %s became %s; %d sessions", first, c.session, len(l.sessions()))
	}
	c.play()
	c.receive(1)
}

// Sessions that push each other off one port do not wait for each other.
func TestSessionsFightForAPort(t *testing.T) {
	l := newLab(t)
	done := make(chan struct{})
	const fighters = 4
	for range fighters {
		c := l.dial()
		go func() {
			defer func() { done <- struct{}{} }()
			for range 200 {
				r := c.do("SETUP", c.track(), headers{"Transport", "RTP/AVP;unicast;client_port=5000-5001"}, "")
				c.session, _, _ = strings.Cut(r.header["session"], ";") // none when it was pushed off: begin again
			}
		}()
	}
	for range fighters {
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("they wait for each other")
		}
	}
	if n := l.rtcpAddresses(); n > 1 || len(l.sessions()) != n {
		t.Errorf("%d sessions, %d addresses", len(l.sessions()), n)
	}
}

// An ended session does not come back by a request that was on its way.
func TestEndedSessionStaysEnded(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupUDP()
	ses := l.srv.session(c.session)
	v := ses.viewer.Load()
	l.srv.end(ses, "test", true)
	l.srv.end(ses, "test", true)
	if _, ok := l.srv.bind(ses, v); ok || len(l.sessions()) != 0 {
		t.Error("it came back")
	}
}

// PLAY, which may wait for a key frame, keeps nobody from ending the session.
func TestSessionEndsWhilePlayWaits(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(l *lab, c *client)
	}{
		{"teardown in another connection", func(l *lab, c *client) {
			other := l.dial()
			other.session = c.session
			other.must(200, "TEARDOWN", l.url, nil, "")
		}},
		{"silence", func(l *lab, _ *client) { l.sweepLater(time.Hour) }},
		{"BYE", func(l *lab, c *client) {
			c.sendReport(marshal(l.t, &rtcp.ReceiverReport{SSRC: 7}, &rtcp.Goodbye{Sources: []uint32{7}}))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			client := l.dial().setupUDP()
			client.write(client.request("PLAY", l.url, nil, ""))
			l.awaitWaiting(1)
			c.end(l, client)
			await(t, "the session ends", func() bool { n, _ := l.viewers(); return n == 0 && len(l.sessions()) == 0 })
			l.publish(true, 100)
			client.response()
			client.must(454, "PAUSE", l.url, nil, "")
		})
	}
}
