package rtspd

import (
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// polled runs the clockwork so that the client is asked, and gives the request.
func (c *client) polled(after time.Duration) response {
	c.t.Helper()
	c.lab.sweepLater(after)
	r := c.nextRequest()
	if r.method != "GET_PARAMETER" || r.url != c.lab.url || r.header["session"] != c.session ||
		r.header["content-type"] != "text/parameters" || r.body != "packets_received\r\njitter\r\n" {
		c.t.Fatalf("not the question expected: %+v", r)
	}
	return r
}

// checkNotPolled wants the clockwork to ask nothing.
func (c *client) checkNotPolled(after time.Duration) {
	c.t.Helper()
	c.lab.sweepLater(after)
	c.must(200, "OPTIONS", "*", nil, "")
	if len(c.asked) > 0 {
		c.t.Errorf("asked %+v", c.asked)
		c.asked = nil
	}
}

const parametersType = "text/parameters"

// tell answers a question, and waits until the answer is used.
func (c *client) tell(r response, body string) Stats {
	c.t.Helper()
	c.answer(r, 200, headers{"Content-Type", parametersType}, body)
	c.must(200, "OPTIONS", "*", nil, "")
	return c.lab.stream.Stats()
}

func TestClientsAreAskedWhatTheyReceive(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		l.publish(true, 100)
		c := setup(l.dial()).optIn()
		c.checkNotPolled(time.Minute / 2) // it does not play
		c.play()
		for range 20 {
			l.publish(false, 100)
		}
		c.receive(21)
		c.checkNotPolled(0)
		c.checkNotPolled(pollInterval / 10)
		if st := c.tell(c.polled(pollInterval), "packets_received: 7\r\njitter: 2.5\r\n"); st.Received != 7 || st.Jitter != 2500*time.Microsecond {
			t.Errorf("%+v", st)
		}
		c.checkNotPolled(pollInterval)
		for _, s := range []struct {
			body     string
			received uint64
			jitter   time.Duration
		}{
			{"packets_received: 12\r\n", 12, 2500 * time.Microsecond},
			{"jitter: 0\r\npackets_received: 9\r\n", 12, 0}, // the sums never fall
			{"jitter: much\r\npackets_received: all\r\n", 12, 0},
			{"", 12, 0},
			{": \r\n", 12, 0},
			{"packets_received: 9999999\r\njitter: -1\r\n", uint64(c.media.packets), 0}, // no more than were sent
		} {
			l.srv.session(c.session).polled.Store(1)
			if st := c.tell(c.polled(0), s.body); st.Received != s.received || st.Jitter != s.jitter || st.Lost != 0 {
				t.Errorf("%q: %+v", s.body, st)
			}
		}
		c.must(200, "PAUSE", l.url, nil, "")
		c.checkNotPolled(time.Minute / 2)
	})
}

// Receiver reports say more, and count more.
func TestReceiverReportsWin(t *testing.T) {
	both(t, func(t *testing.T, setup func(*client) *client) {
		l := newLab(t)
		l.publish(true, 100)
		c := setup(l.dial()).optIn()
		c.play()
		l.publish(false, 100)
		c.receive(2)
		l.sweepLater(0)
		r := c.polled(pollInterval)
		c.sendReport(marshal(t, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{
			SSRC: c.media.ssrc, LastSequenceNumber: uint32(l.stream.viewers[0].firstSeq) + 1, Jitter: 90,
		}}}))
		await(t, "the report is heard", func() bool { return l.stream.Stats().Jitter == time.Millisecond })
		before := l.stream.Stats().Received
		if st := c.tell(r, "packets_received: 3\r\njitter: 50\r\n"); st.Received != before || st.Jitter != time.Millisecond {
			t.Errorf("%+v, received before: %d", st, before)
		}
	})
}

func TestWhoIsNotAskedWhatItReceives(t *testing.T) {
	l := newLab(t)
	l.publish(true, 100)
	quiet := l.dial().setupUDP()
	quiet.play()
	l.sweepLater(0)
	quiet.checkNotPolled(pollInterval * 2)

	refuses := l.dial().setupTCP().optIn()
	refuses.play()
	l.sweepLater(0)
	refuses.answer(refuses.polled(pollInterval), 501, nil, "")
	refuses.must(200, "OPTIONS", "*", nil, "")
	refuses.checkNotPolled(pollInterval * 3)
}

func FuzzParseTold(f *testing.F) {
	for _, s := range []string{
		"packets_received: 10\r\njitter: 0.3838\r\n", "packets_received\njitter\n", "jitter: NaN", "jitter: 1e300",
		"packets_received: -1", "packets_received: 99999999999999999999", strings.Repeat("a: b\n", 100), ":",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if got := parseTold(body); got.received < -1 || got.jitter < -1 || got.jitter > maxJitter {
			t.Errorf("%+v", got)
		}
	})
}
