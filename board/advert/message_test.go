package advert

import (
	"testing"

	"github.com/miekg/dns"
)

func parse(t testing.TB, lines ...string) []dns.RR {
	t.Helper()
	var rrs []dns.RR
	for _, line := range lines {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rrs = append(rrs, rr)
	}
	return rrs
}

// The first case is the example of RFC 6762 section 8.2.
func TestCompareClaims(t *testing.T) {
	for _, c := range []struct {
		what         string
		ours, theirs []string
		order        int
	}{
		{"the later address wins", []string{"x. A 169.254.99.200"}, []string{"x. A 169.254.200.50"}, -1},
		{"bytes are unsigned", []string{"x. A 1.2.3.200"}, []string{"x. A 1.2.3.4"}, 1},
		{"the same", []string{"x. A 1.2.3.4"}, []string{"x. A 1.2.3.4"}, 0},
		{"TTL does not count", []string{"x. 1 A 1.2.3.4"}, []string{"x. 9 A 1.2.3.4"}, 0},
		{"order does not count", []string{"x. A 1.2.3.4", "x. A 1.2.3.5"}, []string{"x. A 1.2.3.5", "x. A 1.2.3.4"}, 0},
		{"type before data", []string{"x. A 255.2.3.4"}, []string{"x. TXT a"}, -1},
		{"class before type", []string{"x. CH TXT a"}, []string{"x. IN SRV 0 0 1 y."}, 1},
		{"more records win", []string{"x. A 1.2.3.4"}, []string{"x. A 1.2.3.4", "x. A 1.2.3.5"}, -1},
		{"none loses", nil, []string{"x. A 1.2.3.4"}, -1},
		{"other names do not count", []string{"x. A 1.2.3.4"}, []string{"x. A 1.2.3.4", "y. A 9.9.9.9"}, 0},
		{"letter case of the name", []string{"X. A 1.2.3.4"}, []string{"x. A 1.2.3.4"}, 0},
		{"port", []string{"x. SRV 0 0 554 a."}, []string{"x. SRV 0 0 8554 a."}, -1},
		{"target, uncompressed", []string{"x. SRV 0 0 554 a.local."}, []string{"x. SRV 0 0 554 b.local."}, -1},
		{"length byte of the target", []string{"x. SRV 0 0 554 bb."}, []string{"x. SRV 0 0 554 a."}, 1},
		{"text", []string{"x. TXT b"}, []string{"x. TXT a"}, 1},
	} {
		ours, theirs := parse(t, c.ours...), parse(t, c.theirs...)
		if order := compareClaims("x.", ours, theirs); order != c.order {
			t.Errorf("%s: %d, want %d", c.what, order, c.order)
		}
		if order := compareClaims("x.", theirs, ours); order != -c.order {
			t.Errorf("%s, from the other side: %d, want %d", c.what, order, -c.order)
		}
		if order := compareClaims("x.", ours, flushing(theirs)); order != c.order {
			t.Errorf("%s, with the cache-flush bit: %d, want %d", c.what, order, c.order)
		}
	}
}

func TestResponseFlushesWhatIsOurs(t *testing.T) {
	z := testZone(t, "door", v4, v6)
	m := response(z.announced(), []dns.RR{z.hostTypes})
	if !m.Response || !m.Authoritative || m.Id != 0 || len(m.Question) != 0 {
		t.Errorf("header %+v", m.MsgHdr)
	}
	for _, rr := range append(m.Answer, m.Extra...) {
		flush := rr.Header().Class&cacheFlush != 0
		if rr.Header().Class&^cacheFlush != dns.ClassINET || flush == (rr.Header().Rrtype == dns.TypePTR) {
			t.Errorf("class %#x of %s", rr.Header().Class, dns.TypeToString[rr.Header().Rrtype])
		}
	}
	for _, rr := range z.announced() {
		if rr.Header().Class != dns.ClassINET {
			t.Errorf("the zone's own record changed: %s", rr)
		}
	}
}

func TestGoodbye(t *testing.T) {
	z := testZone(t, "door", v4, v6)
	m := goodbye(z.owned())
	if !m.Response || kinds(m.Answer) != "PTR SRV TXT A AAAA" {
		t.Errorf("goodbye %v", m)
	}
	for i, rr := range m.Answer {
		if rr.Header().Ttl != 0 || !dns.IsDuplicate(rr, z.owned()[i]) {
			t.Errorf("goodbye to %s", rr)
		}
		if z.owned()[i].Header().Ttl == 0 {
			t.Errorf("the zone's own record changed: %s", z.owned()[i])
		}
	}
}

func TestProbe(t *testing.T) {
	z := testZone(t, "door", v4)
	m := probe(z)
	if m.Response || m.RecursionDesired || len(m.Question) != 1 || kinds(m.Ns) != "SRV TXT" {
		t.Errorf("probe %v", m)
	}
	if q := m.Question[0]; q.Name != z.instance || q.Qtype != dns.TypeANY || q.Qclass != dns.ClassINET {
		t.Errorf("question %v", q)
	}
}
