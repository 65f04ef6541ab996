package advert

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/miekg/dns"
)

// maxCameras and maxAddresses bound what Discover remembers of one network.
const maxCameras = 512

// A Camera is an RTSP server that Discover found.
type Camera struct {
	Name  string       // instance name, as people wrote it
	Host  string       // host name with ".local"
	Addrs []netip.Addr // IPv4 first; link-local IPv6 last, with the zone to use here
	Port  int          // TCP
	Path  string       // of TXT path=; "/" if there is none
	Model string       // of TXT model=, may be empty
	// Version is the software's, of TXT version=, may be empty.
	Version string
	// URL is where to open the stream: rtsp:// with the first address.
	URL string
}

// A collector puts answers together. It owns no socket. Names are its keys in
// lower case.
type collector struct {
	instances map[string]*instance
	hosts     map[string][]netip.Addr
}

type instance struct {
	full string
	srv  *dns.SRV
	txt  *dns.TXT
}

func newCollector() *collector {
	return &collector{map[string]*instance{}, map[string][]netip.Addr{}}
}

// take takes in a message that came through the interface zone.
func (c *collector) take(m *dns.Msg, zone string) {
	if !m.Response || m.Opcode != dns.OpcodeQuery || m.Rcode != dns.RcodeSuccess {
		return
	}
	for _, rr := range append(m.Answer, m.Extra...) {
		c.record(rr, zone)
	}
}

func (c *collector) record(rr dns.RR, zone string) {
	name, gone := strings.ToLower(rr.Header().Name), rr.Header().Ttl == 0
	switch rr := rr.(type) {
	case *dns.PTR:
		switch {
		case name != serviceName || !isInstance(rr.Ptr):
		case gone:
			delete(c.instances, strings.ToLower(rr.Ptr))
		default:
			c.instance(rr.Ptr)
		}
	case *dns.SRV:
		if i := c.instance(rr.Hdr.Name); i != nil && !gone {
			i.srv = rr
		}
	case *dns.TXT:
		if i := c.instance(rr.Hdr.Name); i != nil && !gone {
			i.txt = rr
		}
	case *dns.A:
		c.address(name, rr.A, "", gone)
	case *dns.AAAA:
		c.address(name, rr.AAAA, zone, gone)
	}
}

// instance is the entry of an instance of our service, new if need be; nil if
// it is something else, or if there are too many.
func (c *collector) instance(full string) *instance {
	if !isInstance(full) {
		return nil
	}
	key := strings.ToLower(full)
	if c.instances[key] == nil && len(c.instances) < maxCameras {
		c.instances[key] = &instance{full: full}
	}
	return c.instances[key]
}

func isInstance(full string) bool {
	return strings.HasSuffix(strings.ToLower(full), "."+serviceName) && dns.CountLabel(full) == 4
}

func (c *collector) address(host string, ip net.IP, zone string, gone bool) {
	addr, ok := netip.AddrFromSlice(ip)
	if !ok {
		return
	}
	addr = addr.Unmap()
	if addr.IsLinkLocalUnicast() && addr.Is6() {
		addr = addr.WithZone(zone)
	}
	known := c.hosts[host]
	i, found := slices.BinarySearchFunc(known, addr, byReach)
	switch {
	case gone && found:
		c.hosts[host] = slices.Delete(known, i, i+1)
	case !gone && !found && len(known) < maxAddresses && (known != nil || len(c.hosts) < maxCameras):
		c.hosts[host] = slices.Insert(known, i, addr)
	}
}

// missing are the questions whose answers would complete what is known.
func (c *collector) missing() []dns.Question {
	var qs []dns.Question
	ask := func(name string, types ...uint16) {
		for _, t := range types {
			qs = append(qs, dns.Question{Name: name, Qtype: t, Qclass: dns.ClassINET})
		}
	}
	for _, i := range c.instances {
		if i.srv == nil {
			ask(i.full, dns.TypeSRV)
		} else if len(c.hosts[strings.ToLower(i.srv.Target)]) == 0 {
			ask(i.srv.Target, dns.TypeA, dns.TypeAAAA)
		}
		if i.txt == nil {
			ask(i.full, dns.TypeTXT)
		}
	}
	return qs
}

// cameras are those that can be reached, by name.
func (c *collector) cameras() []Camera {
	var out []Camera
	for _, i := range c.instances {
		if i.srv == nil || i.srv.Port == 0 {
			continue
		}
		if addrs := c.hosts[strings.ToLower(i.srv.Target)]; len(addrs) > 0 {
			out = append(out, newCamera(i, addrs))
		}
	}
	slices.SortFunc(out, func(a, b Camera) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.URL, b.URL))
	})
	return out
}

func newCamera(i *instance, addrs []netip.Addr) Camera {
	c := Camera{
		Name:    printable(firstLabel(i.full)),
		Host:    printable(strings.TrimSuffix(unescape(i.srv.Target), ".")),
		Addrs:   slices.Clone(addrs),
		Port:    int(i.srv.Port),
		Path:    "/" + strings.TrimPrefix(i.value("path"), "/"),
		Model:   i.value("model"),
		Version: i.value("version"),
	}
	c.URL = streamURL(netip.AddrPortFrom(addrs[0], i.srv.Port), c.Path)
	return c
}

// streamURL keeps a query that the path may hold.
func streamURL(at netip.AddrPort, path string) string {
	u, err := url.Parse(path)
	if err != nil {
		u = &url.URL{Path: path}
	}
	return (&url.URL{Scheme: "rtsp", Host: at.String(), Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}

// printable replaces what could command a terminal: anyone on the link may have
// sent it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
}

// value is that of a key of the TXT record. Keys are the same in either case,
// and the first one counts: RFC 6763 section 6.4.
func (i *instance) value(key string) string {
	if i.txt == nil {
		return ""
	}
	for _, text := range i.txt.Txt {
		if k, v, _ := strings.Cut(unescape(text), "="); strings.EqualFold(k, key) {
			return printable(v)
		}
	}
	return ""
}
