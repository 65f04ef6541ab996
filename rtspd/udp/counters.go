package udp

import "sync/atomic"

// Counters tells what a Sender did since it was made.
type Counters struct {
	Calls     uint64 // system calls
	Segmented uint64 // sends of several packets in one, by UDP_SEGMENT
	Packets   uint64 // sent
	Bytes     uint64 // of the packets sent, without UDP and IP headers
	Dropped   uint64 // packets not sent because the kernel had no room, or after an error
	Reports   uint64 // errors of earlier packets that calls ended with, which were made again
	Fallbacks uint64 // destinations that segmentation failed for
}

type counters struct {
	calls, segmented, packets, bytes, dropped, reports, fallbacks atomic.Uint64
}

// Counters may be called by any goroutine.
func (s *Sender) Counters() Counters {
	return Counters{
		Calls:     s.counters.calls.Load(),
		Segmented: s.counters.segmented.Load(),
		Packets:   s.counters.packets.Load(),
		Bytes:     s.counters.bytes.Load(),
		Dropped:   s.counters.dropped.Load(),
		Reports:   s.counters.reports.Load(),
		Fallbacks: s.counters.fallbacks.Load(),
	}
}
