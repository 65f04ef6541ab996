package advert

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func responseOf(t testing.TB, lines ...string) *dns.Msg {
	t.Helper()
	return &dns.Msg{MsgHdr: dns.MsgHdr{Response: true}, Answer: parse(t, lines...)}
}

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range texts {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

const (
	ptrDoor  = `_rtsp._tcp.local. PTR front\ door._rtsp._tcp.local.`
	srvDoor  = `front\ door._rtsp._tcp.local. SRV 0 0 8554 cam.local.`
	txtDoor  = `front\ door._rtsp._tcp.local. TXT "txtvers=1" "path=/main" "model=Zero \"2\" W" "version=1.2"`
	addrDoor = `cam.local. A 10.0.0.7`
)

func TestCollector(t *testing.T) {
	door := Camera{Name: "front door", Host: "cam.local", Addrs: addrs("10.0.0.7"), Port: 8554, Path: "/main",
		Model: `Zero "2" W`, Version: "1.2", URL: "rtsp://10.0.0.7:8554/main"}
	and := func(c Camera, change func(*Camera)) []Camera { change(&c); return []Camera{c} }
	for _, c := range []struct {
		what     string
		messages [][]string
		want     []Camera
	}{
		{"nothing", nil, nil},
		{"all at once", [][]string{{ptrDoor, srvDoor, txtDoor, addrDoor}}, []Camera{door}},
		{"one by one, backwards", [][]string{{addrDoor}, {txtDoor}, {srvDoor}, {ptrDoor}}, []Camera{door}},
		{"twice", [][]string{{ptrDoor, srvDoor, txtDoor, addrDoor}, {ptrDoor, srvDoor, txtDoor, addrDoor}}, []Camera{door}},
		{"in either case", [][]string{{ptrDoor}, {strings.ToUpper(srvDoor), txtDoor, addrDoor}},
			and(door, func(c *Camera) { c.Host = "CAM.LOCAL" })},
		{"without TXT", [][]string{{ptrDoor, srvDoor, addrDoor}}, and(door, func(c *Camera) {
			c.Path, c.Model, c.Version, c.URL = "/", "", "", "rtsp://10.0.0.7:8554/"
		})},
		{"without address", [][]string{{ptrDoor, srvDoor, txtDoor}}, nil},
		{"without SRV", [][]string{{ptrDoor, txtDoor, addrDoor}}, nil},
		{"port 0", [][]string{{ptrDoor, `front\ door._rtsp._tcp.local. SRV 0 0 0 cam.local.`, addrDoor}}, nil},
		{"another service", [][]string{{`_http._tcp.local. PTR x._http._tcp.local.`, `x._http._tcp.local. SRV 0 0 80 cam.local.`, addrDoor}}, nil},
		{"not an instance", [][]string{{`_rtsp._tcp.local. PTR a.b._rtsp._tcp.local.`, `a.b._rtsp._tcp.local. SRV 0 0 80 cam.local.`, addrDoor}}, nil},
		{"a goodbye", [][]string{{ptrDoor, srvDoor, txtDoor, addrDoor}, {`_rtsp._tcp.local. 0 PTR FRONT\ door._rtsp._tcp.local.`}}, nil},
		{"a goodbye to its address", [][]string{{ptrDoor, srvDoor, txtDoor, addrDoor, `cam.local. A 10.0.0.8`}, {`cam.local. 0 A 10.0.0.7`}},
			and(door, func(c *Camera) { c.Addrs, c.URL = addrs("10.0.0.8"), "rtsp://10.0.0.8:8554/main" })},
		{"addresses in order", [][]string{{ptrDoor, srvDoor, txtDoor, `cam.local. AAAA fe80::1`, `cam.local. AAAA fd00::1`, addrDoor}},
			and(door, func(c *Camera) { c.Addrs = addrs("10.0.0.7", "fd00::1", "fe80::1%eth0") })},
		{"only link-local", [][]string{{ptrDoor, srvDoor, txtDoor, `cam.local. AAAA fe80::1`}},
			and(door, func(c *Camera) {
				c.Addrs, c.URL = addrs("fe80::1%eth0"), "rtsp://[fe80::1%25eth0]:8554/main"
			})},
		{"only IPv6", [][]string{{ptrDoor, srvDoor, txtDoor, `cam.local. AAAA fd00::1`}},
			and(door, func(c *Camera) { c.Addrs, c.URL = addrs("fd00::1"), "rtsp://[fd00::1]:8554/main" })},
		{"TXT keys", [][]string{{ptrDoor, srvDoor, addrDoor, `front\ door._rtsp._tcp.local. TXT "PATH=live?a=1" "path=/second" "model" "version="`}},
			and(door, func(c *Camera) {
				c.Path, c.Model, c.Version, c.URL = "/live?a=1", "", "", "rtsp://10.0.0.7:8554/live?a=1"
			})},
		{"control characters", [][]string{{ptrDoor, srvDoor, addrDoor, `front\ door._rtsp._tcp.local. TXT "path=/a b" "model=\027[2J" "version=\255"`}},
			and(door, func(c *Camera) {
				c.Path, c.Model, c.Version, c.URL = "/a b", "\ufffd[2J", "\ufffd", "rtsp://10.0.0.7:8554/a%20b"
			})},
	} {
		col := newCollector()
		for _, lines := range c.messages {
			col.take(responseOf(t, lines...), "eth0")
		}
		if got := col.cameras(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n%+v, want\n%+v", c.what, got, c.want)
		}
	}
}

func TestCollectorReadsAdditionalRecords(t *testing.T) {
	m := responseOf(t, ptrDoor)
	m.Extra = parse(t, srvDoor, txtDoor, addrDoor)
	c := newCollector()
	c.take(m, "eth0")
	if len(c.cameras()) != 1 {
		t.Errorf("cameras %v", c.cameras())
	}
}

func TestCollectorIgnoresWhatIsNoAnswer(t *testing.T) {
	for what, change := range map[string]func(*dns.Msg){
		"a query":   func(m *dns.Msg) { m.Response = false },
		"an opcode": func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"an rcode":  func(m *dns.Msg) { m.Rcode = dns.RcodeNameError },
		"authority": func(m *dns.Msg) { m.Ns, m.Answer = m.Answer, nil },
	} {
		c := newCollector()
		c.take(with(responseOf(t, ptrDoor, srvDoor, addrDoor), change), "eth0")
		if len(c.instances) != 0 || len(c.hosts) != 0 {
			t.Errorf("%s was taken: %+v", what, c)
		}
	}
}

func TestCollectorAsksForWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		what  string
		lines []string
		asks  []string
	}{
		{"nothing", nil, nil},
		{"a name", []string{ptrDoor}, []string{"SRV front", "TXT front"}},
		{"no address", []string{ptrDoor, srvDoor, txtDoor}, []string{"A cam.l", "AAAA cam.l"}},
		{"no TXT", []string{ptrDoor, srvDoor, addrDoor}, []string{"TXT front"}},
		{"all", []string{ptrDoor, srvDoor, txtDoor, addrDoor}, nil},
	} {
		col := newCollector()
		col.take(responseOf(t, c.lines...), "eth0")
		var asks []string
		for _, q := range col.missing() {
			asks = append(asks, dns.TypeToString[q.Qtype]+" "+q.Name[:5])
		}
		if !slices.Equal(asks, c.asks) {
			t.Errorf("%s: asks %q, want %q", c.what, asks, c.asks)
		}
	}
}

func TestCollectorIsBounded(t *testing.T) {
	c := newCollector()
	for i := range 3 * maxCameras {
		c.take(responseOf(t, fmt.Sprintf("_rtsp._tcp.local. PTR x%d._rtsp._tcp.local.", i),
			fmt.Sprintf("x%d.local. A 10.0.0.1", i), fmt.Sprintf("one.local. AAAA fd00::%x", i)), "eth0")
	}
	if len(c.instances) != maxCameras || len(c.hosts) != maxCameras {
		t.Errorf("%d instances and %d hosts, want %d", len(c.instances), len(c.hosts), maxCameras)
	}
	if n := len(c.hosts["one.local."]); n != maxAddresses {
		t.Errorf("%d addresses of one host, want %d", n, maxAddresses)
	}
}

func TestCollectorSorts(t *testing.T) {
	c := newCollector()
	for _, name := range []string{"c", "a", "b"} {
		c.take(responseOf(t, "_rtsp._tcp.local. PTR "+name+"._rtsp._tcp.local.", name+"._rtsp._tcp.local. SRV 0 0 554 h.local.", "h.local. A 10.0.0.1"), "")
	}
	var names []string
	for _, camera := range c.cameras() {
		names = append(names, camera.Name)
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("names %q", names)
	}
}

// What a zone announces, a collector must understand.
func TestCollectorReadsZones(t *testing.T) {
	for _, name := range []string{"lenslet-0a1b2c", "front door", "Küche 1.2", `back\slash`, "門"} {
		z := testZone(t, name, v4, v6link)
		wire, err := response(z.announced(), nil).Pack()
		if err != nil {
			t.Fatal(err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(wire); err != nil {
			t.Fatal(err)
		}
		c := newCollector()
		c.take(m, "eth1")
		want := []Camera{{Name: name, Host: "lenslet-0a1b2c.local", Addrs: []netip.Addr{v4, v6link.WithZone("eth1")}, Port: 8554,
			Path: "/main", Model: "Test Board", Version: "1.2.3", URL: "rtsp://10.0.0.7:8554/main"}}
		if got := c.cameras(); !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// FuzzCollector takes any message; what comes out must be fit for a terminal,
// and what is asked next must be sendable.
func FuzzCollector(f *testing.F) {
	for _, lines := range [][]string{
		{ptrDoor, srvDoor, txtDoor, addrDoor},
		{ptrDoor, srvDoor, `cam.local. AAAA fe80::1`, `cam.local. 0 A 10.0.0.7`},
		{`front\ door._rtsp._tcp.local. TXT "path=\027//x@y:z" "model"`, srvDoor, addrDoor},
	} {
		wire, err := responseOf(f, lines...).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := new(dns.Msg)
		if len(wire) > maxMessage || m.Unpack(wire) != nil {
			return
		}
		c := newCollector()
		c.take(m, "eth0")
		for _, camera := range c.cameras() {
			text := fmt.Sprint(camera)
			if printable(text) != text || !strings.HasPrefix(camera.URL, "rtsp://") || len(camera.Addrs) == 0 {
				t.Fatalf("camera %q", text)
			}
		}
		for _, q := range c.missing() {
			if _, err := question(q).Pack(); err != nil {
				t.Fatalf("question %v: %v", q, err)
			}
		}
	})
}
