package main

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

func TestGallery(t *testing.T) {
	g := &gallery{}
	g.complete(1, 5) // before the window
	g.begin(2)
	g.complete(1, 10) // straddles: not counted
	g.complete(100, 20)
	g.complete(200, 30) // the next one overtakes with the first viewer
	g.complete(100, 50)
	g.complete(300, 55) // one viewer never has it
	g.complete(200, 60)
	want := []arrival{{100, 20, 50}, {200, 30, 60}}
	if len(g.arrivals) != 2 || g.arrivals[0] != want[0] || g.arrivals[1] != want[1] {
		t.Errorf("%+v arrived, want %+v", g.arrivals, want)
	}
	g.begin(1)
	g.complete(300, 70)
	g.complete(400, 80)
	if len(g.arrivals) != 1 || g.arrivals[0] != (arrival{400, 80, 80}) {
		t.Errorf("%+v arrived in the second window", g.arrivals)
	}
	if g.begun != 1 {
		t.Errorf("%d pictures began in the second window", g.begun)
	}
	g.end()
	g.complete(500, 90) // behind it
	if len(g.arrivals) != 1 || g.begun != 1 || !g.behind(500) || g.behind(400) {
		t.Errorf("%+v arrived up to the end, of %d", g.arrivals, g.begun)
	}
}

// Pictures without end, of which the last viewer is ten behind.
func TestGalleryForgets(t *testing.T) {
	g := &gallery{}
	g.begin(2)
	const last = 10_000
	for i := range last {
		g.complete(uint32(i)*3000, int64(i))
		if i >= 10 {
			g.complete(uint32(i-10)*3000, int64(i))
		}
	}
	if len(g.arrivals) != last-10 {
		t.Fatalf("%d pictures came to both, want %d", len(g.arrivals), last-10)
	}
	for _, a := range g.arrivals {
		if a.last-a.first != 10 {
			t.Fatalf("%+v; want 10 between them", a)
		}
	}
}

func TestMapping(t *testing.T) {
	m := mapping{true, math.MaxUint32 - 89_999, 1_000_000_000_000}
	for rtptime, want := range map[uint32]int64{
		math.MaxUint32 - 89_999: 1_000_000_000_000,
		0:                       1_001_000_000_000, // across the wrap
		90_000:                  1_002_000_000_000,
		math.MaxUint32 - 92_999: 999_966_666_667, // before the report
	} {
		if got := m.at(rtptime); max(got-want, want-got) > 1 {
			t.Errorf("%d is %d, want %d", rtptime, got, want)
		}
	}
	arrivals := []arrival{{90_000, 1_002_001_000_000, 1_002_003_000_000}}
	if l := latencies(arrivals, m); len(l) != 1 || l[0] != 3*time.Millisecond {
		t.Errorf("latencies %v", l)
	}
	if l := latencies(arrivals, mapping{}); l != nil {
		t.Errorf("latencies without a clock are %v", l)
	}
	if s := spreads(arrivals); len(s) != 1 || s[0] != 2*time.Millisecond {
		t.Errorf("spreads %v", s)
	}
}

func TestSenderReport(t *testing.T) {
	b := make([]byte, headOfRTCP)
	b[0], b[1] = 0x80, 200
	binary.BigEndian.PutUint32(b[8:], 2208988800+1000)
	binary.BigEndian.PutUint32(b[12:], 1<<31)
	binary.BigEndian.PutUint32(b[16:], 12345)
	m, ok := senderReport(b)
	if want := (mapping{true, 12345, 1_000_500_000_000}); !ok || m != want {
		t.Errorf("%+v, %v; want %+v", m, ok, want)
	}
	binary.BigEndian.PutUint32(b[12:], math.MaxUint32)
	if m, _ := senderReport(b); m.wall != 1_000_999_999_999 {
		t.Errorf("the end of the second is %d", m.wall)
	}
	if _, ok := senderReport(b[:27]); ok {
		t.Error("a cut report is one")
	}
	b[1] = 201
	if _, ok := senderReport(b); ok {
		t.Error("a receiver report is one")
	}
}

func TestPercentiles(t *testing.T) {
	values := []int64{5, 1, 4, 2, 3}
	for p, want := range map[int]int64{0: 1, 50: 3, 75: 4, 99: 4, 100: 5} {
		if got := percentile(values, p); got != want {
			t.Errorf("percentile %d is %d, want %d", p, got, want)
		}
	}
	if percentile[int64](nil, 50) != 0 || values[0] != 5 {
		t.Error("nothing has a percentile, or the values were moved")
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("median %v", m)
	}
	if m := median([]float64{9, 1, 2}); m != 2 {
		t.Errorf("median %v", m)
	}
	if !math.IsNaN(median(nil)) {
		t.Error("nothing has a median")
	}
}
