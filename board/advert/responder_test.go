package advert

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/miekg/dns"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// spoken is a message and when it was said, after start.
type spoken struct {
	at time.Duration
	m  *dns.Msg
}

// listen runs a responder on a clock of its own until a time, and gives what it
// says.
func listen(r *responder, from, until time.Duration) []spoken {
	var all []spoken
	for at := from; at <= until; at += time.Millisecond {
		for m := r.due(start.Add(at)); m != nil; m = r.due(start.Add(at)) {
			all = append(all, spoken{at, m})
		}
	}
	return all
}

// settled is a responder that has announced twice; its link was quiet for a minute.
func settled(t *testing.T, z *zone) *responder {
	t.Helper()
	r := newResponder(z, start.Add(-time.Minute))
	listen(r, -time.Minute, -time.Minute+2*time.Second)
	if !r.live || !r.wake().IsZero() {
		t.Fatalf("not settled: %+v", r)
	}
	return r
}

func TestProbesThreeTimesAndAnnouncesTwice(t *testing.T) {
	for range 100 {
		z := testZone(t, "door", v4, v6)
		r := newResponder(z, start)
		r.probeFirst(0)
		all := listen(r, 0, time.Minute)
		if len(all) != 5 {
			t.Fatalf("%d messages, want 3 probes and 2 announcements", len(all))
		}
		for i, s := range all {
			want := all[0].at + time.Duration(i)*probeGap
			if i == 4 {
				want = all[3].at + announceGap
			}
			if s.m.Response != (i >= 3) || s.at != want {
				t.Errorf("message %d after %s (want %s): %v", i, s.at, want, s.m)
			}
		}
		// To be found within two seconds, the first announcement must come in one.
		if all[0].at > probeGap || all[3].at > time.Second+time.Millisecond {
			t.Errorf("first probe after %s, first announcement after %s", all[0].at, all[3].at)
		}
		if kinds(all[3].m.Answer) != "PTR PTR SRV TXT A AAAA" {
			t.Errorf("announced %s", kinds(all[3].m.Answer))
		}
	}
}

func TestPausesBeforeProbing(t *testing.T) {
	r := newResponder(testZone(t, "door", v4), start)
	r.probeFirst(calmDelay)
	if all := listen(r, 0, calmDelay-1); len(all) != 0 {
		t.Errorf("spoke %s after start", all[0].at)
	}
	if all := listen(r, calmDelay, calmDelay+probeGap); len(all) == 0 {
		t.Error("silent after the pause")
	}
}

func TestTakesBackFirst(t *testing.T) {
	old, z := testZone(t, "door", v4), testZone(t, "gate", v4)
	r := newResponder(z, start)
	r.takeBack(old.without(z))
	r.probeFirst(0)
	all := listen(r, 0, time.Minute)
	if len(all) != 6 || all[0].at != 0 || kinds(all[0].m.Answer) != "PTR SRV TXT" || all[0].m.Answer[0].Header().Ttl != 0 {
		t.Errorf("%d messages, the first after %s: %v", len(all), all[0].at, all[0].m)
	}
}

func TestWakeIsWhenSomethingIsDue(t *testing.T) {
	r := newResponder(testZone(t, "door", v4), start)
	r.probeFirst(0)
	at := start
	for range 5 {
		wake := r.wake()
		if wake.Before(at) {
			t.Fatalf("wakes at %s, before %s", wake, at)
		}
		if m := r.due(wake.Add(-1)); m != nil {
			t.Errorf("spoke before %s: %v", wake, m)
		}
		if r.due(wake) == nil {
			t.Errorf("silent at %s", wake)
		}
		at = wake
	}
	if !r.wake().IsZero() {
		t.Errorf("wakes at %s with nothing to say", r.wake())
	}
	r.receive(ask(serviceName, dns.TypePTR), mdnsPort, at.Add(time.Minute))
	if d := r.wake().Sub(at.Add(time.Minute)); d < sharedMin || d > sharedMin+sharedSpan {
		t.Errorf("wakes %s after a question", d)
	}
}

func ask(name string, qtype uint16) *dns.Msg {
	return question(dns.Question{Name: name, Qtype: qtype, Qclass: dns.ClassINET})
}

func with(m *dns.Msg, change func(*dns.Msg)) *dns.Msg {
	change(m)
	return m
}

type answerCase struct {
	what   string
	m      *dns.Msg
	port   uint16
	answer string // empty: silence
}

func answerCases(t *testing.T, z *zone) []answerCase {
	unicast := func(m *dns.Msg) { m.Question[0].Qclass |= unicastBit }
	knows := func(ttl uint32, rrs ...dns.RR) func(*dns.Msg) {
		return func(m *dns.Msg) {
			for _, rr := range rrs {
				rr = dns.Copy(rr)
				rr.Header().Ttl = ttl
				m.Answer = append(m.Answer, rr)
			}
		}
	}
	return []answerCase{
		{"a browser", ask(serviceName, dns.TypePTR), mdnsPort, "PTR"},
		{"an enumeration", ask(enumName, dns.TypePTR), mdnsPort, "PTR"},
		{"a resolver", ask(z.instance, dns.TypeSRV), mdnsPort, "SRV"},
		{"two questions", with(ask(z.instance, dns.TypeSRV), func(m *dns.Msg) {
			m.Question = append(m.Question, ask(z.instance, dns.TypeTXT).Question...)
		}), mdnsPort, "SRV TXT"},
		{"the same question twice", with(ask(z.instance, dns.TypeSRV), func(m *dns.Msg) {
			m.Question = append(m.Question, m.Question...)
		}), mdnsPort, "SRV"},
		{"a negative answer", ask(z.host, dns.TypeHINFO), mdnsPort, "NSEC"},
		{"known answers that go on", with(ask(serviceName, dns.TypePTR), func(m *dns.Msg) { m.Truncated = true }), mdnsPort, "PTR"},
		{"someone else's name", ask("other.local.", dns.TypeA), mdnsPort, ""},
		{"from another port", ask(serviceName, dns.TypePTR), 50000, ""},
		{"a unicast question", with(ask(serviceName, dns.TypePTR), unicast), mdnsPort, ""},
		{"an opcode", with(ask(serviceName, dns.TypePTR), func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }), mdnsPort, ""},
		{"an rcode", with(ask(serviceName, dns.TypePTR), func(m *dns.Msg) { m.Rcode = dns.RcodeRefused }), mdnsPort, ""},
		{"a response with a question", with(ask(serviceName, dns.TypePTR), func(m *dns.Msg) { m.Response = true }), mdnsPort, ""},
		{"known", with(ask(serviceName, dns.TypePTR), knows(serviceTTL, z.ptr)), mdnsPort, ""},
		{"known for half its life", with(ask(serviceName, dns.TypePTR), knows(serviceTTL/2, z.ptr)), mdnsPort, ""},
		{"known, but old", with(ask(serviceName, dns.TypePTR), knows(serviceTTL/2-1, z.ptr)), mdnsPort, "PTR"},
		{"another camera known", with(ask(serviceName, dns.TypePTR), knows(serviceTTL, testZone(t, "gate", v4).ptr)), mdnsPort, "PTR"},
		{"one of two known", with(ask(z.instance, dns.TypeANY), knows(hostTTL, z.srv)), mdnsPort, "TXT"},
		{"a probe", with(ask(z.instance, dns.TypeANY), func(m *dns.Msg) { m.Ns = parse(t, z.instance+" SRV 0 0 1 x.local.") }), mdnsPort, "SRV TXT"},
		{"a probe for a unicast answer", with(ask(z.instance, dns.TypeANY), func(m *dns.Msg) {
			unicast(m)
			m.Ns = parse(t, z.instance+" SRV 0 0 1 x.local.")
		}), mdnsPort, "SRV TXT"},
	}
}

func TestAnswers(t *testing.T) {
	z := testZone(t, "door", v4, v6)
	for _, c := range answerCases(t, z) {
		r := settled(t, z)
		if r.receive(c.m, c.port, start) {
			t.Errorf("%s: the name is lost", c.what)
		}
		all := listen(r, 0, time.Minute)
		if c.answer == "" {
			if len(all) != 0 {
				t.Errorf("%s: answered %v", c.what, all[0].m)
			}
			continue
		}
		if len(all) != 1 || kinds(all[0].m.Answer) != c.answer {
			t.Errorf("%s: answers %v, want %s", c.what, all, c.answer)
			continue
		}
		delayed := all[0].m.Answer[0].Header().Rrtype == dns.TypePTR
		if delayed && (all[0].at < sharedMin || all[0].at > sharedMin+sharedSpan) || !delayed && all[0].at != 0 {
			t.Errorf("%s: answered after %s", c.what, all[0].at)
		}
	}
}

func TestAnswerBringsWhatIsAskedNext(t *testing.T) {
	r := settled(t, testZone(t, "door", v4, v6))
	r.receive(ask(serviceName, dns.TypePTR), mdnsPort, start)
	r.receive(ask(r.zone.instance, dns.TypeTXT), mdnsPort, start)
	all := listen(r, 0, time.Minute)
	if len(all) != 1 || kinds(all[0].m.Answer) != "PTR TXT" || kinds(all[0].m.Extra) != "SRV A AAAA" {
		t.Errorf("answers %v", all)
	}
}

func TestAnswersOnceASecond(t *testing.T) {
	z := testZone(t, "door", v4)
	r := settled(t, z)
	srv := func(at time.Duration) []spoken {
		r.receive(ask(z.instance, dns.TypeSRV), mdnsPort, start.Add(at))
		return listen(r, at, at+200*time.Millisecond)
	}
	for _, c := range []struct {
		at      time.Duration
		answers int
	}{{0, 1}, {300 * time.Millisecond, 0}, {999 * time.Millisecond, 0}, {1000 * time.Millisecond, 1}, {1500 * time.Millisecond, 0}, {5 * time.Second, 1}} {
		if all := srv(c.at); len(all) != c.answers {
			t.Errorf("after %s: %d answers, want %d", c.at, len(all), c.answers)
		}
	}
}

func TestDefendsItsNameFourTimesASecond(t *testing.T) {
	z := testZone(t, "door", v4)
	r := settled(t, z)
	rival := probe(testZoneOn(t, "door", "rival"))
	for _, c := range []struct {
		at      time.Duration
		answers int
	}{{0, 1}, {249 * time.Millisecond, 0}, {250 * time.Millisecond, 1}, {500 * time.Millisecond, 1}} {
		if r.receive(rival, mdnsPort, start.Add(c.at)) {
			t.Error("lost the name to one that only asks")
		}
		if all := listen(r, c.at, c.at+time.Millisecond); len(all) != c.answers {
			t.Errorf("after %s: %d answers, want %d", c.at, len(all), c.answers)
		}
	}
}

func TestIsSilentUntilTheNameIsItsOwn(t *testing.T) {
	r := newResponder(testZone(t, "door", v4), start)
	r.probeFirst(0)
	r.receive(ask(serviceName, dns.TypePTR), mdnsPort, start)
	r.receive(ask(r.zone.instance, dns.TypeANY), mdnsPort, start)
	for _, s := range listen(r, 0, 900*time.Millisecond) {
		if s.m.Response && kinds(s.m.Answer) != "PTR PTR SRV TXT A" {
			t.Errorf("answered after %s: %v", s.at, s.m)
		}
	}
}

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

// FuzzResponder hears anything, in any of its states, and must answer with
// messages that can be sent.
func FuzzResponder(f *testing.F) {
	z := testZone(f, "front door", v4, v6)
	rival := testZoneOn(f, "front door", "zzz")
	for _, m := range []*dns.Msg{
		ask(serviceName, dns.TypePTR), ask(z.instance, dns.TypeANY), ask(z.host, dns.TypeHINFO), probe(z), probe(rival),
		response(z.announced(), nil), response(rival.announced(), []dns.RR{rival.hostTypes}), goodbye(rival.owned()),
	} {
		wire, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire, uint16(mdnsPort), uint8(7))
	}
	f.Fuzz(func(t *testing.T, wire []byte, port uint16, phase uint8) {
		m := new(dns.Msg)
		if len(wire) > maxMessage || m.Unpack(wire) != nil {
			return
		}
		now := start
		r := newResponder(z, now)
		r.probeFirst(0)
		for range phase % 10 {
			now = now.Add(250 * time.Millisecond)
			r.due(now)
		}
		r.receive(m, port, now)
		for range 20 {
			now = now.Add(125 * time.Millisecond)
			if out := r.due(now); out != nil {
				if wire, err := out.Pack(); err != nil || len(wire) > 1452 {
					t.Fatalf("answer of %d bytes: %v", len(wire), err)
				}
			}
		}
		if len(r.answers) > 0 {
			t.Fatalf("answers are left: %v", r.answers)
		}
	})
}
