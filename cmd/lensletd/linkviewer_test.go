package main

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"lenslet/rtspd/rtp"
)

// lostBetween tells how many bytes of pictures that were made in a span of time came, and
// how many did not, whenever that was.
func (v *viewer) lostBetween(s *synthetic, from, to time.Duration) (came, lost int) {
	s.mu.Lock()
	for _, u := range s.made {
		if u.at >= from && u.at < to {
			lost += u.octets
		}
	}
	s.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.reports) == 0 {
		return 0, lost
	}
	first := v.reports[0] // when the RTP time was which one
	ago := time.Duration(float64(rtp.NTP(time.Now())-first.NTPTime) / (1 << 32) * float64(time.Second))
	at := monotonic() - ago
	for i, p := range v.packets {
		made := at + time.Duration(int32(p.Timestamp-first.RTPTime))*time.Second/90000
		if made >= from && made < to {
			came += v.sizes[i] - 12 - 2 // without the headers of RTP and of fragments
		}
	}
	return came, lost - came
}

// tellArrivals makes a viewer tell what became of each packet, ten times a second,
// until the test ends (RFC 8888).
func (w *reporter) tellArrivals(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for told := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				told = w.tellFrom(told)
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

// tellFrom tells about the packets behind the first ones, and how many those are now.
func (w *reporter) tellFrom(told int) int {
	w.mu.Lock()
	now, n := time.Now(), len(w.packets)
	if n <= max(1, told) {
		w.mu.Unlock()
		return told
	}
	told = max(1, told)
	first := w.packets[told-1].SequenceNumber + 1
	block := rtcp.CCFeedbackReportBlock{MediaSSRC: w.packets[0].SSRC, BeginSequence: first}
	highest := int16(-1)
	for _, p := range w.packets[told:n] {
		highest = max(highest, int16(p.SequenceNumber-first))
	}
	block.MetricBlocks = make([]rtcp.CCFeedbackMetricBlock, int(highest)+1)
	for i, p := range w.packets[told:n] {
		if at := int16(p.SequenceNumber - first); at >= 0 {
			offset := now.Sub(w.times[told+i]) * 1024 / time.Second
			block.MetricBlocks[at] = rtcp.CCFeedbackMetricBlock{Received: true, ArrivalTimeOffset: uint16(min(max(0, offset), 0x1ffe))}
		}
	}
	w.mu.Unlock()
	time.Sleep(20 * time.Millisecond) // the way back
	w.sendControl(&rtcp.CCFeedbackReport{SenderSSRC: 7, ReportBlocks: []rtcp.CCFeedbackReportBlock{block}, ReportTimestamp: uint32(rtp.NTP(now) >> 16)})
	return n
}
