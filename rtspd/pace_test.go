package rtspd

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"lenslet/rtspd/udp"
)

func paced(_ *Config, s *StreamConfig) { s.Pacing = PacingOn }

// byHand lets chunks go out by step alone.
func (l *lab) byHand() {
	timer := time.AfterFunc(time.Hour, func() {})
	l.t.Cleanup(func() { timer.Stop() })
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	l.stream.pace.timer = timer
}

// step sends the next chunk, as the timer would. False: there was none.
func (l *lab) step() bool {
	l.stream.mu.Lock()
	l.stream.pace.due = 0
	any := l.stream.pace.unit != nil
	l.stream.mu.Unlock()
	l.stream.onward()
	return any
}

// got reads n packets, and checks that no other came.
func (c *client) got(n int) {
	c.t.Helper()
	for range n {
		c.media.push(c.t, c.opened(c.datagram(0)))
	}
	if !c.silent(0) {
		c.t.Fatalf("more than %d packets", n)
	}
}

// 40 packets: chunks of 16, 16 and 8.
const threeChunks = 55_000

func TestPacedUnitsGoOutInChunks(t *testing.T) {
	l := newLab(t, paced)
	l.byHand()
	c, other := l.dial().setupUDP(), l.dial().setupTCP()
	c.play()
	other.play()
	c.receive(2)
	other.receive(1)
	before := l.stream.Stats()
	u := l.publish(false, threeChunks)
	other.receive(2) // who is not paced waits for nobody
	c.got(16)
	l.step()
	c.got(16)
	if n := u.releases.Load(); n != 0 {
		t.Errorf("released %d times before the last packet", n)
	}
	l.step()
	c.got(8)
	if n := u.releases.Load(); n != 1 {
		t.Errorf("released %d times behind the last packet", n)
	}
	if l.step() {
		t.Error("a fourth chunk")
	}
	c.media.equal(t, l.published)
	st := l.stream.Stats()
	if st.PacedViewers != 1 || st.Paced != 40 || st.Refused != 0 || st.Packets-before.Packets != 80 || !st.HasLatency {
		t.Errorf("%+v", st)
	}
	l.publish(false, 16*1300) // a chunk is sent at once
	c.got(16)
	if l.step() {
		t.Error("a unit of one chunk is paced")
	}
}

func TestPacingIsOff(t *testing.T) {
	for name, p := range map[string]Pacing{"off": PacingOff, "auto, on loopback": PacingAuto} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(_ *Config, s *StreamConfig) { s.Pacing = p })
			c := l.dial().setupUDP()
			c.play()
			c.receive(1)
			u := l.publish(false, threeChunks)
			if n := u.releases.Load(); n != 1 {
				t.Errorf("released %d times", n)
			}
			if st := l.stream.Stats(); st.Paced != 0 || st.PacedViewers != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// The clockwork sends the chunks, without anyone's help.
func TestChunksComeByThemselves(t *testing.T) {
	for name, setup := range map[string]func(*client) *client{"unicast": (*client).setupUDP, "multicast": (*client).setupMulticast, "feedback": (*client).setupAVPF} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, paced, multicast())
			c := setup(l.dial())
			c.play()
			for i := range 5 {
				l.publish(i == 2, threeChunks)
				c.receive(2 + i)
			}
			c.media.equal(t, l.published)
			if st := l.stream.Stats(); st.Paced < 200 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// The next unit does not wait, and comes behind.
func TestNextUnitHurriesThePacedOne(t *testing.T) {
	l := newLab(t, paced)
	l.byHand()
	c := l.dial().setupUDP()
	c.play()
	first := l.publish(false, threeChunks)
	if n := first.releases.Load(); n != 0 {
		t.Errorf("released %d times", n)
	}
	second := l.publish(false, threeChunks)
	if a, b := first.releases.Load(), second.releases.Load(); a != 1 || b != 0 {
		t.Errorf("released %d and %d times", a, b)
	}
	l.publish(false, 100)
	c.receive(4)
	c.media.equal(t, l.published)
	if l.step() {
		t.Error("something is left")
	}
}

// SRTP viewers are paced with the packets of their epoch.
func TestPacedSRTP(t *testing.T) {
	l := newSecureLab(t, paced)
	l.byHand()
	l.publish(true, 100)
	plain, c, late := l.dial().setupUDP(), l.dial(), l.dial()
	plain.play()
	c.describeSRTP(l.url + "?srtp")
	c.setupSAVPF().play()
	l.stream.mu.Lock()
	l.stream.current().next = joinLimit
	l.stream.mu.Unlock()
	late.describeSRTP(l.url + "?srtp")
	late.setupSAVPF().play()
	from := len(l.published)
	u := l.publish(false, threeChunks)
	for l.step() {
	}
	if n := u.releases.Load(); n != 1 {
		t.Errorf("released %d times", n)
	}
	plain.receive(4)
	late.receive(2)
	plain.media.equal(t, l.published[from-3:])
	late.media.equal(t, l.published[from-1:])
	if st := l.stream.Stats(); st.Paced != 3*40 || st.Refused != 0 {
		t.Errorf("%+v", st)
	}
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	for _, v := range l.stream.viewers {
		if v.safe != nil && v.safe.last != v.safe.epoch.next {
			t.Errorf("index %d behind the last packet, not %d", v.safe.last, v.safe.epoch.next)
		}
	}
}

// Sender reports count the same, paced or not, protected or not.
func TestPacedOctets(t *testing.T) {
	counts := map[[2]uint32]bool{}
	for _, p := range []Pacing{PacingOff, PacingOn} {
		t.Run(fmt.Sprint(p), func(t *testing.T) {
			l := newSecureLab(t, func(_ *Config, s *StreamConfig) { s.Pacing = p })
			l.publish(true, 100)
			c, plain := l.dial(), l.dial().setupUDP()
			c.describeSRTP(l.url + "?srtp")
			c.setupSAVPF()
			for _, c := range []*client{c, plain} {
				c.write(c.request("PLAY", l.url, nil, ""))
			}
			l.awaitWaiting(2)
			u := l.publish(true, threeChunks)
			await(t, "all is sent", func() bool { return u.releases.Load() == 1 })
			c.response()
			plain.response()
			l.stream.mu.Lock()
			defer l.stream.mu.Unlock()
			for _, v := range l.stream.viewers {
				counts[[2]uint32{v.packets, v.octets}] = true
			}
		})
	}
	if len(counts) != 1 {
		t.Errorf("packets and octets: %v", counts)
	}
}

// Whoever leaves between two chunks gets no more of them, and who comes nothing
// of a unit whose beginning it has not seen.
func TestViewersComeAndGoBetweenChunks(t *testing.T) {
	for name, setup := range map[string]func(*client) *client{"unicast": (*client).setupUDP, "multicast": (*client).setupMulticast} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, paced, multicast())
			l.byHand()
			stays, c := setup(l.dial()), l.dial().setupUDP()
			stays.play()
			c.play()
			c.receive(1)
			l.publish(true, threeChunks) // one more packet: of the parameter sets
			c.got(16)
			c.must(200, "PAUSE", l.url, nil, "")
			l.step()
			if !c.silent(0) {
				t.Error("packets after PAUSE")
			}
			c.write(c.request("PLAY", l.url, nil, ""))
			l.awaitWaiting(1)
			l.step()
			if !c.silent(0) {
				t.Error("packets of a unit whose beginning is missing")
			}
			stays.receive(3)
			stays.media.equal(t, l.published)
			l.publish(true, threeChunks)
			c.media = receiver{}
			if info := c.rtpInfo(c.response()); info.Seq != stays.media.next {
				t.Errorf("begins at %d, not at %d", info.Seq, stays.media.next)
			}
			c.got(16)
			c.must(200, "TEARDOWN", l.url, nil, "")
			for l.step() {
			}
			if !c.silent(0) {
				t.Error("packets after TEARDOWN")
			}
			stays.receive(4)
			stays.media.equal(t, l.published)
		})
	}
}

// A unit is not borrowed for nobody, nor when the server stops.
func TestPacingEndsWithItsViewers(t *testing.T) {
	l := newLab(t, paced)
	l.byHand()
	c := l.dial().setupUDP()
	c.play()
	u := l.publish(false, threeChunks)
	c.must(200, "TEARDOWN", l.url, nil, "")
	l.step()
	if n := u.releases.Load(); n != 1 {
		t.Errorf("released %d times", n)
	}
	c = l.dial().setupUDP()
	c.write(c.request("PLAY", l.url, nil, ""))
	l.awaitWaiting(1)
	if u := l.publish(false, threeChunks); u.releases.Load() != 1 { // it waits for a key frame
		t.Errorf("released %d times", u.releases.Load())
	}
	u = l.publish(true, threeChunks)
	c.response()
	l.stop()
	l.step()
	if n := u.releases.Load(); n != 1 {
		t.Errorf("released %d times after the stop", n)
	}
}

// A viewer goes on by TCP though it was in the midst of a paced unit.
func TestAnotherTransportBetweenChunks(t *testing.T) {
	l := newLab(t, paced)
	l.byHand()
	c := l.dial().setupUDP()
	c.play()
	l.publish(false, threeChunks)
	c.must(200, "PAUSE", l.url, nil, "")
	c.setupTCP()
	c.media = receiver{}
	c.play() // sends the rest, if there is any
	from := len(l.published) - 1
	for l.step() {
	}
	l.publish(false, threeChunks)
	c.receive(2)
	c.media.equal(t, l.published[from:])
}

// What the kernel refuses of one chunk is counted, and the next one is tried.
func TestKernelRefusesAChunk(t *testing.T) {
	l := newLab(t, paced)
	l.byHand()
	c := l.dial().setupUDP()
	c.play()
	c.receive(1)
	v := l.srv.session(c.session).viewer.Load()
	l.publish(false, threeChunks)
	c.got(16)
	way := v.rtpTo
	nowhere := udp.NewDestination(netip.MustParseAddrPort("[fe80::1%no-such-zone]:9"))
	for _, to := range []*udp.Destination{nowhere, way} {
		l.stream.mu.Lock()
		v.rtpTo = to
		l.stream.mu.Unlock()
		l.step()
	}
	for range 8 {
		c.datagram(0)
	}
	if st := l.stream.Stats(); st.Refused != 16 || st.Paced != 24 {
		t.Errorf("%+v", st)
	}
}

func TestSpread(t *testing.T) {
	s := NewStream(StreamConfig{})
	for rate, want := range map[float64]time.Duration{0: time.Second / 60, 30: time.Second / 60, 25: 20 * time.Millisecond, 120: time.Second / 240, 1: paceMost} {
		s.framerate = rate
		if got := s.spread(); got.Round(time.Microsecond) != want.Round(time.Microsecond) {
			t.Errorf("%v frames/s: %v", rate, got)
		}
	}
}

func TestPacingAllocatesNothing(t *testing.T) {
	l := newLab(t, paced)
	l.byHand()
	for range 3 {
		l.dial().setupUDP().play()
	}
	u := l.unit(false, threeChunks)
	publish := func() {
		u.releases.Store(0)
		u.at = monotonic()
		l.stream.Publish(u)
		for l.step() {
		}
	}
	publish()
	l.rest(func() {
		if n := allocations(50, publish); n > 0 {
			t.Errorf("%v allocations for 50 units", n)
		}
	})
}

// Viewers come and go, units come early and late, and the timer fires as it will.
func TestPacingUnderRace(t *testing.T) {
	l := newLab(t, paced)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 3 {
			for _, setup := range []func(*client) *client{(*client).setupUDP, (*client).setupTCP, (*client).setupAVPF} {
				c := setup(l.dial())
				c.must(200, "PLAY", l.url, nil, "")
				c.must(200, "PAUSE", l.url, nil, "")
				c.must(200, "PLAY", l.url, nil, "")
				c.must(200, "TEARDOWN", l.url, nil, "")
				c.close()
			}
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-done:
			return
		default:
		}
		l.publish(true, threeChunks)
		time.Sleep(time.Duration(i%4) * 7 * time.Millisecond) // pace of a camera, not a wait
	}
}
