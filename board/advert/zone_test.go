package advert

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

var (
	v4     = netip.MustParseAddr("10.0.0.7")
	v6     = netip.MustParseAddr("fd00::7")
	v6link = netip.MustParseAddr("fe80::7")
)

func testZone(t testing.TB, name string, addrs ...netip.Addr) *zone {
	t.Helper()
	z, err := newZone(testService(name, "lenslet-0a1b2c"), addrs)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// kinds writes records as their types in order: "PTR SRV A".
func kinds(rrs []dns.RR) string {
	var names []string
	for _, rr := range rrs {
		names = append(names, dns.TypeToString[rr.Header().Rrtype])
	}
	return strings.Join(names, " ")
}

func TestZoneAnswers(t *testing.T) {
	const instance, host = `front\ door._rtsp._tcp.local.`, "lenslet-0a1b2c.local."
	both := testZone(t, "front door", v4, v6, v6link)
	only4 := testZone(t, "front door", v4)
	only6 := testZone(t, "front door", v6link)
	for _, c := range []struct {
		zone          *zone
		name          string
		qtype, qclass uint16
		answer, extra string
	}{
		{both, serviceName, dns.TypePTR, dns.ClassINET, "PTR", "SRV TXT A AAAA AAAA"},
		{both, "_RTSP._Tcp.LOCAL.", dns.TypePTR, dns.ClassINET, "PTR", "SRV TXT A AAAA AAAA"},
		{both, serviceName, dns.TypeANY, dns.ClassINET, "PTR", "SRV TXT A AAAA AAAA"},
		{both, serviceName, dns.TypePTR, dns.ClassANY, "PTR", "SRV TXT A AAAA AAAA"},
		{both, serviceName, dns.TypePTR, dns.ClassINET | unicastBit, "PTR", "SRV TXT A AAAA AAAA"},
		{both, serviceName, dns.TypePTR, dns.ClassCHAOS, "", ""},
		{both, serviceName, dns.TypeSRV, dns.ClassINET, "", ""},
		{both, "_http._tcp.local.", dns.TypePTR, dns.ClassINET, "", ""},
		{both, "_rtsp._tcp.", dns.TypePTR, dns.ClassINET, "", ""},

		{both, enumName, dns.TypePTR, dns.ClassINET, "PTR", ""},
		{both, strings.ToUpper(enumName), dns.TypeANY, dns.ClassINET, "PTR", ""},
		{both, enumName, dns.TypeTXT, dns.ClassINET, "", ""},

		{both, instance, dns.TypeSRV, dns.ClassINET, "SRV", "A AAAA AAAA"},
		{both, strings.ToUpper(instance), dns.TypeSRV, dns.ClassINET, "SRV", "A AAAA AAAA"},
		{both, instance, dns.TypeTXT, dns.ClassINET, "TXT", "A AAAA AAAA"},
		{both, instance, dns.TypeANY, dns.ClassINET, "SRV TXT", "A AAAA AAAA"},
		{both, instance, dns.TypeA, dns.ClassINET, "NSEC", "A AAAA AAAA"},
		{both, `back\ door._rtsp._tcp.local.`, dns.TypeSRV, dns.ClassINET, "", ""},

		{both, host, dns.TypeA, dns.ClassINET, "A", "AAAA AAAA"},
		{both, host, dns.TypeAAAA, dns.ClassINET, "AAAA AAAA", "A"},
		{both, host, dns.TypeANY, dns.ClassINET, "A AAAA AAAA", ""},
		{both, "LENSLET-0A1B2C.local.", dns.TypeA, dns.ClassINET, "A", "AAAA AAAA"},
		{both, host, dns.TypeSRV, dns.ClassINET, "NSEC", "A AAAA AAAA"},
		{both, "other.local.", dns.TypeA, dns.ClassINET, "", ""},

		{only4, host, dns.TypeAAAA, dns.ClassINET, "NSEC", "A"},
		{only4, host, dns.TypeA, dns.ClassINET, "A", ""},
		{only6, host, dns.TypeA, dns.ClassINET, "NSEC", "AAAA"},
		{only6, serviceName, dns.TypePTR, dns.ClassINET, "PTR", "SRV TXT AAAA"},
	} {
		q := dns.Question{Name: c.name, Qtype: c.qtype, Qclass: c.qclass}
		answer, extra := c.zone.answer(q)
		if kinds(answer) != c.answer || kinds(extra) != c.extra {
			t.Errorf("%v: answer %q and extra %q, want %q and %q", q, kinds(answer), kinds(extra), c.answer, c.extra)
		}
		if all := strings.TrimSpace(c.answer + " " + c.extra); kinds(c.zone.Records(q)) != all {
			t.Errorf("%v: records %q, want %q", q, kinds(c.zone.Records(q)), all)
		}
	}
}

func TestZoneRecords(t *testing.T) {
	z := testZone(t, "Küche 1.2", v4, v6link)
	const instance = `K\195\188che\ 1\.2._rtsp._tcp.local.`
	want := []string{
		"_services._dns-sd._udp.local.	4500	IN	PTR	_rtsp._tcp.local.",
		"_rtsp._tcp.local.	4500	IN	PTR	" + instance,
		instance + "	120	IN	SRV	0 0 8554 lenslet-0a1b2c.local.",
		instance + `	4500	IN	TXT	"txtvers=1" "path=/main" "model=Test Board" "version=1.2.3"`,
		"lenslet-0a1b2c.local.	120	IN	A	10.0.0.7",
		"lenslet-0a1b2c.local.	120	IN	AAAA	fe80::7",
	}
	var got []string
	for _, rr := range z.announced() {
		got = append(got, rr.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("announced\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if kinds(z.owned()) != "PTR SRV TXT A AAAA" || z.owned()[0] != z.ptr {
		t.Errorf("owned: %v", z.owned())
	}
	for rr, text := range map[dns.RR]string{
		z.instanceTypes: instance + "	120	IN	NSEC	" + instance + " TXT SRV",
		z.hostTypes:     "lenslet-0a1b2c.local.	120	IN	NSEC	lenslet-0a1b2c.local. A AAAA",
	} {
		if rr.String() != text {
			t.Errorf("NSEC %s, want %s", rr, text)
		}
	}
}

// Every record must read back from a packet as it was written: only then does
// it compare with what others send.
func TestZoneRoundTrip(t *testing.T) {
	s := testService("a.b\\c \"d\" é门", "lenslet-0a1b2c")
	s.TXT = []string{"txtvers=1", `model="Back\slash"; é`, "raw=\x00\xff\x7f", "flag", "empty="}
	z, err := newZone(s, []netip.Addr{v4, v6})
	if err != nil {
		t.Fatal(err)
	}
	for _, rr := range append(z.announced(), z.instanceTypes, z.hostTypes) {
		wire := make([]byte, 1024)
		end, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			t.Fatalf("%s: %v", rr, err)
		}
		back, _, err := dns.UnpackRR(wire[:end], 0)
		if err != nil {
			t.Fatalf("%s: %v", rr, err)
		}
		if !dns.IsDuplicate(rr, back) || rr.String() != back.String() {
			t.Errorf("%s became %s", rr, back)
		}
	}
	for i, text := range z.txt.(*dns.TXT).Txt {
		if unescape(text) != s.TXT[i] {
			t.Errorf("TXT string %q reads %q", s.TXT[i], unescape(text))
		}
	}
}

func TestZoneWithoutTXT(t *testing.T) {
	s := testService("door", "lenslet-0a1b2c")
	s.TXT = nil
	z, err := newZone(s, []netip.Addr{v4})
	if err != nil {
		t.Fatal(err)
	}
	if txt := z.txt.(*dns.TXT).Txt; len(txt) != 1 || txt[0] != "" {
		t.Errorf("TXT strings %q, want one empty string", txt)
	}
}

func TestZoneRefusesWhatDoesNotFit(t *testing.T) {
	if _, err := newZone(testService(strings.Repeat("x", 64), "h"), nil); err == nil {
		t.Error("a name of 64 bytes was taken")
	}
	s := testService("door", "h")
	s.TXT = []string{"k=" + strings.Repeat("v", 300)}
	if _, err := newZone(s, nil); err == nil || !strings.Contains(err.Error(), "TXT record") {
		t.Errorf("a string of 302 bytes: %v", err)
	}
}

func TestZoneDifference(t *testing.T) {
	z := testZone(t, "door", v4, v6, v6link)
	for _, c := range []struct {
		what string
		next *zone
		gone string
	}{
		{"the same", testZone(t, "door", v4, v6, v6link), ""},
		{"other letter case", testZone(t, "DOOR", v4, v6, v6link), ""},
		{"one address less", testZone(t, "door", v4, v6link), "AAAA"},
		{"one address more", testZone(t, "door", v4, v6, v6link, netip.MustParseAddr("fd00::8")), ""},
		{"another address", testZone(t, "door", netip.MustParseAddr("10.0.0.8"), v6, v6link), "A"},
		{"another name", testZone(t, "gate", v4, v6, v6link), "PTR SRV TXT"},
		{"all else", testZone(t, "gate", netip.MustParseAddr("10.0.0.8")), "PTR SRV TXT A AAAA AAAA"},
	} {
		if gone := kinds(z.without(c.next)); gone != c.gone {
			t.Errorf("%s: gone %q, want %q", c.what, gone, c.gone)
		}
	}
}

// The largest announcement and the largest answer must fit into one packet of
// an Ethernet: 1500 bytes less the headers of IPv6 and UDP.
func TestMessagesFitIntoAPacket(t *testing.T) {
	s := Service{Name: strings.Repeat("n", 63), Host: strings.Repeat("h", 63), Port: 8554,
		TXT: []string{"k=" + strings.Repeat("v", 197), "l=" + strings.Repeat("v", 197)}}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	addrs := []netip.Addr{v4}
	for i := range 100 {
		addrs = append(addrs, netip.MustParseAddr(fmt.Sprintf("fd00:1:2:3:4:5:6:%x", i+1)))
	}
	z, err := newZone(s, addrs)
	if err != nil {
		t.Fatal(err)
	}
	if len(z.addrs) != maxAddresses {
		t.Errorf("%d addresses, want %d", len(z.addrs), maxAddresses)
	}
	answer, extra := z.answer(dns.Question{Name: serviceName, Qtype: dns.TypePTR, Qclass: dns.ClassINET})
	for what, m := range map[string]*dns.Msg{
		"announcement": response(z.announced(), nil),
		"answer":       response(append(answer, z.enum), append(extra, z.instanceTypes, z.hostTypes)),
		"goodbye":      goodbye(z.owned()),
		"probe":        probe(z),
	} {
		wire, err := m.Pack()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%s: %d bytes", what, len(wire))
		if len(wire) > 1500-40-8 {
			t.Errorf("%s: %d bytes", what, len(wire))
		}
	}
}
