package advert

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// testZoneOn is a zone whose instance runs on another host.
func testZoneOn(t testing.TB, name, host string) *zone {
	t.Helper()
	z, err := newZone(testService(name, host), nil)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestConflicts(t *testing.T) {
	ours := testZone(t, "door", v4) // on lenslet-0a1b2c
	low, high := testZoneOn(t, "DOOR", "aaaaaaaaaaaaaa"), testZoneOn(t, "Door", "zzzzzzzzzzzzzz")
	for _, c := range []struct {
		what        string
		live        bool
		m           *dns.Msg
		port        uint16
		lost, again bool
	}{
		{"probing, taken by a later one", false, response(high.announced(), nil), mdnsPort, true, false},
		{"probing, taken by an earlier one", false, response(low.announced(), nil), mdnsPort, true, false},
		{"probing, taken, in the additional records", false, response([]dns.RR{high.ptr}, []dns.RR{high.srv}), mdnsPort, true, false},
		{"probing, our own echo", false, response(ours.announced(), nil), mdnsPort, false, false},
		{"probing, a goodbye", false, goodbye(high.owned()), mdnsPort, false, false},
		{"probing, another name", false, response(testZoneOn(t, "gate", "x").announced(), nil), mdnsPort, false, false},
		{"probing, from another port", false, response(high.announced(), nil), 50000, false, false},
		{"live, a later one", true, response(high.announced(), nil), mdnsPort, true, false},
		{"live, an earlier one", true, response(low.announced(), nil), mdnsPort, false, true},
		{"live, our own echo", true, response(ours.announced(), nil), mdnsPort, false, false},
		{"live, a goodbye", true, goodbye(high.owned()), mdnsPort, false, false},
	} {
		r := newResponder(ours, start)
		r.probeFirst(0)
		if c.live {
			r = settled(t, ours)
		}
		if lost := r.receive(c.m, c.port, start); lost != c.lost {
			t.Errorf("%s: lost %t, want %t", c.what, lost, c.lost)
		}
		if again := c.live && len(listen(r, 0, time.Minute)) > 0; again != c.again {
			t.Errorf("%s: announced again %t, want %t", c.what, again, c.again)
		}
	}
}

func TestAnnouncesAgainOnceASecond(t *testing.T) {
	r := settled(t, testZone(t, "door", v4))
	rival := response(testZoneOn(t, "door", "aaaaaaaaaaaaaa").announced(), nil)
	var said []spoken
	for at := time.Duration(0); at < 3*time.Second; at += 100 * time.Millisecond {
		r.receive(rival, mdnsPort, start.Add(at))
		said = append(said, listen(r, at, at+99*time.Millisecond)...)
	}
	if len(said) != 3 {
		t.Errorf("%d announcements in three seconds", len(said))
	}
}

func TestTieOfTwoThatProbe(t *testing.T) {
	ours := testZone(t, "door", v4)
	for _, c := range []struct {
		what   string
		m      *dns.Msg
		yields bool
	}{
		{"a later one", probe(testZoneOn(t, "door", "zzzzzzzzzzzzzz")), true},
		{"an earlier one", probe(testZoneOn(t, "door", "aaaaaaaaaaaaaa")), false},
		{"our own echo", probe(ours), false},
		{"another name", probe(testZoneOn(t, "gate", "zzzzzzzzzzzzzz")), false},
		{"a mere question", ask(ours.instance, dns.TypeANY), false},
	} {
		r := newResponder(ours, start)
		r.probeFirst(0)
		listen(r, 0, 600*time.Millisecond)
		if r.receive(c.m, mdnsPort, start.Add(600*time.Millisecond)) {
			t.Errorf("%s: the name is lost at once", c.what)
		}
		all := listen(r, 600*time.Millisecond, time.Minute)
		if yields := all[0].at >= 600*time.Millisecond+yieldDelay; yields != c.yields {
			t.Errorf("%s: goes on after %s", c.what, all[0].at)
		}
	}
}

// A simulated camera takes another name when it loses one, as an Advert does.
type simulated struct {
	*responder
	name, host string
	plugged    time.Duration
}

// Cameras of one name, plugged in within a second of each other, or much later,
// must end with different names, whatever the order of things.
func TestCamerasShareALink(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 200 {
		cameras := make([]*simulated, 2+random.IntN(3))
		for i := range cameras {
			cameras[i] = &simulated{name: "door", host: fmt.Sprintf("camera%d", random.IntN(1e6)*10+i),
				plugged: time.Duration(random.IntN(200)) * 5 * time.Millisecond}
			if random.IntN(3) == 0 {
				cameras[i].plugged *= 5
			}
		}
		simulate(t, cameras, 20*time.Second)
		names := map[string]bool{}
		for _, c := range cameras {
			if !c.live || names[c.name] {
				t.Errorf("round %d: %q of %s is live: %t, after %v", round, c.name, c.host, c.live, names)
			}
			names[c.name] = true
		}
		if !names["door"] {
			t.Errorf("round %d: nobody is called door, but %v", round, names)
		}
	}
}

// simulate lets cameras hear each other, and themselves, over packed messages.
func simulate(t *testing.T, cameras []*simulated, until time.Duration) {
	t.Helper()
	for at := time.Duration(0); at < until; at += 5 * time.Millisecond {
		now := start.Add(at)
		for _, c := range cameras {
			if c.plugged == at {
				c.responder = newResponder(testZoneOn(t, c.name, c.host), now)
				c.probeFirst(0)
			}
			if at < c.plugged {
				continue
			}
			for m := c.due(now); m != nil; m = c.due(now) {
				wire, err := m.Pack()
				if err != nil {
					t.Fatal(err)
				}
				hear(t, cameras, wire, at)
			}
		}
	}
}

func hear(t *testing.T, cameras []*simulated, wire []byte, at time.Duration) {
	t.Helper()
	for _, c := range cameras {
		m := new(dns.Msg)
		if err := m.Unpack(wire); err != nil {
			t.Fatal(err)
		}
		if at < c.plugged || c.responder == nil || !c.receive(m, mdnsPort, start.Add(at)) {
			continue
		}
		c.name = nextName(c.name)
		c.responder = newResponder(testZoneOn(t, c.name, c.host), start.Add(at))
		c.probeFirst(0)
	}
}
