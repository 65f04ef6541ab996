package rtspd

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"lenslet/rtspd/rate"
	"lenslet/rtspd/rtp"
)

// An adaptation fits the codec's bit rate to what the network carries. It belongs to
// the stream, under its lock.
type adaptation struct {
	log     sentLog
	floor   int           // bit/s; see Stream.Floor
	now     int           // bit/s that the codec was told; 0: none yet
	changed time.Duration // when that became another rate
	urgent  bool          // a viewer's rate fell, and the codec may not know
	lowered bool
	voters  []voter                // scratch
	rates   []int                  // scratch
	wide    [2 * arrivalsMost]byte // scratch
}

// A voter is one whose rate counts.
type voter struct {
	who  netip.Addr
	rate *rate.Estimator
}

// Floor says how far adaptation may lower the codec's bit rate, in bit/s. It is 250,000
// to begin with.
func (s *Stream) Floor(bps int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adapt.floor = bps
}

const (
	defaultFloor = 250_000                // bit/s
	adaptEvery   = 950 * time.Millisecond // and not more often, as seen by a clock that ticks every second
)

// adapts tells whether rates are estimated. The lock is held.
func (s *Stream) adapts() bool {
	return s.cfg.Bitrate != nil && s.cfg.Adapt != rate.Off && s.bitrate > 0
}

func (s *Stream) bounds() rate.Bounds { return rate.Bounds{Min: s.adapt.floor, Max: s.bitrate} }

// follow chooses the codec's bit rate anew, and who is thinned; once a second.
func (s *Stream) follow(now time.Duration, log *slog.Logger) {
	s.mu.Lock()
	bps, said := s.fit(now)
	s.mu.Unlock()
	if bps > 0 {
		s.cfg.Bitrate(bps)
	}
	if said != "" {
		log.Info(said, "stream", s.cfg.Path)
	}
}

// fit gives the rate that the codec is to be told, 0 if there is nothing to
// tell, and a line for the log where the owner should know. While the rate is
// lowered the codec is told every second: it may have been opened anew.
func (s *Stream) fit(now time.Duration) (bps int, said string) {
	if !s.adapts() {
		return 0, ""
	}
	b, a := s.bounds(), &s.adapt
	a.voters, a.rates = a.voters[:0], a.rates[:0]
	for _, v := range s.viewers {
		s.estimate(v, now)
	}
	for _, v := range a.voters {
		a.rates = append(a.rates, v.rate.Rate(b))
	}
	codec := s.cfg.Adapt.Choose(a.rates, b)
	for _, v := range s.viewers {
		v.thin.bps = v.rate.Rate(rate.Bounds{Max: b.Max})
		v.thin.wanted = v.group == nil && rate.Thin(v.thin.wanted, v.thin.bps, codec)
	}
	told := a.now
	if codec != told {
		if told > 0 && now-a.changed < adaptEvery {
			return 0, "" // bad news stays urgent
		}
		a.now, a.changed = codec, now
	}
	a.urgent = false
	switch high := b.Max - b.Max/20; {
	case !a.lowered && codec < high:
		a.lowered = true
		who, its := a.name(codec, b)
		said = fmt.Sprintf("the network to %v carries about %s: bitrate lowered to %s", who, mega(its.Carried()), mega(codec))
	case a.lowered && codec >= high:
		a.lowered = false
		said = "the network is no limit any more: bitrate raised to " + mega(codec) // it widened, or who was slow has left
	}
	if codec == b.Max && (told == 0 || told == codec) {
		return 0, said
	}
	return codec, said
}

// name is whose rate the codec's is.
func (a *adaptation) name(codec int, b rate.Bounds) (netip.Addr, *rate.Estimator) {
	i := slices.IndexFunc(a.voters, func(v voter) bool { return v.rate.Rate(b) == codec })
	return a.voters[i].who, a.voters[i].rate // the policy chose one
}

// mega writes bit/s for people.
func mega(bps int) string { return fmt.Sprintf("%.1f Mbit/s", float64(bps)/1e6) }

// estimate brings a viewer's rate up to date, and lets it vote. Of a group, each
// listener that reports does.
func (s *Stream) estimate(v *viewer, now time.Duration) {
	b, a := s.bounds(), &s.adapt
	if v.group != nil {
		for _, l := range v.group.listeners {
			l.rate.Tick(now, b)
			a.voters = append(a.voters, voter{v.addr(), &l.rate})
		}
		if len(v.group.listeners) > 0 {
			return
		}
	}
	if v.out != nil {
		if handed, unsent, waiting, ok := v.out.queue(); ok {
			lag := a.log.behind(unsent+waiting, now)
			v.rate.Queue(rate.Queue{At: now, Bytes: handed, Unsent: unsent, Lag: lag, Skips: v.thin.skips}, b)
		}
	}
	v.rate.Tick(now, b)
	a.voters = append(a.voters, voter{v.addr(), &v.rate})
}

// gauge takes a receiver report for the rate of who sent it; sent is what counts
// the packets that it was sent. The connection of a viewer by TCP tells more.
func (s *Stream) gauge(v, sent *viewer, r rtp.Reception, now time.Duration) {
	if v.out != nil || !s.adapts() || v.talliesStill(now) {
		return
	}
	trip := time.Duration(0)
	if r.LSR != v.thin.lsr { // each sender report tells the way there once
		trip, v.thin.lsr = v.trip, r.LSR
	}
	r.Lost += int32(sent.again) // a receiver that got them counts them as not lost
	s.judge(v, sent, r, trip, now, now)
}

// judge gives counters and round trip to the estimator. They were told at an instant,
// and are here now.
func (s *Stream) judge(v, sent *viewer, r rtp.Reception, trip, told, now time.Duration) {
	next := s.packetizer.Next()
	first := uint16(r.Highest) + 1 + next - s.nextOf(v) // of those that did not come, as the packetizer numbers them
	report := rate.Report{
		At: now, Highest: r.Highest, Lost: r.Lost, Jitter: v.jitter(), RoundTrip: trip, Ahead: uint32(next - first),
		Packets: sent.packets + sent.refused.packets, Bytes: sent.octets + sent.refused.octets, Skipped: sent.thin.skipped,
	}
	if !sent.thin.on { // a unit may be lost without any queue: it is sent at once
		report.Lag = max(0, s.adapt.log.since(s.adapt.log.past(first, next), next, now)-(now-told))
	}
	before := v.rate.Rate(s.bounds())
	v.rate.Report(report, s.bounds())
	s.adapt.urgent = s.adapt.urgent || v.rate.Rate(s.bounds()) < before*9/10
}

// fell tells whether a viewer's rate has just fallen, so that the codec should be told
// before the next second.
func (s *Stream) fell() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.adapt.urgent
}

// addr is where a viewer is.
func (v *viewer) addr() netip.Addr {
	switch {
	case v.rtpTo != nil:
		return v.rtpTo.AddrPort().Addr()
	case v.out != nil:
		return v.out.remote()
	}
	return netip.Addr{}
}

// A thinning leaves units out for a viewer that can take less than the codec gives:
// all but key frames, and of these as many as it can take. It belongs to the stream.
type thinning struct {
	wanted  bool
	on      bool // from wanted to the first key frame after
	bps     int  // that the viewer can take
	skipped uint32
	lsr     uint32 // of the last report
	skips   uint32 // to a key frame, since its queue was too long

	unit    uint32 // RTP time of the unit that was decided about
	left    bool   // it is left out
	decided bool
	debt    float64       // bytes of key frames that were more than it can take
	at      time.Duration // when it was counted
}

// leaves tells whether the viewer is not sent a unit, of which b may be a part.
func (t *thinning) leaves(b *burst, now time.Duration) bool {
	if !t.wanted && !t.on {
		return false
	}
	if !t.decided || t.unit != b.rtptime {
		t.unit, t.decided = b.rtptime, true
		t.on = t.wanted || !b.key
		t.left = t.on && !(b.key && t.affords(b, now))
	}
	if t.left {
		t.skipped += uint32(len(b.packets))
	}
	return t.left
}

// affords tells whether the debt for earlier key frames is paid; then it is that
// for this one, all of it, however little b has of it.
func (t *thinning) affords(b *burst, now time.Duration) bool {
	t.debt = max(0, t.debt-(now-t.at).Seconds()*float64(t.bps)/8)
	t.at = now
	if t.debt > 0 {
		return false
	}
	t.debt = float64(b.whole)
	return true
}
