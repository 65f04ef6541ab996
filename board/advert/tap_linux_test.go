package advert

import (
	"bufio"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"lenslet/board/advert/avahitest"

	"github.com/miekg/dns"
)

// A tap hears all that is multicast on a LAN.
type tap struct {
	packets chan tapped // closed when the tap has ended
	seen    []tapped
}

type tapped struct {
	from string // address
	m    *dns.Msg
	at   time.Time
}

// startTap listens on a host's eth0, from when it returns.
func startTap(t *testing.T, h *avahitest.Host) *tap {
	t.Helper()
	cmd := play(t, h, "tap", nil)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil { // it runs until that is closed
		t.Fatal(err)
	}
	avahitest.Start(t, cmd)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || lines.Text() != "up" {
		t.Fatalf("tap says %q", lines.Text())
	}
	p := &tap{packets: make(chan tapped, 1024)}
	go func() {
		defer close(p.packets)
		for lines.Scan() {
			var heard heardPacket
			m := new(dns.Msg)
			if json.Unmarshal(lines.Bytes(), &heard) != nil || m.Unpack(heard.Wire) != nil {
				return
			}
			p.packets <- tapped{heard.From, m, heard.At}
		}
	}()
	return p
}

// wait takes packets until one matches, and returns that.
func (p *tap) wait(t *testing.T, what string, match func(tapped) bool) tapped {
	t.Helper()
	timeout := time.After(avahitest.Patience)
	for {
		select {
		case m, ok := <-p.packets:
			if !ok {
				t.Fatalf("waiting for %s: the tap ended", what)
			}
			p.seen = append(p.seen, m)
			if match(m) {
				return m
			}
		case <-timeout:
			t.Fatalf("waiting for %s: not within %s, but %d packets", what, avahitest.Patience, len(p.seen))
		}
	}
}

// says matches a response from an address whose answers are of these types,
// with a TTL of zero or not.
func says(from, answer string, bye bool) func(tapped) bool {
	return func(p tapped) bool {
		return p.from == from && p.m.Response && kinds(p.m.Answer) == answer &&
			!slices.ContainsFunc(p.m.Answer, func(rr dns.RR) bool { return rr.Header().Ttl == 0 != bye })
	}
}

// The whole life of an advert, packet by packet, as another host hears it.
func TestOnTheWire(t *testing.T) {
	t.Parallel()
	lan := avahitest.NewLAN(t, 20)
	viewer, here := lan.AddHost(t), lan.AddHost(t)
	tap := startTap(t, viewer.Host)
	camera := startCamera(t, here.Host, testService("front door", "lenslet-0a1b2c"))
	ip4, ip6 := here.IPv4.String(), here.LinkLocal.String()

	const all = "PTR PTR SRV TXT A AAAA AAAA"
	first := tap.wait(t, "the first announcement", says(ip4, all, false))
	second := tap.wait(t, "the second announcement", says(ip4, all, false))
	if gap := second.at.Sub(first.at); gap < announceGap-100*time.Millisecond {
		t.Errorf("announcements %s apart", gap)
	}
	probes := map[string]int{}
	for _, p := range tap.seen {
		if !p.m.Response && len(p.m.Ns) > 0 {
			probes[p.from]++
		}
	}
	if probes[ip4] != probeCount || probes[ip6] != probeCount {
		t.Errorf("probes %v, want %d of each family", probes, probeCount)
	}
	if !slices.ContainsFunc(tap.seen, says(ip6, all, false)) {
		t.Error("no announcement over IPv6")
	}
	checkAnnouncement(t, first.m)

	camera.rename(t, "back door")
	gone := tap.wait(t, "the goodbye to the old name", says(ip4, "PTR SRV TXT", true))
	if name := firstLabel(gone.m.Answer[1].Header().Name); name != "front door" {
		t.Errorf("goodbye to %q", name)
	}
	renamed := tap.wait(t, "the new name", says(ip4, all, false))
	if name := firstLabel(renamed.m.Answer[2].Header().Name); name != "back door" {
		t.Errorf("announced %q", name)
	}

	stopped := time.Now()
	camera.stop(t)
	bye := tap.wait(t, "the goodbye", says(ip4, "PTR SRV TXT A AAAA AAAA", true))
	t.Logf("goodbye heard %s after the stop", bye.at.Sub(stopped))
}

func checkAnnouncement(t *testing.T, m *dns.Msg) {
	t.Helper()
	if m.Id != 0 || !m.Authoritative || len(m.Question) != 0 {
		t.Errorf("header of an announcement: %+v", m.MsgHdr)
	}
	ttls := map[uint16]uint32{dns.TypePTR: 4500, dns.TypeTXT: 4500, dns.TypeSRV: 120, dns.TypeA: 120, dns.TypeAAAA: 120}
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Ttl != ttls[h.Rrtype] {
			t.Errorf("TTL of %s", rr)
		}
		if flush := h.Class&cacheFlush != 0; flush != (h.Rrtype != dns.TypePTR) {
			t.Errorf("cache-flush bit %t of %s", flush, dns.TypeToString[h.Rrtype])
		}
	}
}

// When an address changes, the link hears of the new one, and that the old one
// is gone.
func TestAddressChangeOnTheWire(t *testing.T) {
	t.Parallel()
	lan := avahitest.NewLAN(t, 21)
	viewer, here := lan.AddHost(t), lan.AddHost(t)
	tap := startTap(t, viewer.Host)
	startCamera(t, here.Host, testService("door", "lenslet-0a1b2c"))
	tap.wait(t, "the announcement", says(here.IPv4.String(), "PTR PTR SRV TXT A AAAA AAAA", false))

	here.Host.IP(t, "addr", "del", here.IPv6.String()+"/64", "dev", here.Name)
	bye := tap.wait(t, "the goodbye to the address", says(here.IPv4.String(), "AAAA", true))
	if aaaa := bye.m.Answer[0].(*dns.AAAA).AAAA.String(); aaaa != here.IPv6.String() {
		t.Errorf("goodbye to %s", aaaa)
	}
	tap.wait(t, "what is left", says(here.IPv4.String(), "PTR PTR SRV TXT A AAAA", false))

	here.Host.IP(t, "addr", "del", here.IPv4.String()+"/24", "dev", here.Name)
	tap.wait(t, "IPv6 alone", says(here.LinkLocal.String(), "PTR PTR SRV TXT AAAA", false))
	here.Host.IP(t, "addr", "add", "10.99.21.77/24", "dev", here.Name)
	tap.wait(t, "a new IPv4 address", says("10.99.21.77", "PTR PTR SRV TXT A AAAA", false))
	for _, p := range tap.seen {
		if p.m.Response && kinds(p.m.Answer) == "PTR SRV TXT" {
			t.Errorf("the name was taken back: %v", p.m)
		}
	}
}
