package rate

import (
	"math/rand/v2"
	"time"
)

// A scene is a way to a viewer, and what is sent by it: a virtual bottleneck with a
// queue that drops what is too much, and a codec that does what it is told.
type scene struct {
	link      func(t time.Duration) float64 // bit/s; 0: nothing gets through
	queue     time.Duration                 // of the bottleneck, at 2 Mbit/s
	loss      float64                       // random, 0 to 1
	delay     time.Duration                 // one way
	every     time.Duration                 // between reports
	length    time.Duration
	tcp       bool                       // what is lost is sent again: it waits in the sender's queue
	keyFrames int                        // how much larger than others; 1 when 0
	trips     bool                       // each report tells a round trip
	quiet     func(t time.Duration) bool // the codec needs only a tenth
	bounds    Bounds
}

// A second of a scene, all but rate in bit/s.
type second struct {
	rate          int // the estimate at its end
	sent, carried float64
	packets, lost int
	queue         time.Duration // at its end
}

type packet struct {
	seq   uint32
	size  int
	sent  time.Duration
	there time.Duration
}

// A world runs a scene.
type world struct {
	scene
	e   Estimator
	rng *rand.Rand

	seq, bytes      uint32
	queued          []packet // in the bottleneck
	inQueue         int      // bytes
	credit          float64  // bits that the link could have carried
	flying          []packet
	highest         uint32
	received        uint32
	way             time.Duration // that the latest packet took
	reports         []Report      // on their way
	sentAt          map[uint32]time.Duration
	log             []second
	frame           int
	framesDue       time.Duration
	reportDue, tick time.Duration
}

const packetSize = 1300

func run(s scene) []second {
	w := &world{scene: s, rng: rand.New(rand.NewPCG(1, 2)), sentAt: map[uint32]time.Duration{}, reportDue: s.every, tick: time.Second}
	codec := w.bounds.Max
	w.log = append(w.log, second{})
	for now := time.Duration(0); now < s.length; now += time.Millisecond {
		if now >= w.framesDue {
			w.framesDue += time.Second / 30
			w.send(now, codec)
		}
		w.carry(now)
		w.feedback(now)
		if now >= w.tick {
			w.tick += time.Second
			w.e.Tick(now, w.bounds)
			if w.tcp {
				w.e.Queue(Queue{At: now, Bytes: uint64(w.bytes), Unsent: w.inQueue, Lag: w.lag(now)}, w.bounds)
			}
			codec = w.e.Rate(w.bounds)
			last := &w.log[len(w.log)-1]
			last.rate, last.queue = codec, w.lag(now)
			w.log = append(w.log, second{})
		}
	}
	return w.log[:len(w.log)-1]
}

func (w *world) send(now time.Duration, codec int) {
	const gop = 60
	ratio := max(1, w.keyFrames)
	size := float64(codec) / 8 / 30 * gop / float64(gop-1+ratio)
	if w.frame%gop == 0 {
		size *= float64(ratio)
	}
	if w.quiet != nil && w.quiet(now) {
		size /= 10
	}
	w.frame++
	for left := int(size); left > 0; left -= packetSize {
		p := packet{seq: w.seq + 1, size: min(left, packetSize), sent: now}
		w.seq++
		w.bytes += uint32(p.size)
		w.sentAt[p.seq] = now
		s := &w.log[len(w.log)-1]
		s.sent += float64(p.size) * 8
		s.packets++
		full := w.inQueue+p.size > int(w.queue.Seconds()*2e6/8)
		if !w.tcp && (full || w.rng.Float64() < w.loss) {
			s.lost++
			continue
		}
		w.queued = append(w.queued, p)
		w.inQueue += p.size
	}
}

func (w *world) carry(now time.Duration) {
	w.credit += w.link(now) / 1000
	for len(w.queued) > 0 && w.credit >= float64(w.queued[0].size*8) {
		p := w.queued[0]
		w.queued = w.queued[1:]
		w.credit -= float64(p.size * 8)
		w.inQueue -= p.size
		p.there = now + w.delay
		w.flying = append(w.flying, p)
		w.log[len(w.log)-1].carried += float64(p.size * 8)
	}
	if len(w.queued) == 0 {
		w.credit = min(w.credit, packetSize*8)
	}
	for len(w.flying) > 0 && w.flying[0].there <= now {
		w.highest, w.way = w.flying[0].seq, now-w.flying[0].sent
		w.received++
		w.flying = w.flying[1:]
	}
}

// lag is the age of the oldest packet in the queue.
func (w *world) lag(now time.Duration) time.Duration {
	if len(w.queued) == 0 {
		return 0
	}
	return now - w.queued[0].sent
}

func (w *world) feedback(now time.Duration) {
	if now >= w.reportDue && !w.tcp {
		w.reportDue += w.every
		if w.link(now) > 0 && w.highest > 0 {
			w.reports = append(w.reports, Report{At: now + w.delay, Highest: w.highest, Lost: int32(w.highest - w.received)})
		}
	}
	for len(w.reports) > 0 && w.reports[0].At <= now {
		r := w.reports[0]
		w.reports = w.reports[1:]
		r.Packets, r.Bytes = w.seq, w.bytes
		if w.trips {
			r.RoundTrip = w.way + w.delay
		}
		if at, ok := w.sentAt[r.Highest+1]; ok {
			r.Lag = now - at
		}
		w.e.Report(r, w.bounds)
	}
}
