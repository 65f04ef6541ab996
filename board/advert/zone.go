package advert

import (
	"fmt"
	"net/netip"

	"github.com/miekg/dns"
)

const (
	hostTTL    = 120  // seconds, for records that hold a host name or address; RFC 6762 section 10
	serviceTTL = 4500 // seconds, for the others

	cacheFlush = 1 << 15 // of a record's class, RFC 6762 section 10.2
	unicastBit = 1 << 15 // of a question's class, RFC 6762 section 5.4

	// maxAddresses of one interface are announced, so that an announcement fits
	// into one packet.
	maxAddresses = 12
)

// A zone holds the records of one link: of one service name, with the addresses
// of one interface. It does not change.
type zone struct {
	instance, host string // full names, as package dns writes them
	enum, ptr      dns.RR // shared with other cameras of the link
	srv, txt       dns.RR // ours alone, as are all below
	addrs          []dns.RR
	instanceTypes  dns.RR // NSEC: which types the names have, RFC 6762 section 6.1
	hostTypes      dns.RR
}

func newZone(s Service, addrs []netip.Addr) (*zone, error) {
	instance, err := instanceName(s.Name)
	if err != nil {
		return nil, err
	}
	z := &zone{instance: instance, host: s.Host + localDomain}
	z.enum = &dns.PTR{Hdr: header(enumName, dns.TypePTR, serviceTTL), Ptr: serviceName}
	z.ptr = &dns.PTR{Hdr: header(serviceName, dns.TypePTR, serviceTTL), Ptr: instance}
	z.srv = &dns.SRV{Hdr: header(instance, dns.TypeSRV, hostTTL), Port: uint16(s.Port), Target: z.host}
	if z.txt, err = newTXT(instance, s.TXT); err != nil {
		return nil, err
	}
	types := []uint16{}
	for _, a := range addrs[:min(len(addrs), maxAddresses)] {
		rr := addressRecord(z.host, a)
		z.addrs = append(z.addrs, rr)
		if t := rr.Header().Rrtype; len(types) == 0 || types[len(types)-1] != t {
			types = append(types, t) // A come before AAAA, and NSEC wants them so
		}
	}
	z.instanceTypes = &dns.NSEC{Hdr: header(instance, dns.TypeNSEC, hostTTL), NextDomain: instance,
		TypeBitMap: []uint16{dns.TypeTXT, dns.TypeSRV}}
	z.hostTypes = &dns.NSEC{Hdr: header(z.host, dns.TypeNSEC, hostTTL), NextDomain: z.host, TypeBitMap: types}
	return z, nil
}

func header(name string, rrtype uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: ttl}
}

func addressRecord(host string, a netip.Addr) dns.RR {
	if a.Is4() {
		return &dns.A{Hdr: header(host, dns.TypeA, hostTTL), A: a.AsSlice()}
	}
	return &dns.AAAA{Hdr: header(host, dns.TypeAAAA, hostTTL), AAAA: a.AsSlice()}
}

// newTXT makes the TXT record, written as package dns would after reading it
// from a packet: so it compares with the records that others send.
func newTXT(name string, texts []string) (dns.RR, error) {
	txt := &dns.TXT{Hdr: header(name, dns.TypeTXT, serviceTTL)}
	for _, text := range texts {
		txt.Txt = append(txt.Txt, escape(text))
	}
	if len(texts) == 0 {
		txt.Txt = []string{""} // RFC 6763 section 6.1: never without a string
	}
	wire := make([]byte, 1024)
	if _, err := dns.PackRR(txt, wire, 0, nil, false); err != nil {
		return nil, fmt.Errorf("TXT record of %s: %w", name, err)
	}
	rr, _, err := dns.UnpackRR(wire, 0)
	return rr, err
}

// announced are the records that the link is told of without being asked.
func (z *zone) announced() []dns.RR {
	return append([]dns.RR{z.enum, z.ptr, z.srv, z.txt}, z.addrs...)
}

// owned are the announced records that are gone from the link when the camera
// is: all but the enumeration of service types, that other cameras share.
func (z *zone) owned() []dns.RR { return z.announced()[1:] }

// without are the owned records of z that next does not have.
func (z *zone) without(next *zone) []dns.RR {
	var gone []dns.RR
	for _, rr := range z.owned() {
		if !contains(next.owned(), rr) {
			gone = append(gone, rr)
		}
	}
	return gone
}

// answer gives the records that answer a question, and those that the asker
// will ask for next: RFC 6763 section 12.
func (z *zone) answer(q dns.Question) (answer, extra []dns.RR) {
	if class := q.Qclass &^ unicastBit; class != dns.ClassINET && class != dns.ClassANY {
		return nil, nil
	}
	switch {
	case sameName(q.Name, enumName):
		return ofType(q.Qtype, z.enum), nil
	case sameName(q.Name, serviceName):
		answer = ofType(q.Qtype, z.ptr)
		extra = append([]dns.RR{z.srv, z.txt}, z.addrs...)
	case sameName(q.Name, z.instance):
		answer = orElse(ofType(q.Qtype, z.srv, z.txt), z.instanceTypes)
		extra = z.addrs
	case sameName(q.Name, z.host):
		answer = orElse(ofType(q.Qtype, z.addrs...), z.hostTypes)
		extra = z.addrs
	}
	if len(answer) == 0 {
		return nil, nil
	}
	return answer, subtract(extra, answer)
}

// Records answers a question for mdns.Server, that sends all of it in one
// message. The cache-flush bit stays clear: the asker may be a simple resolver,
// RFC 6762 section 6.7.
func (z *zone) Records(q dns.Question) []dns.RR {
	answer, extra := z.answer(q)
	return append(answer, extra...)
}

func ofType(qtype uint16, rrs ...dns.RR) []dns.RR {
	var some []dns.RR
	for _, rr := range rrs {
		if qtype == dns.TypeANY || qtype == rr.Header().Rrtype {
			some = append(some, rr)
		}
	}
	return some
}

func orElse(rrs []dns.RR, none dns.RR) []dns.RR {
	if len(rrs) == 0 {
		return []dns.RR{none}
	}
	return rrs
}

func contains(rrs []dns.RR, rr dns.RR) bool {
	for _, r := range rrs {
		if dns.IsDuplicate(r, rr) {
			return true
		}
	}
	return false
}

func subtract(rrs, minus []dns.RR) []dns.RR {
	var rest []dns.RR
	for _, rr := range rrs {
		if !contains(minus, rr) {
			rest = append(rest, rr)
		}
	}
	return rest
}
