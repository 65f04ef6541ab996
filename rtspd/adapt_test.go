package rtspd

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/rate"
	"lenslet/rtspd/rtp"
)

// An adaptive is a lab whose codec notes what it is told. Its time is that of the
// test, second by second.
type adaptive struct {
	*lab
	told []int
	log  bytes.Buffer
	now  time.Duration
}

// follow lets the stream follow the network at an instant.
func (a *adaptive) follow(now time.Duration) {
	a.stream.follow(now, slog.New(slog.NewTextHandler(&a.log, nil)))
}

const fullBitrate = 6_000_000

func newAdaptive(t *testing.T, policy rate.Policy, options ...option) *adaptive {
	a := &adaptive{now: monotonic()}
	a.lab = prepareLab(t, nil, append(options, func(_ *Config, s *StreamConfig) {
		s.Adapt, s.Bitrate = policy, func(bps int) { a.told = append(a.told, bps) }
	})...)
	a.srv.pass, a.srv.fell = time.Hour, nil // the test's clock alone counts
	a.serve("127.0.0.1:0")
	a.stream.Describe(30, fullBitrate)
	return a
}

// watched is one with a viewer that plays by UDP.
func watched(t *testing.T, policy rate.Policy) (*adaptive, *client, *viewer) {
	a := newAdaptive(t, policy)
	c := a.dial().setupUDP()
	c.play()
	return a, c, a.viewer(c)
}

// viewer is the one of a client.
func (a *adaptive) viewer(c *client) *viewer { return a.srv.session(c.session).viewer.Load() }

// seconds lets time pass, in which each viewer was sent 500 packets of 1,500 bytes
// a second, and reports the given share of them as lost.
func (a *adaptive) seconds(n int, lost map[*viewer]float64) {
	for range n {
		a.now += time.Second
		a.stream.mu.Lock()
		a.stream.adapt.log.n = 0 // these packets have no age
		for v, share := range lost {
			v.packets += 500
			v.octets += 500 * 1500
			r := v.last
			r.Highest += 500
			r.Lost += int32(500 * share)
			v.last, v.reports = r, true
			a.stream.gauge(v, v, r, a.now)
		}
		a.stream.mu.Unlock()
		a.follow(a.now)
	}
}

func TestCodecFollowsTheOnlyViewer(t *testing.T) {
	a, _, v := watched(t, rate.Majority)
	a.seconds(5, map[*viewer]float64{v: 0})
	if len(a.told) != 0 {
		t.Fatalf("%v is told though all is well", a.told)
	}
	a.seconds(1, map[*viewer]float64{v: 0.5})
	if len(a.told) != 1 || a.told[0] < 2_400_000 || a.told[0] > 2_700_000 { // 0.85 of 3 Mbit/s
		t.Fatalf("%v is told", a.told)
	}
	if !strings.Contains(a.log.String(), "the network to 127.0.0.1 carries about 3.0 Mbit/s: bitrate lowered to 2.5 Mbit/s") {
		t.Errorf("the log says %q", a.log.String())
	}
	a.stream.Describe(30, 8_000_000) // the owner wants more
	a.seconds(60, map[*viewer]float64{v: 0})
	if last := a.told[len(a.told)-1]; last != 8_000_000 {
		t.Errorf("%d bit/s a minute later", last)
	}
	if n := strings.Count(a.log.String(), "bitrate"); n != 2 || !strings.Contains(a.log.String(), "raised to") {
		t.Errorf("the log says %q", a.log.String())
	}
	told := len(a.told)
	a.seconds(5, map[*viewer]float64{v: 0})
	if len(a.told) != told {
		t.Errorf("%v is told again", a.told[told:])
	}
}

// What the kernel had no room for was there to be carried, and was not.
func TestRefusedPacketsCount(t *testing.T) {
	a, _, v := watched(t, rate.Majority)
	a.seconds(5, map[*viewer]float64{v: 0})
	a.stream.mu.Lock()
	v.packets, v.octets = v.packets-250, v.octets-250*1500
	v.refused.packets, v.refused.octets = 250, 250*1500
	a.stream.mu.Unlock()
	a.seconds(1, map[*viewer]float64{v: 0.5})
	if len(a.told) != 1 || a.told[0] < 2_400_000 || a.told[0] > 2_700_000 { // 0.85 of 3 Mbit/s
		t.Errorf("%v is told", a.told)
	}
}

// What was lost and sent again was lost all the same: reports do not show it any more.
func TestRepairedLossCounts(t *testing.T) {
	a := newAdaptive(t, rate.Majority)
	c := a.dial().setupAVPF()
	c.play()
	v := a.viewer(c)
	a.seconds(5, map[*viewer]float64{v: 0})
	first := c.receive(1)[0].seq
	c.nack(rtcp.NackPair{PacketID: first, LostPackets: 1})
	await(t, "packets are sent again", func() bool { a.stream.mu.Lock(); defer a.stream.mu.Unlock(); return v.again == 2 })
	a.stream.mu.Lock()
	v.again = 250
	a.stream.mu.Unlock()
	a.seconds(1, map[*viewer]float64{v: 0})
	if len(a.told) != 1 || a.told[0] < 2_400_000 || a.told[0] > 2_700_000 { // 0.85 of 3 Mbit/s
		t.Errorf("%v is told", a.told)
	}
}

func TestFloor(t *testing.T) {
	a := newAdaptive(t, rate.Slowest)
	c := a.dial().setupUDP()
	c.play()
	a.stream.Floor(1_000_000)
	a.seconds(20, map[*viewer]float64{a.viewer(c): 0.9})
	if least := slices.Min(a.told); least != 1_000_000 {
		t.Errorf("%d bit/s", least)
	}
}

func TestNobodyIsFollowed(t *testing.T) {
	a := newAdaptive(t, rate.Off)
	c := a.dial().setupUDP()
	c.play()
	a.seconds(10, map[*viewer]float64{a.viewer(c): 0.5})
	if len(a.told) != 0 || a.stream.Stats().Thinned != 0 {
		t.Errorf("%v", a.told)
	}
}

// One of three is slow: the others get everything, and it gets key frames, as
// many as it can take, until it can take all again.
func TestSlowViewerIsThinned(t *testing.T) {
	a := newAdaptive(t, rate.Majority)
	var clients [3]*client
	var v [3]*viewer
	for i := range clients {
		clients[i] = a.dial().setupUDP()
		clients[i].play()
		clients[i].media.gaps = true
		v[i] = a.viewer(clients[i])
	}
	a.seconds(5, map[*viewer]float64{v[0]: 0, v[1]: 0, v[2]: 0})
	a.seconds(2, map[*viewer]float64{v[0]: 0, v[1]: 0, v[2]: 0.8})
	if n := a.stream.Stats().Thinned; n != 1 || len(a.told) != 0 {
		t.Fatalf("%d are thinned, the codec is told %v", n, a.told)
	}
	begun := len(a.published)
	for range 3 {
		a.publish(true, 20_000) // 160 ms of 1 Mbit/s
		a.publish(false, 900)
		a.publish(true, 900) // not yet paid for
		a.clock += time.Second
	}
	a.seconds(90, map[*viewer]float64{v[0]: 0, v[1]: 0, v[2]: 0})
	if n := a.stream.Stats().Thinned; n != 0 {
		t.Fatalf("%d are thinned though nothing is lost", n)
	}
	a.publish(false, 900)
	a.publish(true, 900)
	a.publish(false, 900)
	clients[0].media.gaps = false
	want := slices.Clone(a.published[begun:])
	for i := range want { // the key frames that are sent
		if i%3 != 0 && i < 9 || i == 9 {
			want[i] = nil
		}
	}
	want = slices.DeleteFunc(want, func(u *fakeUnit) bool { return u == nil })
	got := clients[2].receive(3 - 2 + len(want))[1:]
	for i := range want {
		if !equalNALUs(got[i].nalus, want[i].nalus) {
			t.Fatalf("unit %d is not the one that was to be sent", i)
		}
	}
	all := clients[0].receive(3 + 12)[3:]
	for i, u := range a.published[begun:] {
		if !equalNALUs(all[i].nalus, u.nalus) {
			t.Fatalf("a healthy viewer misses unit %d", i)
		}
	}
	if v[2].thin.skipped < 7 {
		t.Errorf("%d packets were left out", v[2].thin.skipped)
	}
}

// A unit that comes in parts is left out as a whole, or not at all.
func TestThinning(t *testing.T) {
	unit := func(n uint32, key bool, octets int) *burst {
		return &burst{rtptime: n, key: key, octets: octets, whole: 500, packets: make([]rtp.Packet, 2)}
	}
	th := thinning{bps: 8000}
	for i, step := range []struct {
		wanted bool
		b      *burst
		at     time.Duration
		left   bool
	}{
		{false, unit(1, true, 500), 0, false},
		{false, unit(2, false, 500), 0, false},
		{true, unit(3, false, 500), 0, true},
		{true, unit(4, true, 250), 1 * time.Second, false},
		{true, unit(4, false, 250), 1 * time.Second, false}, // more of the same
		{true, unit(5, true, 500), 1400 * time.Millisecond, true},
		{true, unit(6, true, 500), 1600 * time.Millisecond, false},
		{false, unit(7, false, 500), 1700 * time.Millisecond, true}, // it lacks what this one needs
		{false, unit(8, true, 500), 1800 * time.Millisecond, false},
		{false, unit(9, false, 500), 1900 * time.Millisecond, false},
	} {
		th.wanted = step.wanted
		if got := th.leaves(step.b, step.at); got != step.left {
			t.Errorf("step %d: left out %v", i, got)
		}
	}
	if th.skipped != 6 {
		t.Errorf("%d packets were left out", th.skipped)
	}
}

// By TCP the queue is what tells: a viewer that takes nothing has none soon.
func TestCodecFollowsTheQueue(t *testing.T) {
	a := newAdaptive(t, rate.Majority, patient)
	c := a.dial().setupTCP()
	c.play()
	_ = c.nc.(interface{ SetReadBuffer(int) error }).SetReadBuffer(4096)
	a.seconds(1, nil)
	for range 4 {
		a.clock = monotonic()
		for range 20 {
			a.publish(false, 100_000)
		}
		a.now += time.Second
		a.follow(a.now)
	}
	if len(a.told) == 0 || a.told[len(a.told)-1] > fullBitrate/2 {
		t.Errorf("the codec is told %v", a.told)
	}
	if !strings.Contains(a.log.String(), "the network to 127.0.0.1 carries") {
		t.Errorf("the log says %q", a.log.String())
	}
}

// Of a group, every listener that reports has a vote.
func TestCodecFollowsTheGroup(t *testing.T) {
	a := newAdaptive(t, rate.Majority, multicast())
	c := a.dial().setupMulticast()
	c.play()
	g := a.viewer(c).group
	tell := func(n int, lost ...uint32) {
		for i := range n {
			a.now += time.Second
			a.stream.mu.Lock()
			a.stream.adapt.log.n = 0
			g.sink.packets += 500
			g.sink.octets += 500 * 1500
			for ssrc, l := range lost {
				f := rtp.Feedback{SSRC: uint32(ssrc + 1), Reports: true}
				f.Report.Highest = 1<<16 + g.sink.packets
				f.Report.Lost = int32(l) * int32(i)
				a.stream.heardFrom(g, &f, a.now)
			}
			a.stream.mu.Unlock()
			a.follow(a.now)
		}
	}
	tell(6, 0, 400, 0)
	if len(a.told) != 0 || a.stream.Stats().Thinned != 0 {
		t.Fatalf("for one of three the codec is told %v", a.told)
	}
	g.listeners = map[uint32]*listener{}
	tell(6, 400, 400, 0)
	if len(a.told) == 0 || a.told[len(a.told)-1] > fullBitrate/2 {
		t.Errorf("for two of three the codec is told %v", a.told)
	}
}

func TestReceiverSaysWhatItCanTake(t *testing.T) {
	a := newAdaptive(t, rate.Majority)
	c := a.dial().setupUDP()
	c.play()
	c.receive(1)
	c.sendReport(marshal(t, &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1_000_000, SSRCs: []uint32{c.media.ssrc}}))
	await(t, "the codec is told", func() bool {
		a.follow(monotonic())
		return len(a.told) > 0 && a.told[len(a.told)-1] == 1_000_000
	})
}

// A codec that takes its time to be told holds up nothing that viewers say.
func TestFeedbackDoesNotWaitForTheCodec(t *testing.T) {
	asked, told := make(chan struct{}, 1), make(chan struct{})
	l := prepareLab(t, nil, func(_ *Config, s *StreamConfig) {
		s.Adapt, s.Bitrate = rate.Majority, func(int) {
			select {
			case asked <- struct{}{}:
			default:
			}
			<-told
		}
	})
	l.serve("127.0.0.1:0")
	l.stream.Describe(30, fullBitrate)
	c := l.dial().setupUDP()
	c.play()
	c.receive(1)
	defer close(told)
	c.sendReport(marshal(t, &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: 1_000_000, SSRCs: []uint32{c.media.ssrc}}))
	<-asked
	c.sendReport(marshal(t, &rtcp.ReceiverReport{SSRC: 7}, &rtcp.Goodbye{Sources: []uint32{7}}))
	await(t, "a BYE is heard", func() bool { return len(l.sessions()) == 0 })
}

func TestSentLog(t *testing.T) {
	var l sentLog
	if l.since(7, 7, time.Second) != 0 || l.since(6, 7, time.Second) != 0 || l.behind(100, time.Second) != 0 {
		t.Error("an empty log knows something")
	}
	for i := range 300 {
		l.note(&burst{seq: uint16(65500 + 10*i), packets: make([]rtp.Packet, 10), octets: 10 * 1000}, time.Duration(i)*time.Second)
	}
	next := uint16(65500 + 3000 - 65536)
	for _, test := range []struct {
		seq  uint16
		want time.Duration
	}{{next, 0}, {next + 1, 0}, {next - 1, time.Second}, {next - 10, time.Second}, {next - 11, 2 * time.Second}, {next - 1000, 100 * time.Second}, {next - 2000, 128 * time.Second}} {
		if got := l.since(test.seq, next, 300*time.Second); got != test.want {
			t.Errorf("packet %d was sent %v ago, want %v", test.seq, got, test.want)
		}
	}
	for seq, want := range map[uint16]uint16{next: next, next - 1: next, next - 10: next, next - 11: next - 10, next - 20: next - 10, next - 1000: next - 990} {
		if got := l.past(seq, next); got != want {
			t.Errorf("packet %d is of the unit in front of %d, want %d", seq, got, want)
		}
	}
	each := 10 * (1000 + rtp.HeaderSize + 4)
	for bytes, want := range map[int]time.Duration{-1: 0, 0: 0, 1: time.Second, each: time.Second, each + 1: 2 * time.Second, 50 * each: 50 * time.Second, 1 << 30: 128 * time.Second} {
		if got := l.behind(bytes, 300*time.Second); got != want {
			t.Errorf("%d bytes are %v behind, want %v", bytes, got, want)
		}
	}
}

func TestStatisticsOfASession(t *testing.T) {
	a, c, v := watched(t, rate.Majority)
	own := "session_packets_sent\r\nsession_packets_lost\r\nsession_jitter\r\nsession_round_trip\r\nsession_bitrate\r\nsession_thinned\r\n"
	get := func(status int, who *client, body string) response {
		h := headers{"Content-Type", "text/parameters"}
		return who.must(status, "GET_PARAMETER", a.url, h, body)
	}
	before := "session_packets_sent: 4\r\nsession_packets_lost: 0\r\nsession_jitter: 0.0\r\nsession_round_trip: unknown\r\nsession_bitrate: unknown\r\nsession_thinned: false\r\n"
	if r := get(200, c, own); r.body != before {
		t.Errorf("before a report:\n%s", r.body)
	}
	a.stream.mu.Lock()
	v.trip, v.lost = 12500*time.Microsecond, 7
	a.stream.mu.Unlock()
	a.seconds(3, map[*viewer]float64{v: 0.5})
	if r := get(200, c, "session_bitrate\r\nbitrate\r\nsession_round_trip\r\nsession_packets_lost\r\n"); r.body != "bitrate: 5000\r\nsession_bitrate: 2550000\r\nsession_round_trip: 12.5\r\nsession_packets_lost: 7\r\n" {
		t.Errorf("after reports:\n%s", r.body)
	}
	if got := a.stream.Stats().RoundTrip; got != v.trip {
		t.Errorf("a round trip of %v in all", got)
	}
	if r := get(451, c, "session_mood\r\nsession_jitter\r\n"); r.body != "session_mood:\r\n" && r.body != "session_mood\r\n" {
		t.Errorf("unknown: %q", r.body)
	}
	get(451, a.dial(), "session_jitter\r\n")
}

// Bad news does not wait for the clock, but the codec is told once a second at most.
func TestBadNewsIsUrgent(t *testing.T) {
	a, _, v := watched(t, rate.Majority)
	a.seconds(5, map[*viewer]float64{v: 0})
	tell := func(after time.Duration, lost int32) bool {
		a.now += after
		a.stream.mu.Lock()
		v.packets += 500
		v.octets += 500 * 1500
		v.last.Highest += 500
		v.last.Lost += lost
		a.stream.gauge(v, v, v.last, a.now)
		a.stream.mu.Unlock()
		return a.stream.fell()
	}
	if tell(time.Second, 0) {
		t.Error("good news is urgent")
	}
	if !tell(500*time.Millisecond, 250) {
		t.Error("bad news is not urgent")
	}
	a.follow(a.now)
	if len(a.told) != 1 || a.stream.fell() {
		t.Fatalf("the codec is told %v", a.told)
	}
	tell(500*time.Millisecond, 450)
	a.follow(a.now)
	if len(a.told) != 1 {
		t.Errorf("the codec is told %v within half a second", a.told)
	}
	if !a.stream.fell() {
		t.Error("bad news that has to wait is urgent no more")
	}
	a.follow(a.now + 500*time.Millisecond)
	if len(a.told) != 2 || a.told[1] >= a.told[0] {
		t.Errorf("the codec is told %v a second later", a.told)
	}
}
