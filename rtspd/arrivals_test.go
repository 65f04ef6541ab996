package rtspd

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/rate"
	"lenslet/rtspd/rtp"
)

// A teller is a viewer that tells what became of every packet. Its packets are
// numbers: 500 a second, of 1,500 bytes.
type teller struct {
	*adaptive
	v    *viewer
	next uint16
}

func newTeller(t *testing.T) *teller {
	a := newAdaptive(t, rate.Majority)
	c := a.dial().setupUDP()
	c.play()
	w := &teller{adaptive: a, v: a.viewer(c), next: a.stream.packetizer.Next() - 30_000}
	a.stream.adapt.log.n = 0
	return w
}

// second lets one pass: ten feedback packets tell of 50 packets each, which took
// delay for their way, but for the share that is lost.
func (w *teller) second(delay time.Duration, lost int) {
	for range 10 {
		w.stream.mu.Lock()
		w.stream.adapt.log.note(&burst{seq: w.next, packets: make([]rtp.Packet, 50), octets: 50 * 1500}, w.now)
		w.v.packets += 50
		w.v.octets += 50 * 1500
		w.stream.mu.Unlock()
		w.now += 100 * time.Millisecond
		block := rtcp.CCFeedbackReportBlock{MediaSSRC: w.stream.packetizer.SSRC(), BeginSequence: w.next}
		for i := range 50 {
			m := rtcp.CCFeedbackMetricBlock{Received: i == 49 || i%10 >= lost, ArrivalTimeOffset: 80 * 1024 / 1000}
			block.MetricBlocks = append(block.MetricBlocks, m)
		}
		w.next += 50
		w.tell(w.now+delay, block)
	}
	w.follow(w.now)
}

// tell lets one feedback packet come at an instant.
func (w *teller) tell(at time.Duration, block rtcp.CCFeedbackReportBlock) {
	b, err := (&rtcp.CCFeedbackReport{ReportBlocks: []rtcp.CCFeedbackReportBlock{block}}).Marshal()
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := rtp.ParseReceiver(b, block.MediaSSRC)
	if err != nil {
		w.t.Fatal(err)
	}
	w.stream.mu.Lock()
	defer w.stream.mu.Unlock()
	w.stream.arrived(w.v, &f.Arrivals, at)
}

// Feedback about single packets tells losses and delays, as receiver reports do, and
// sooner.
func TestCodecFollowsArrivals(t *testing.T) {
	for name, bad := range map[string]func(*teller){
		"losses": func(w *teller) { w.second(20*time.Millisecond, 5) },
		"delays": func(w *teller) { w.second(500*time.Millisecond, 0); w.second(500*time.Millisecond, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeller(t)
			for range 5 {
				w.second(20*time.Millisecond, 0)
			}
			if len(w.told) != 0 || !w.v.rate.Heard() {
				t.Fatalf("%v is told though all is well", w.told)
			}
			bad(w)
			if len(w.told) == 0 || w.told[len(w.told)-1] > fullBitrate*9/10 {
				t.Fatalf("%v is told", w.told)
			}
			for range 40 {
				w.second(20*time.Millisecond, 0)
			}
			if last := w.told[len(w.told)-1]; last != fullBitrate {
				t.Errorf("%d bit/s 40 s later", last)
			}
		})
	}
}

// Receiver reports of who tells more are passed over, until that ends.
func TestArrivalsWin(t *testing.T) {
	w := newTeller(t)
	report := func(lost float64) {
		w.seconds(1, map[*viewer]float64{w.v: lost})
	}
	report(0)
	w.second(20*time.Millisecond, 0)
	for range 5 {
		w.second(20*time.Millisecond, 0)
		w.now -= time.Second
		report(0.5)
		w.stream.mu.Lock()
		w.v.packets -= 500 // one second, told twice
		w.v.octets -= 500 * 1500
		w.stream.mu.Unlock()
	}
	if len(w.told) != 0 {
		t.Fatalf("%v is told for what reports say", w.told)
	}
	w.now += 2 * arrivalsAge
	for range 3 {
		report(0.5)
	}
	if len(w.told) == 0 {
		t.Error("reports are passed over for ever")
	}
}

func TestTally(t *testing.T) {
	const next = 1000
	var log sentLog
	for i := range 10 {
		log.note(&burst{seq: uint16(900 + 10*i), packets: make([]rtp.Packet, 10)}, time.Duration(i)*100*time.Millisecond)
	}
	tell := func(first uint16, arrived ...bool) *rtp.Arrivals {
		block := rtcp.CCFeedbackReportBlock{MediaSSRC: 1, BeginSequence: first}
		for _, ok := range arrived {
			block.MetricBlocks = append(block.MetricBlocks, rtcp.CCFeedbackMetricBlock{Received: ok, ArrivalTimeOffset: 1024 / 4})
		}
		b, err := (&rtcp.CCFeedbackReport{ReportBlocks: []rtcp.CCFeedbackReportBlock{block}}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		f, err := rtp.ParseReceiver(b, 1)
		if err != nil {
			t.Fatal(err)
		}
		return &f.Arrivals
	}
	var y tally
	for i, step := range []struct {
		a       *rtp.Arrivals
		tells   bool
		highest uint32
		lost    int32
		trip    time.Duration
	}{
		{tell(900, false, false), false, 0, 0, 0},                            // nothing arrived yet
		{tell(995, true, true, true, true, true, true), true, 999, 0, 0},     // one was not sent yet; and it cannot be so soon
		{tell(999, true), true, 999, 0, 0},                                   // told before
		{tell(905, true, false, true), true, 999, 0, 750 * time.Millisecond}, // late
	} {
		if i == 1 {
			y = tally{}
		}
		if got := y.take(step.a, &log, next, time.Second); got != step.tells || y.highest != step.highest || y.lost != step.lost || y.trip != step.trip {
			t.Errorf("step %d: %v, %+v", i, got, y)
		}
	}
	y = tally{}
	for _, a := range []*rtp.Arrivals{tell(900, true, false, true, false), tell(903, false, false, true), tell(906, true)} {
		y.take(a, &log, next, 2*time.Second)
	}
	if y.highest != 906 || y.lost != 3 || y.trip != 1750*time.Millisecond {
		t.Errorf("%+v: 901, 903 and 904 are lost", y)
	}
	y = tally{}
	y.take(tell(65530, true, true, true, true, true, true, true, true), &log, 10, time.Second)
	if y.highest != 1<<16+1 {
		t.Errorf("the numbers begin anew: %+v", y)
	}
}

func TestArrivalsAllocateNothing(t *testing.T) {
	w := newTeller(t)
	w.second(0, 0)
	block := rtcp.CCFeedbackReportBlock{MediaSSRC: w.stream.packetizer.SSRC(), BeginSequence: w.next - 50, MetricBlocks: make([]rtcp.CCFeedbackMetricBlock, 50)}
	for i := range block.MetricBlocks {
		block.MetricBlocks[i].Received = true
	}
	b, err := (&rtcp.CCFeedbackReport{ReportBlocks: []rtcp.CCFeedbackReportBlock{block}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { w.stream.feedback(w.v, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
