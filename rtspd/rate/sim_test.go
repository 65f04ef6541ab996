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
	overhead  int                           // bytes of a packet that only the link sees
	loss      float64                       // random, 0 to 1
	together  int                           // packets of a frame that are lost together, as they are sent; 1 when 0
	delay     time.Duration                 // one way
	every     time.Duration                 // between reports
	uneven    float64                       // by so much of it more or less, 0 to 1
	length    time.Duration
	framerate int                        // 30 when 0
	tcp       bool                       // what is lost is sent again: it waits in the sender's queue
	keyFrames int                        // how much larger than others; 1 when 0
	trips     bool                       // each report tells a round trip
	quiet     func(t time.Duration) bool // the codec needs only a tenth
	bounds    Bounds
	seed      uint64 // of chance, and of when frames, reports and seconds begin; 0: at once
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

// A unit is a frame that was sent.
type unit struct {
	seq uint32 // of its first packet
	at  time.Duration
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
	way             time.Duration   // that the latest packet took
	reports         []Report        // on their way
	came            []time.Duration // when reports came
	units           []unit
	log             []second
	frame           int
	codec           int // bit/s that it was told
	told            time.Duration
	urgent          bool // the rate fell, and the codec does not know
	least           int  // bit/s that it was ever told
	framesDue       time.Duration
	reportDue, tick time.Duration
}

const packetSize = 1300

func run(s scene) []second { return newWorld(s).run() }

func newWorld(s scene) *world {
	w := &world{scene: s, rng: rand.New(rand.NewPCG(1, 2+s.seed)), reportDue: s.every, tick: time.Second}
	if s.framerate == 0 {
		w.framerate = 30
	}
	if s.seed > 0 {
		w.framesDue = time.Duration(w.rng.Int64N(int64(time.Second) / int64(w.framerate)))
		w.reportDue = time.Duration(w.rng.Int64N(int64(s.every)))
		w.tick = time.Duration(w.rng.Int64N(int64(time.Second)))
	}
	w.codec, w.least = w.bounds.Max, w.bounds.Max
	return w
}

func (w *world) run() []second {
	w.log = append(w.log, second{})
	for now := time.Duration(0); now < w.length; now += time.Millisecond {
		if now >= w.framesDue {
			w.framesDue += time.Second / time.Duration(w.framerate)
			w.send(now)
		}
		w.carry(now)
		w.feedback(now)
		if now >= w.tick {
			w.tick += time.Second
			w.e.Tick(now, w.bounds)
			if w.tcp {
				w.e.Queue(Queue{At: now, Bytes: uint64(w.bytes), Unsent: w.inQueue, Lag: w.lag(now)}, w.bounds)
			}
			w.tell(now)
			last := &w.log[len(w.log)-1]
			last.rate, last.queue = w.codec, w.lag(now)
			w.log = append(w.log, second{})
		}
	}
	return w.log[:len(w.log)-1]
}

// tell tells the codec its rate, once a second at most.
func (w *world) tell(now time.Duration) {
	if now-w.told < 950*time.Millisecond {
		return
	}
	w.urgent = false
	if rate := w.e.Rate(w.bounds); rate != w.codec {
		w.codec, w.told = rate, now
		w.least = min(w.least, rate)
	}
}

func (w *world) send(now time.Duration) {
	const gop = 60
	ratio := max(1, w.keyFrames)
	size := float64(w.codec) / 8 / float64(w.framerate) * gop / float64(gop-1+ratio)
	if w.frame%gop == 0 {
		size *= float64(ratio)
	}
	if w.quiet != nil && w.quiet(now) {
		size /= 10
	}
	w.frame++
	w.units = append(w.units, unit{w.seq + 1, now})
	if len(w.units) > 256 {
		w.units = append(w.units[:0], w.units[128:]...)
	}
	missed := false
	for i, left := 0, int(size); left > 0; i, left = i+1, left-packetSize {
		p := packet{seq: w.seq + 1, size: min(left, packetSize), sent: now}
		w.seq++
		w.bytes += uint32(p.size)
		s := &w.log[len(w.log)-1]
		s.sent += float64(p.size) * 8
		s.packets++
		if i%max(1, w.together) == 0 {
			missed = w.rng.Float64() < w.loss
		}
		full := w.inQueue+p.size+w.overhead > int(w.queue.Seconds()*2e6/8)
		if !w.tcp && (full || missed) {
			s.lost++
			continue
		}
		w.queued = append(w.queued, p)
		w.inQueue += p.size + w.overhead
	}
}

func (w *world) carry(now time.Duration) {
	w.credit += w.link(now) / 1000
	for len(w.queued) > 0 {
		p := w.queued[0]
		size := p.size + w.overhead
		if w.credit < float64(size*8) {
			break
		}
		w.queued = w.queued[1:]
		w.credit -= float64(size * 8)
		w.inQueue -= size
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
		w.reportDue += w.every + time.Duration(w.uneven*(2*w.rng.Float64()-1)*float64(w.every))
		if w.link(now) > 0 && w.highest > 0 {
			w.reports = append(w.reports, Report{At: now + w.delay, Highest: w.highest, Lost: int32(w.highest - w.received)})
		}
	}
	for len(w.reports) > 0 && w.reports[0].At <= now {
		r := w.reports[0]
		w.reports = w.reports[1:]
		r.Ahead, r.Packets, r.Bytes = w.seq-r.Highest, w.seq, w.bytes
		if w.trips {
			r.RoundTrip = w.way + w.delay
		}
		r.Lag = w.since(r.Highest+1, now)
		w.came = append(w.came, now)
		before := w.e.Rate(w.bounds)
		w.e.Report(r, w.bounds)
		if w.urgent = w.urgent || w.e.Rate(w.bounds) < before*9/10; w.urgent { // does not wait for the clock
			w.tell(now)
		}
	}
}

// since is how long ago the oldest packet from a number on was sent, but for one frame:
// that may be lost. 0: there is none.
func (w *world) since(seq uint32, now time.Duration) time.Duration {
	at := now
	for i := len(w.units) - 1; i >= 0 && w.units[i].seq > seq; i-- {
		at = w.units[i].at
	}
	return now - at
}
