package advert

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sort"

	"github.com/miekg/dns"
)

const (
	group4   = "224.0.0.251" // RFC 6762 section 3
	group6   = "ff02::fb"
	mdnsPort = 5353
	hops     = 255 // of all that is sent, RFC 6762 section 11
	// maxMessage is the size of the largest message, in bytes: RFC 6762 section 17.
	maxMessage = 9000
)

// question asks the link; RFC 6762 section 18 wants all header fields zero.
func question(qs ...dns.Question) *dns.Msg {
	return &dns.Msg{Question: qs, Compress: true}
}

// probe asks whether the instance name of z is free, and says what z would use
// it for: RFC 6762 section 8.1. It does not ask for a unicast answer, as that
// section suggests, because that would go to one of several sockets of the port.
func probe(z *zone) *dns.Msg {
	m := question(dns.Question{Name: z.instance, Qtype: dns.TypeANY, Qclass: dns.ClassINET})
	m.Ns = []dns.RR{z.srv, z.txt}
	return m
}

// response is a multicast response: records that are ours alone replace what
// the caches hold, RFC 6762 section 10.2.
func response(answer, extra []dns.RR) *dns.Msg {
	return &dns.Msg{
		MsgHdr:   dns.MsgHdr{Response: true, Authoritative: true},
		Compress: true,
		Answer:   flushing(answer),
		Extra:    flushing(extra),
	}
}

// goodbye says that records are no more: RFC 6762 section 10.1.
func goodbye(rrs []dns.RR) *dns.Msg {
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Compress: true}
	for _, rr := range rrs {
		rr = dns.Copy(rr)
		rr.Header().Ttl = 0
		m.Answer = append(m.Answer, rr)
	}
	return m
}

func flushing(rrs []dns.RR) []dns.RR {
	var out []dns.RR
	for _, rr := range rrs {
		if !shared(rr) {
			rr = dns.Copy(rr)
			rr.Header().Class |= cacheFlush
		}
		out = append(out, rr)
	}
	return out
}

// shared tells whether others may have records of the same name and type.
func shared(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypePTR }

// compareClaims compares what two hosts would use a name for, as RFC 6762
// section 8.2 does: records in order of class, type and data; the later one
// wins. Only records of that name count.
func compareClaims(name string, ours, theirs []dns.RR) int {
	return slices.CompareFunc(claims(name, ours), claims(name, theirs), bytes.Compare)
}

// claims are the records of a name as class, type and uncompressed data, sorted.
func claims(name string, rrs []dns.RR) [][]byte {
	var out [][]byte
	for _, rr := range rrs {
		h := rr.Header()
		if !sameName(h.Name, name) {
			continue
		}
		rr = dns.Copy(rr)
		rr.Header().Name = "." // so that the header has a known length
		wire := make([]byte, dns.Len(rr)+64)
		end, err := dns.PackRR(rr, wire, 0, nil, false)
		if err != nil {
			continue
		}
		claim := binary.BigEndian.AppendUint16(nil, h.Class&^cacheFlush)
		claim = binary.BigEndian.AppendUint16(claim, h.Rrtype)
		out = append(out, append(claim, wire[rootHeader:end]...))
	}
	sort.Slice(out, func(i, j int) bool { return bytes.Compare(out[i], out[j]) < 0 })
	return out
}

// rootHeader is the length of a record's header whose name is the root: one
// byte, type, class, TTL and the length of the data.
const rootHeader = 1 + 2 + 2 + 4 + 2
