package advert

import (
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
