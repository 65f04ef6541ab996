package rtp

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// arrivalsOf reports packets from a number on: how long before the report each
// arrived, in 1/1024 s; negative: it did not.
func arrivalsOf(ssrc uint32, first uint16, offsets ...int) rtcp.CCFeedbackReportBlock {
	b := rtcp.CCFeedbackReportBlock{MediaSSRC: ssrc, BeginSequence: first}
	for _, o := range offsets {
		m := rtcp.CCFeedbackMetricBlock{Received: o >= 0}
		if m.Received {
			m.ArrivalTimeOffset = uint16(o)
		}
		b.MetricBlocks = append(b.MetricBlocks, m)
	}
	return b
}

func TestArrivals(t *testing.T) {
	for name, blocks := range map[string][]rtcp.CCFeedbackReportBlock{
		"an even number":     {arrivalsOf(ours, 65534, 512, -1, 0, 0x1ffd)},
		"an odd number":      {arrivalsOf(ours, 65534, 512, -1, 0, 0x1ffd, -1)},
		"behind others":      {arrivalsOf(1, 3, 1, 2, 3), arrivalsOf(ours, 65534, 512, -1, 0, 0x1ffd)},
		"in front of others": {arrivalsOf(ours, 65534, 512, -1, 0, 0x1ffd), arrivalsOf(1, 3, 1, 2, 3), arrivalsOf(ours, 7, 1)},
	} {
		f, err := ParseReceiver(marshal(t, &rtcp.CCFeedbackReport{SenderSSRC: 9, ReportTimestamp: 77, ReportBlocks: blocks}), ours)
		if err != nil || f.SSRC != 9 || f.Arrivals.First != 65534 || f.Arrivals.Len() < 4 || f.Arrivals.Len() > 5 {
			t.Fatalf("%s: %+v, %v", name, f, err)
		}
		for i, want := range []time.Duration{time.Second / 2, -1, 0, 0x1ffd * time.Second / 1024} {
			if ago, ok := f.Arrivals.At(i); ok != (i != 1) || ago != want {
				t.Errorf("%s: packet %d arrived %v, %v ago, want %v", name, i, ok, ago, want)
			}
		}
	}
	f, err := ParseReceiver(marshal(t, &rtcp.CCFeedbackReport{ReportBlocks: []rtcp.CCFeedbackReportBlock{arrivalsOf(ours, 0, 0x1ffe, 0x1fff)}}), ours)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if ago, ok := f.Arrivals.At(i); !ok || ago >= 0 {
			t.Errorf("packet %d arrived %v, %v ago, which nobody knows", i, ok, ago)
		}
	}
}

func TestArrivalsThatAreNone(t *testing.T) {
	none := marshal(t, &rtcp.CCFeedbackReport{SenderSSRC: 9, ReportBlocks: []rtcp.CCFeedbackReportBlock{arrivalsOf(1, 3, 1), arrivalsOf(ours, 3)}})
	if f, err := ParseReceiver(none, ours); err != nil || f.Arrivals.Len() != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	good := marshal(t, &rtcp.CCFeedbackReport{SenderSSRC: 9, ReportBlocks: []rtcp.CCFeedbackReportBlock{arrivalsOf(ours, 3, 1, 2)}})
	for _, count := range []byte{1 + 2, 0xff} { // more than there are
		bad := append([]byte(nil), good...)
		bad[15] = count
		if f, err := ParseReceiver(bad, ours); err == nil {
			t.Errorf("%d packets of 2: %+v", count, f)
		}
	}
	if _, err := ParseReceiver([]byte{0x80 | rtcp.FormatCCFB, 205, 0, 1, 0, 0, 0, 9}, ours); err == nil {
		t.Error("a report without a time is taken")
	}
}

func TestArrivalsAllocateNothing(t *testing.T) {
	b := marshal(t, &rtcp.CCFeedbackReport{SenderSSRC: 9, ReportBlocks: []rtcp.CCFeedbackReportBlock{arrivalsOf(ours, 3, make([]int, 500)...)}})
	if n := testing.AllocsPerRun(100, func() {
		f, err := ParseReceiver(b, ours)
		for i := range f.Arrivals.Len() {
			if _, ok := f.Arrivals.At(i); !ok || err != nil {
				t.Fatal(i, err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// checkArrivals compares with what another implementation reads.
func checkArrivals(t *testing.T, b []byte, got Arrivals, packets []rtcp.Packet) {
	t.Helper()
	var want rtcp.CCFeedbackReportBlock
	for _, packet := range packets {
		report, ok := packet.(*rtcp.CCFeedbackReport)
		for i := 0; ok && i < len(report.ReportBlocks) && len(want.MetricBlocks) == 0; i++ {
			if report.ReportBlocks[i].MediaSSRC == ours {
				want = report.ReportBlocks[i]
			}
		}
	}
	if got.Len() != len(want.MetricBlocks) || got.Len() > 0 && got.First != want.BeginSequence {
		t.Fatalf("%x: %d packets from %d, want %+v", b, got.Len(), got.First, want)
	}
	for i, m := range want.MetricBlocks {
		ago, ok := got.At(i)
		if ok != m.Received || ok && m.ArrivalTimeOffset < 0x1ffe && ago != time.Duration(m.ArrivalTimeOffset)*time.Second/1024 {
			t.Fatalf("%x: packet %d: %v, %v ago, want %+v", b, i, ok, ago, m)
		}
	}
}
