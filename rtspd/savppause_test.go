package rtspd

import (
	"encoding/binary"
	"testing"
)

// A rocGuesser keeps rollover counters as RFC 3711 3.3.1 has it, and opens
// packets with nothing else. One counter for each source, or as FFmpeg has it one
// for all.
type rocGuesser struct {
	key  []byte
	one  bool
	seen map[uint32]*guess
}

type guess struct {
	roc  uint32
	last uint16
}

// open guesses a packet's index, and tells whether that was right: a packet of
// another index is not authentic.
func (g *rocGuesser) open(t *testing.T, packet []byte) bool {
	t.Helper()
	ssrc, seq := binary.BigEndian.Uint32(packet[8:]), binary.BigEndian.Uint16(packet[2:])
	source := ssrc
	if g.one {
		source = 0
	}
	s := g.seen[source]
	if s == nil {
		s = &guess{last: seq}
		g.seen[source] = s
	}
	roc := s.roc
	switch {
	case s.last < 1<<15 && int(seq)-int(s.last) > 1<<15:
		roc--
	case s.last >= 1<<15 && int(s.last)-1<<15 > int(seq):
		roc++
	}
	c := contextOf(t, g.key)
	c.SetROC(ssrc, roc)
	if _, err := c.DecryptRTP(nil, packet, nil); err != nil {
		return false
	}
	if roc == s.roc+1 || (roc == s.roc && seq > s.last) {
		s.roc, s.last = roc, seq
	}
	return true
}

// A player that pauses for however long can go on, since it is never left to
// guess a wrong rollover counter; and whose counter says so in which epoch.
func TestRolloverCounterAfterAPause(t *testing.T) {
	for _, test := range []struct {
		name     string
		at, gap  uint64 // packets sent before the pause, and in it
		same     bool
		perFirst bool // FFmpeg, which knows of no sources, has counted a wrap
	}{
		{"short", 10, 100, true, false},
		{"to the limit", 10, pauseLimit - 1000, true, false},
		{"behind the limit", 10, pauseLimit, false, false},
		{"half of the numbers", 10, 1<<15 + 10, false, false},
		{"three quarters", 10, 49_152 + 10, false, false},
		{"all numbers", 10, 1 << 16, false, false},
		{"many times", 10, 5<<16 + 40_000, false, false},
		{"from high numbers", 45_000, 1<<15 + 10, false, false},
		{"shortly before the wrap", 65_500, 1<<15 + 10, false, false},
		{"short, over the wrap", 65_000, 2000, true, false},
		{"behind the first wrap", 1<<16 + 1000, 1<<15 + 10, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newSecureLab(t)
			l.publish(true, 100)
			c := l.dial()
			key, _ := c.describeSRTP(l.url + "?srtp")
			c.setupSRTP("udp").play()
			players := map[string]*rocGuesser{
				"a counter a source": {key: key, seen: map[uint32]*guess{}},
				"one counter":        {key: key, one: true, seen: map[uint32]*guess{}},
			}
			if test.perFirst {
				delete(players, "one counter")
			}
			take := func(packets int) {
				t.Helper()
				for range packets {
					b := c.datagram(0)
					for name, p := range players {
						if !p.open(t, b) {
							t.Fatalf("%s: packet %d of %08x is not opened", name, binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[8:]))
						}
					}
				}
			}
			take(4) // the key unit
			v := l.srv.session(c.session).viewer.Load()
			before := v.safe.epoch
			for before.next < test.at { // it plays on, a packet now and then
				l.stream.mu.Lock()
				before.next = min(before.next+10_000, test.at)
				l.stream.mu.Unlock()
				l.publish(false, 100)
				take(1)
			}
			c.must(200, "PAUSE", l.url, nil, "")
			l.stream.mu.Lock()
			before.next += test.gap
			l.stream.mu.Unlock()
			c.play()
			take(4)
			for range 5 {
				l.publish(false, 20_000)
				take(15)
			}
			l.stream.mu.Lock()
			defer l.stream.mu.Unlock()
			if same := v.safe.epoch == before; same != test.same {
				t.Errorf("the same epoch: %v", same)
			}
		})
	}
}

// Epochs that begin anywhere have sources of their own: no index is used twice.
func TestResumedEpochs(t *testing.T) {
	s := NewStream(StreamConfig{Path: "main"})
	used := map[uint32]bool{s.packetizer.SSRC(): true}
	for _, test := range []struct{ seen, begins uint64 }{{1, 1}, {65_535, 65_535}, {65_536, 0}, {1 << 20, 0}} {
		e, last := s.resume(test.seen)
		if e.next != test.begins || last != test.begins || used[e.ssrc] {
			t.Errorf("after %d: %08x begins with %d, %d", test.seen, e.ssrc, e.next, last)
		}
		used[e.ssrc] = true
	}
	s.begin(joinLimit)
	if e := s.current(); e.next != 0 || used[e.ssrc] {
		t.Errorf("who joins gets %08x from %d on", e.ssrc, e.next)
	}
}
