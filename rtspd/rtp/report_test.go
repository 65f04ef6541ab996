package rtp

import (
	"bytes"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestSenderReport(t *testing.T) {
	wall := time.Date(2026, 11, 3, 12, 0, 0, 500_000_000, time.UTC)
	b := SenderReport([]byte("x"), Report{
		SSRC: 0xdeadbeef, CNAME: "lenslet@cam", Wall: wall,
		RTPTime: 4294967290, Packets: 12345, Octets: 4000000000,
	})
	packets, err := rtcp.Unmarshal(b[1:])
	if err != nil || b[0] != 'x' || len(packets) != 2 {
		t.Fatalf("%d packets, error %v", len(packets), err)
	}
	if err := rtcp.CompoundPacket(packets).Validate(); err != nil {
		t.Error(err)
	}
	sr := packets[0].(*rtcp.SenderReport)
	if sr.SSRC != 0xdeadbeef || sr.RTPTime != 4294967290 || sr.PacketCount != 12345 || sr.OctetCount != 4000000000 || len(sr.Reports) != 0 {
		t.Errorf("sender report %+v", sr)
	}
	if want := uint64(wall.Unix()+2208988800)<<32 | 1<<31; sr.NTPTime != want {
		t.Errorf("NTP time %x, want %x", sr.NTPTime, want)
	}
	name, err := rtcp.CompoundPacket(packets).CNAME()
	if name != "lenslet@cam" || err != nil {
		t.Errorf("CNAME %q, %v", name, err)
	}
	if got := packets[1].DestinationSSRC(); len(got) != 1 || got[0] != 0xdeadbeef {
		t.Errorf("CNAME of %x", got)
	}
}

func TestBye(t *testing.T) {
	packets, err := rtcp.Unmarshal(Bye(nil, 7, "a"))
	if err != nil || len(packets) != 3 {
		t.Fatalf("%d packets, error %v", len(packets), err)
	}
	if err := rtcp.CompoundPacket(packets).Validate(); err != nil {
		t.Error(err)
	}
	rr, isReport := packets[0].(*rtcp.ReceiverReport)
	bye, isBye := packets[2].(*rtcp.Goodbye)
	if !isReport || rr.SSRC != 7 || len(rr.Reports) != 0 || !isBye || len(bye.Sources) != 1 || bye.Sources[0] != 7 {
		t.Errorf("%v", packets)
	}
}

func TestLongNames(t *testing.T) {
	for _, size := range []int{0, 1, 2, 3, 4, 254, 255, 256, 1000} {
		name := strings.Repeat("n", size)
		for _, b := range [][]byte{SenderReport(nil, Report{SSRC: 1, CNAME: name}), Bye(nil, 1, name)} {
			packets, err := rtcp.Unmarshal(b)
			if err != nil {
				t.Fatalf("name of %d bytes: %v", size, err)
			}
			sdes := packets[1].(*rtcp.SourceDescription)
			if got := sdes.Chunks[0].Items[0].Text; got != name[:min(size, 255)] {
				t.Errorf("name of %d bytes became %d", size, len(got))
			}
		}
	}
}

func TestNTP(t *testing.T) {
	for _, test := range []struct {
		at   time.Time
		want uint64
	}{
		{time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		{time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), 2208988800 << 32},
		{time.Date(1970, 1, 1, 0, 0, 0, 250_000_000, time.UTC), 2208988800<<32 | 1<<30},
		{time.Date(1970, 1, 1, 0, 0, 0, 999_999_999, time.UTC), 2208988800<<32 | 4294967291},
		{time.Date(2036, 2, 7, 6, 28, 16, 0, time.UTC), 0}, // the next era
	} {
		if got := NTP(test.at); got != test.want {
			t.Errorf("%v: %x, want %x", test.at, got, test.want)
		}
	}
}

func TestClock(t *testing.T) {
	for _, test := range []struct {
		offset uint32
		t      time.Duration
		want   uint32
	}{
		{0, 0, 0},
		{5, 0, 5},
		{0, time.Second, 90000},
		{0, 11111, 0}, {0, 11112, 1},
		{0, 33_333_333, 2999}, {0, 33_333_334, 3000},
		{1 << 31, time.Hour, 1<<31 + 324_000_000},
		{4294967295, time.Second, 89999},
	} {
		if got := NewClock(test.offset).RTP(test.t); got != test.want {
			t.Errorf("%v from %d: %d, want %d", test.t, test.offset, got, test.want)
		}
	}
}

// Frames of 30000/1001 a second for years, against exact arithmetic.
func TestClockDoesNotDrift(t *testing.T) {
	c := NewClock(12345)
	for _, start := range []time.Duration{0, 24 * time.Hour, 13*time.Hour + 15*time.Minute, 365 * 24 * time.Hour, 290 * 365 * 24 * time.Hour} {
		for i := range 1000 {
			at := start + time.Duration(i)*1001*time.Second/30000
			exact := new(big.Int).Mul(big.NewInt(int64(at)), big.NewInt(90000))
			exact.Div(exact, big.NewInt(1e9)).Add(exact, big.NewInt(12345))
			want := uint32(exact.Mod(exact, big.NewInt(1<<32)).Uint64())
			if got := c.RTP(at); got != want {
				t.Fatalf("%v: %d, want %d", at, got, want)
			}
		}
	}
	step := c.RTP(100*24*time.Hour+time.Second) - c.RTP(100*24*time.Hour)
	if step != 90000 {
		t.Errorf("after 100 days a second has %d ticks", step)
	}
}

const ours = 0xdeadbeef

func marshal(t testing.TB, packets ...rtcp.Packet) []byte {
	t.Helper()
	b, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func block(ssrc uint32) rtcp.ReceptionReport {
	return rtcp.ReceptionReport{SSRC: ssrc, FractionLost: 64, TotalLost: 1000, LastSequenceNumber: 0x2ffff,
		Jitter: 90, LastSenderReport: 0xaabbccdd, Delay: 65536}
}

var reception = Reception{FractionLost: 64, Lost: 1000, Highest: 0x2ffff, Jitter: 90, LSR: 0xaabbccdd, DLSR: 65536}

func TestParseReceiver(t *testing.T) {
	negative := block(ours)
	negative.TotalLost = 0xffffff
	less := reception
	less.Lost = -1
	name := rtcp.NewCNAMESourceDescription(9, "viewer")
	for _, test := range []struct {
		name    string
		packets []rtcp.Packet
		want    Feedback
	}{
		{"FFmpeg", []rtcp.Packet{&rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{block(ours)}}, name},
			Feedback{SSRC: 9, Report: reception, Reports: true}},
		{"an empty report", []rtcp.Packet{&rtcp.ReceiverReport{SSRC: 9}, name}, Feedback{SSRC: 9}},
		{"about others too", []rtcp.Packet{&rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{block(1), negative, block(2)}}},
			Feedback{SSRC: 9, Report: less, Reports: true}},
		{"about others", []rtcp.Packet{&rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{block(1)}}}, Feedback{SSRC: 9}},
		{"in a sender report", []rtcp.Packet{&rtcp.SenderReport{SSRC: 9, Reports: []rtcp.ReceptionReport{block(ours)}}},
			Feedback{SSRC: 9, Report: reception, Reports: true}},
		{"goodbye", []rtcp.Packet{&rtcp.ReceiverReport{SSRC: 9}, name, &rtcp.Goodbye{Sources: []uint32{9}, Reason: "enough"}},
			Feedback{SSRC: 9, Bye: true}},
		{"picture lost", []rtcp.Packet{&rtcp.ReceiverReport{SSRC: 9}, &rtcp.PictureLossIndication{SenderSSRC: 9, MediaSSRC: ours}},
			Feedback{SSRC: 9, PLI: true}},
		{"picture lost alone", []rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: 9, MediaSSRC: ours}}, Feedback{SSRC: 9, PLI: true}},
		{"another's picture lost", []rtcp.Packet{&rtcp.PictureLossIndication{SenderSSRC: 9, MediaSSRC: 1}}, Feedback{SSRC: 9}},
		{"full intra request", []rtcp.Packet{&rtcp.FullIntraRequest{SenderSSRC: 9, FIR: []rtcp.FIREntry{{SSRC: 1}, {SSRC: ours, SequenceNumber: 3}}}},
			Feedback{SSRC: 9, FIR: true, FIRSeq: 3}},
		{"packets lost", []rtcp.Packet{
			&rtcp.TransportLayerNack{SenderSSRC: 9, MediaSSRC: ours, Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 0x8001}, {PacketID: 7}}},
			&rtcp.TransportLayerNack{SenderSSRC: 9, MediaSSRC: 1, Nacks: []rtcp.NackPair{{PacketID: 8}}},
			&rtcp.TransportLayerNack{SenderSSRC: 9, MediaSSRC: ours, Nacks: []rtcp.NackPair{{PacketID: 9}}},
		}, Feedback{SSRC: 9, NACKs: 3, Missing: [maxNACKs]NACK{{65535, 0x8001}, {7, 0}, {9, 0}}}},
		{"other feedback of the transport", []rtcp.Packet{&rtcp.RapidResynchronizationRequest{SenderSSRC: 9, MediaSSRC: ours}}, Feedback{SSRC: 9}},
		{"others", []rtcp.Packet{
			&rtcp.ReceiverReport{SSRC: 9}, name, &rtcp.TransportLayerNack{SenderSSRC: 9, MediaSSRC: ours},
			&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 9, Bitrate: 1000, SSRCs: []uint32{ours}},
			&rtcp.ExtendedReport{SenderSSRC: 9},
			&rtcp.PictureLossIndication{SenderSSRC: 9, MediaSSRC: ours},
		}, Feedback{SSRC: 9, PLI: true, MaxBitrate: 1000}},
		{"the most that it can take", []rtcp.Packet{
			&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 9, Bitrate: 1 << 30, SSRCs: []uint32{1, ours}},
			&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 9, Bitrate: 5000, SSRCs: []uint32{1}},
		}, Feedback{SSRC: 9, MaxBitrate: 1 << 30}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := marshal(t, test.packets...)
			got, err := ParseReceiver(b, ours)
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("error %v\ngot  %+v\nwant %+v", err, got, test.want)
			}
			for n := range len(b) {
				if n%4 != 0 {
					if _, err := ParseReceiver(b[:n], ours); err == nil {
						t.Errorf("%d of %d bytes are taken", n, len(b))
					}
				}
			}
		})
	}
}

func TestParseReceiverRefuses(t *testing.T) {
	report := marshal(t, &rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{block(ours)}})
	version := bytes.Clone(report)
	version[0] = 0x41
	count := bytes.Clone(report)
	count[0] = 0x82
	for name, b := range map[string][]byte{
		"nothing": nil, "RTP version 1": version, "more blocks than bytes": count, "cut short": report[:28],
		"a punch for NAT": {0x80, 0, 0, 0, 0, 0, 0}, "feedback without sources": {0x81, 206, 0, 1, 0, 0, 0, 9},
		"report without a source": {0x80, 201, 0, 0}, "NACK without sources": {0x81, 205, 0, 1, 0, 0, 0, 9},
	} {
		if got, err := ParseReceiver(b, ours); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	got, err := ParseReceiver(append(bytes.Clone(report), 0x80), ours)
	if err == nil || got.Report != reception {
		t.Errorf("behind a good packet: %+v, %v; want the report and an error", got, err)
	}
}

func TestNACKsAreBounded(t *testing.T) {
	nacks := make([]rtcp.NackPair, maxNACKs+1)
	f, err := ParseReceiver(marshal(t, &rtcp.TransportLayerNack{SenderSSRC: 9, MediaSSRC: ours, Nacks: nacks}), ours)
	if err != nil || f.NACKs != maxNACKs {
		t.Errorf("%d, %v", f.NACKs, err)
	}
}

func TestNACKNamesPackets(t *testing.T) {
	for _, test := range []struct {
		nack NACK
		want []uint16
	}{
		{NACK{First: 7}, []uint16{7}},
		{NACK{First: 65534, More: 0x8003}, []uint16{65534, 65535, 0, 14}},
		{NACK{First: 0, More: 0xffff}, []uint16{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
	} {
		var got []uint16
		test.nack.Each(func(seq uint16) { got = append(got, seq) })
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.nack, got, test.want)
		}
	}
}

func TestParseReceiverAllocatesNothing(t *testing.T) {
	b := marshal(t, &rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{block(ours)}}, rtcp.NewCNAMESourceDescription(9, "viewer"))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseReceiver(b, ours); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseReceiver(f *testing.F) {
	f.Add(marshal(f, &rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{block(ours), block(1)}}, rtcp.NewCNAMESourceDescription(9, "v")))
	f.Add(marshal(f, &rtcp.SenderReport{SSRC: 9, Reports: []rtcp.ReceptionReport{block(ours)}}, &rtcp.Goodbye{Sources: []uint32{9}}))
	f.Add(marshal(f, &rtcp.PictureLossIndication{SenderSSRC: 9, MediaSSRC: ours}, &rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: ours}}}))
	f.Add(marshal(f, &rtcp.TransportLayerNack{SenderSSRC: 9, MediaSSRC: ours, Nacks: []rtcp.NackPair{{PacketID: 65535, LostPackets: 3}}}))
	f.Add([]byte{0x80, 201, 0xff, 0xff})
	f.Add(marshal(f, &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 9, Bitrate: 123456, SSRCs: []uint32{1, ours}}))
	f.Add([]byte("\x8f\xce\x00\x05\x00\x00\x00\x09\x00\x00\x00\x00REMB\x01\x10\x00\x00\xde\xad\xbe\xef")) // 0 bit/s
	f.Add(marshal(f, &rtcp.CCFeedbackReport{SenderSSRC: 9, ReportBlocks: []rtcp.CCFeedbackReportBlock{arrivalsOf(1, 7, 3), arrivalsOf(ours, 65534, 1, -1, 0)}}))
	f.Add(wideOf(ours, 65534, 9, 1<<24-1, []uint16{1<<13 | 1, 0x8000 | 0b10100000000000}, 1, 2, 3))
	f.Add(wideOf(ours, 7, 2000, 2, []uint16{0xc000 | 0b01_10_00_10_000000, 1800, 2<<13 | 2}, 100, 0xff, 0xf0, 0, 4, 1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseReceiver(b, ours)
		packets, other := rtcp.Unmarshal(b)
		if err != nil || other != nil {
			return
		}
		checkAgainst(t, b, got, packets)
		checkArrivals(t, b, got.Arrivals, packets)
		checkWide(t, b, &got, packets)
	})
}

// checkAgainst compares with what another implementation reads.
func checkAgainst(t *testing.T, b []byte, got Feedback, packets []rtcp.Packet) {
	t.Helper()
	var want Feedback
	for _, packet := range packets {
		var blocks []rtcp.ReceptionReport
		switch p := packet.(type) {
		case *rtcp.SenderReport:
			blocks = p.Reports
		case *rtcp.ReceiverReport:
			blocks = p.Reports
		case *rtcp.Goodbye:
			want.Bye = true
		case *rtcp.PictureLossIndication:
			want.PLI = want.PLI || p.MediaSSRC == ours
		case *rtcp.FullIntraRequest:
			for _, e := range p.FIR {
				want.FIR = want.FIR || e.SSRC == ours
			}
		case *rtcp.ReceiverEstimatedMaximumBitrate:
			if slices.Contains(p.SSRCs, ours) {
				want.MaxBitrate = float64(p.Bitrate)
			}
		case *rtcp.TransportLayerNack:
			if p.MediaSSRC == ours {
				for _, n := range p.Nacks[:min(len(p.Nacks), maxNACKs-want.NACKs)] {
					want.Missing[want.NACKs] = NACK{n.PacketID, uint16(n.LostPackets)}
					want.NACKs++
				}
			}
		}
		for _, r := range blocks {
			want.Reports = want.Reports || r.SSRC == ours
		}
	}
	// A mantissa of 0 the other one takes for a power of two.
	fraction, _ := math.Frexp(want.MaxBitrate)
	nothing := got.MaxBitrate == 0 && fraction == 0.5
	if want.MaxBitrate > 0 && !nothing && math.Abs(got.MaxBitrate/want.MaxBitrate-1) > 1e-6 {
		t.Fatalf("%x: %v bit/s, want %v", b, got.MaxBitrate, want.MaxBitrate)
	}
	if got.Bye != want.Bye || got.PLI != want.PLI || got.FIR != want.FIR || got.Reports != want.Reports ||
		got.NACKs != want.NACKs || got.Missing != want.Missing {
		t.Fatalf("%x\ngot  %+v\nwant %+v", b, got, want)
	}
}
