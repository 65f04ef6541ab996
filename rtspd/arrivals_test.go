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
	seen uint16        // what a number is less for the viewer
	wide bool          // it tells so, by a clock of its own that was begun
	ago  time.Duration // so long ago; each other second that comes 0.4 s late
	last time.Duration // when it came
}

func newTeller(t *testing.T) *teller {
	a := newAdaptive(t, rate.Majority, counted)
	c := a.dial().setupUDP()
	c.play()
	w := &teller{adaptive: a, v: a.viewer(c), next: a.stream.packetizer.Next() - 30_000}
	a.stream.adapt.log.n = 0
	const late = 2 * time.Second // each other second comes late: not those that the computer's uptime says
	w.now += late - w.now%late
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
		if w.wide {
			w.tellWide(delay, lost)
		} else {
			w.tellMetrics(delay, lost)
		}
		w.next += 50
	}
	w.follow(w.now)
}

// arrives tells whether one of 50 packets does.
func arrives(i, lost int) bool { return i == 49 || i%10 >= lost }

// tellMetrics tells of 50 packets as RFC 8888 has it.
func (w *teller) tellMetrics(delay time.Duration, lost int) {
	block := rtcp.CCFeedbackReportBlock{MediaSSRC: w.stream.ssrcOf(w.v), BeginSequence: w.next - w.seen}
	for i := range 50 {
		m := rtcp.CCFeedbackMetricBlock{Received: arrives(i, lost), ArrivalTimeOffset: 80 * 1024 / 1000}
		block.MetricBlocks = append(block.MetricBlocks, m)
	}
	w.tell(w.now+delay, &rtcp.CCFeedbackReport{ReportBlocks: []rtcp.CCFeedbackReportBlock{block}})
}

// tellWide tells the same transport-wide.
func (w *teller) tellWide(delay time.Duration, lost int) {
	came := (w.now + delay - 80*time.Millisecond + w.ago) % rtp.WidePeriod
	const unit = 64 * time.Millisecond
	f := wideFeedback(w.stream.ssrcOf(w.v), w.next-w.seen, uint32(came/unit))
	for i := range 50 {
		f.tell(arrives(i, lost), came%unit)
	}
	late := 400 * time.Millisecond * (w.now / time.Second % 2)
	w.last = max(w.last, w.now+delay+late)
	w.tell(w.last, f.packet())
}

// A wideReport is transport-wide feedback that is being written.
type wideReport struct {
	rtcp.TransportLayerCC
	at time.Duration // of the last arrival, behind the reference time
}

func wideFeedback(ssrc uint32, first uint16, reference uint32) *wideReport {
	return &wideReport{TransportLayerCC: rtcp.TransportLayerCC{MediaSSRC: ssrc, BaseSequenceNumber: first, ReferenceTime: reference}}
}

// tell tells of the next packet, and when it arrived.
func (f *wideReport) tell(arrived bool, at time.Duration) {
	symbol := rtcp.TypeTCCPacketNotReceived
	if arrived {
		symbol = rtcp.TypeTCCPacketReceivedLargeDelta
		f.RecvDeltas = append(f.RecvDeltas, &rtcp.RecvDelta{Type: symbol, Delta: (at - f.at).Microseconds()})
		f.at = at
	}
	f.PacketChunks = append(f.PacketChunks, &rtcp.RunLengthChunk{PacketStatusSymbol: symbol, RunLength: 1})
	f.PacketStatusCount++
}

func (f *wideReport) packet() *rtcp.TransportLayerCC {
	f.Header = rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: uint16(f.MarshalSize()/4 - 1)}
	return &f.TransportLayerCC
}

// tell lets one feedback packet come at an instant.
func (w *teller) tell(at time.Duration, packet rtcp.Packet) {
	f, err := rtp.ParseReceiver(marshal(w.t, packet), w.stream.ssrcOf(w.v))
	if err != nil {
		w.t.Fatal(err)
	}
	w.stream.mu.Lock()
	defer w.stream.mu.Unlock()
	w.stream.arrived(w.v, &f.Arrivals, at, at)
	for i := range f.Wides {
		w.stream.arrivedWide(w.v, &f.Wide[i], at)
	}
}

// Feedback about single packets tells losses and delays, as receiver reports do, and
// sooner.
func TestCodecFollowsArrivals(t *testing.T) {
	losses := func(w *teller) { w.second(20*time.Millisecond, 5) }
	delays := func(w *teller) { w.second(500*time.Millisecond, 0); w.second(500*time.Millisecond, 0) }
	for name, c := range map[string]struct {
		bad        func(*teller)
		wide, safe bool
	}{
		"losses":                  {losses, false, false},
		"delays":                  {delays, false, false},
		"delays, by SRTP":         {delays, false, true},
		"losses, transport-wide":  {losses, true, false},
		"delays, transport-wide":  {delays, true, false},
		"delays, so, and by SRTP": {delays, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTeller(t)
			w.wide, w.ago = c.wide, rtp.WidePeriod-w.now%rtp.WidePeriod-7*time.Second
			if c.safe {
				w.protect()
			}
			bad := c.bad
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
		if got := y.take(step.a, log.backward(next, next), time.Second, time.Second); got != step.tells || y.highest != step.highest || y.lost != step.lost || y.trip != step.trip {
			t.Errorf("step %d: %v, %+v", i, got, y)
		}
	}
	y = tally{}
	for _, a := range []*rtp.Arrivals{tell(900, true, false, true, false), tell(903, false, false, true), tell(906, true)} {
		y.take(a, log.backward(next, next), 2*time.Second, 2*time.Second)
	}
	if y.highest != 906 || y.lost != 3 || y.trip != 1750*time.Millisecond {
		t.Errorf("%+v: 901, 903 and 904 are lost", y)
	}
	y = tally{}
	y.take(tell(65530, true, true, true, true, true, true, true, true), log.backward(10, 10), time.Second, time.Second)
	if y.highest != 1<<16+1 {
		t.Errorf("the numbers begin anew: %+v", y)
	}
}

func TestArrivalsAllocateNothing(t *testing.T) {
	w := newTeller(t)
	w.second(0, 0)
	wide := wideFeedback(w.stream.packetizer.SSRC(), w.next-50, 7)
	for range 50 {
		wide.tell(true, 0)
	}
	checkFeedbackAllocations(w, marshal(t, wide.packet()))
	block := rtcp.CCFeedbackReportBlock{MediaSSRC: w.stream.packetizer.SSRC(), BeginSequence: w.next - 50, MetricBlocks: make([]rtcp.CCFeedbackMetricBlock, 50)}
	for i := range block.MetricBlocks {
		block.MetricBlocks[i].Received = true
	}
	checkFeedbackAllocations(w, marshal(t, &rtcp.CCFeedbackReport{ReportBlocks: []rtcp.CCFeedbackReportBlock{block}}))
}

func checkFeedbackAllocations(w *teller, b []byte) {
	w.t.Helper()
	before := w.stream.Stats().PacketReports
	if n := testing.AllocsPerRun(1000, func() { w.stream.feedback(w.v, b) }); n != 0 {
		w.t.Errorf("%v allocations", n)
	}
	if n := w.stream.Stats().PacketReports - before; n != 1001 {
		w.t.Errorf("%d reports were counted", n)
	}
}
