package advert

import (
	"math/rand/v2"
	"time"

	"github.com/miekg/dns"
)

const (
	probeCount    = 3 // RFC 6762 section 8.1
	probeGap      = 250 * time.Millisecond
	announceCount = 2 // RFC 6762 section 8.3
	announceGap   = time.Second
	yieldDelay    = time.Second // for who loses a tie of two that probe, section 8.2

	// After calmAfter names were lost, each further one is followed by a pause of
	// calmDelay, section 8.1.
	calmAfter = 15
	calmDelay = 5 * time.Second

	answerGap  = time.Second            // between two multicasts of a record, section 6
	defendGap  = 250 * time.Millisecond // the same, when a probe is answered
	sharedMin  = 20 * time.Millisecond  // delay of answers that others may give too, section 6
	sharedSpan = 100 * time.Millisecond
)

// A responder decides what one link is told, and when. It owns no socket and no
// clock; it is used by one goroutine.
type responder struct {
	zone *zone

	gone          []dns.RR  // what to say goodbye to, before all else
	probes        int       // yet to be sent
	announcements int       // yet to be sent, once the probes are
	at            time.Time // when the next of these is due
	live          bool      // whether we announced: the name is ours

	said     map[dns.RR]time.Time // when a record of zone was last multicast
	answers  []dns.RR             // to be multicast at answerAt
	extras   []dns.RR
	answerAt time.Time
}

// newResponder announces z, from now on.
func newResponder(z *zone, now time.Time) *responder {
	return &responder{zone: z, announcements: announceCount, at: now, said: map[dns.RR]time.Time{}}
}

// takeBack says goodbye to records, before all else.
func (r *responder) takeBack(gone []dns.RR) { r.gone = gone }

// probeFirst asks for the name, after a delay, before it is announced. Some more
// delay lets many that are switched on at once not probe at once.
func (r *responder) probeFirst(delay time.Duration) {
	r.probes = probeCount
	r.at = r.at.Add(delay + rand.N(probeGap))
}

// due is the next message to be multicast at this time, or nil.
func (r *responder) due(now time.Time) *dns.Msg {
	switch {
	case len(r.gone) > 0:
		gone := r.gone
		r.gone = nil
		return goodbye(gone)
	case r.probes > 0 && !now.Before(r.at):
		r.probes--
		r.at = now.Add(probeGap)
		return probe(r.zone)
	case r.probes == 0 && r.announcements > 0 && !now.Before(r.at):
		r.announcements--
		r.at = now.Add(announceGap)
		r.live = true
		return r.say(r.zone.announced(), nil, now)
	case len(r.answers) > 0 && !now.Before(r.answerAt):
		answers, extras := r.answers, subtract(r.extras, r.answers)
		r.answers, r.extras = nil, nil
		return r.say(answers, extras, now)
	}
	return nil
}

func (r *responder) say(answer, extra []dns.RR, now time.Time) *dns.Msg {
	for _, rr := range answer {
		r.said[rr] = now
	}
	for _, rr := range extra {
		r.said[rr] = now
	}
	return response(answer, extra)
}

// wake is when due has something to say; the zero time if nothing is planned.
func (r *responder) wake() time.Time {
	var t time.Time
	if r.probes > 0 || r.announcements > 0 {
		t = r.at
	}
	if len(r.answers) > 0 && (t.IsZero() || r.answerAt.Before(t)) {
		t = r.answerAt
	}
	return t
}

// receive takes in a message of the link that came from this UDP port, and
// tells whether the name is lost to another host.
func (r *responder) receive(m *dns.Msg, port uint16, now time.Time) (lost bool) {
	switch {
	case m.Opcode != dns.OpcodeQuery || m.Rcode != dns.RcodeSuccess || port != mdnsPort:
		return false // RFC 6762 sections 18.3, 18.11 and 11; other ports are the server's
	case m.Response:
		return r.contradicted(m, now)
	case r.live:
		r.reply(m, now)
	case r.probes > 0 || r.announcements > 0:
		r.yield(m, now)
	}
	return false
}

// contradicted finds, in a response, our name used for something else: while we
// probe, the other one has it; afterwards the later data wins, and if that is
// ours we announce again, for the other one to hear. RFC 6762 section 9.
func (r *responder) contradicted(m *dns.Msg, now time.Time) (lost bool) {
	for _, rr := range append(m.Answer, m.Extra...) {
		h := rr.Header()
		if h.Rrtype != dns.TypeSRV || h.Ttl == 0 || !sameName(h.Name, r.zone.instance) {
			continue
		}
		order := compareClaims(r.zone.instance, []dns.RR{r.zone.srv}, []dns.RR{rr})
		if order < 0 || order > 0 && !r.live {
			return true
		}
		if order > 0 && r.announcements == 0 {
			r.announcements = 1
			r.at = later(now, r.said[r.zone.srv].Add(announceGap))
		}
	}
	return false
}

// yield finds, in a query, another one that probes for our name at the same
// time, and waits for it if its data are later: RFC 6762 section 8.2.
func (r *responder) yield(m *dns.Msg, now time.Time) {
	if len(claims(r.zone.instance, m.Ns)) == 0 {
		return
	}
	if compareClaims(r.zone.instance, []dns.RR{r.zone.srv, r.zone.txt}, m.Ns) < 0 {
		r.probes = probeCount
		r.at = now.Add(yieldDelay)
	}
}

// reply plans the answers to a query: not those that the asker knows (RFC 6762
// section 7.1), nor those that the link heard just now, nor those to unicast
// questions, that the server answers. A query whose known answers continue in
// another message is answered all the same: one answer too many does no harm.
func (r *responder) reply(m *dns.Msg, now time.Time) {
	probed := len(m.Ns) > 0
	for _, q := range m.Question {
		if q.Qclass&unicastBit != 0 && !probed {
			continue
		}
		answer, extra := r.zone.answer(q)
		for _, rr := range answer {
			if r.fresh(rr, probed, now) || known(m.Answer, rr) || contains(r.answers, rr) {
				continue
			}
			r.plan(rr, now)
			r.extras = append(r.extras, subtract(extra, r.extras)...)
		}
	}
}

// plan adds an answer; the earliest of the planned ones sets the time of all.
func (r *responder) plan(rr dns.RR, now time.Time) {
	at := now
	if shared(rr) {
		at = now.Add(sharedMin + rand.N(sharedSpan))
	}
	if len(r.answers) == 0 || at.Before(r.answerAt) {
		r.answerAt = at
	}
	r.answers = append(r.answers, rr)
}

// fresh tells whether the link has just heard rr.
func (r *responder) fresh(rr dns.RR, probed bool, now time.Time) bool {
	gap := answerGap
	if probed {
		gap = defendGap
	}
	last, ok := r.said[rr]
	return ok && now.Sub(last) < gap
}

// known tells whether the asker has rr for at least half of its life.
func known(answers []dns.RR, rr dns.RR) bool {
	for _, k := range answers {
		if dns.IsDuplicate(k, rr) && k.Header().Ttl >= rr.Header().Ttl/2 {
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
