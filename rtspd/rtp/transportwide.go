package rtp

import (
	"encoding/binary"
	"math"
	"time"
)

// TransportNumberURI names the header extension that gives packets their transport-wide
// number, in a=extmap (RFC 8285 section 5).
const TransportNumberURI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"

// TransportNumberID is what stands for it in a packet.
const TransportNumberID = 1

// TransportNumberSize is by how many bytes it makes a header longer: the head of
// extensions of the one-byte kind, its own byte, the number, and one of padding
// (RFC 8285 section 4.2).
const TransportNumberSize = 8

const transportNumberAt = HeaderSize + 5

// TransportWide is transport-wide congestion control feedback
// (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1). It lies in the
// packet that it was read from.
type TransportWide struct{ body []byte }

// Of its layout.
const (
	wideHead   = 8 // first number, number of packets, reference time, number of the feedback
	wideVector = 0x8000
	widePairs  = 0x4000 // of a vector: two bits for each packet
	wideRun    = 0x1fff // mask: packets of a run
	wideChunk  = 2
	wideTick   = 250 * time.Microsecond

	wideReference = 64 * time.Millisecond

	// WidePeriod is the time after which a viewer's clock begins anew.
	WidePeriod = wideReference << 24
)

// Arrivals writes what became of the last packets that are told of, as many as there
// is room for, with two bytes for each. The instant that those arrived before is that
// of the latest arrival, which is given by the viewer's clock, modulo WidePeriod.
// False: nothing arrived, or the feedback is cut short.
func (w *TransportWide) Arrivals(room []byte) (a Arrivals, latest time.Duration, ok bool) {
	last, newest := -1, math.MinInt
	whole := w.each(func(i, ticks int) { last, newest = i, max(newest, ticks) })
	if !whole || last < 0 {
		return Arrivals{}, 0, false
	}
	n := min(last+1, len(room)/metricSize)
	first := last + 1 - n
	a = Arrivals{First: binary.BigEndian.Uint16(w.body) + uint16(first), metrics: room[:n*metricSize]}
	clear(a.metrics)
	w.each(func(i, ticks int) {
		if i >= first {
			offset := time.Duration(newest-ticks) * wideTick * 1024 / time.Second
			binary.BigEndian.PutUint16(a.metrics[(i-first)*metricSize:], metricReceived|uint16(min(offset, offsetFarther)))
		}
	})
	reference := time.Duration(binary.BigEndian.Uint32(w.body[4:])>>8) * wideReference
	return a, (reference + time.Duration(newest)*wideTick + WidePeriod) % WidePeriod, true
}

// each calls arrived for every packet that did: which one it is, and when, in ticks
// behind the reference time. False: the feedback is cut short.
func (w *TransportWide) each(arrived func(i, ticks int)) bool {
	count, chunks := int(binary.BigEndian.Uint16(w.body[2:])), w.body[wideHead:]
	size := 0
	for told := 0; told < count; size += wideChunk {
		if len(chunks) < size+wideChunk {
			return false
		}
		told += chunkLen(binary.BigEndian.Uint16(chunks[size:]))
	}
	deltas, ticks := chunks[size:], 0
	for i := 0; i < count; chunks = chunks[wideChunk:] {
		c := binary.BigEndian.Uint16(chunks)
		n := min(chunkLen(c), count-i)
		for j := 0; j < n && c > wideRun; j++ { // a run of what did not arrive may be long
			size := int(chunkSymbol(c, j))
			switch {
			case size > 2 || len(deltas) < size: // 3 is reserved
				return false
			case size == 1:
				ticks += int(deltas[0])
			case size == 2:
				ticks += int(int16(binary.BigEndian.Uint16(deltas)))
			}
			if deltas = deltas[size:]; size > 0 {
				arrived(i+j, ticks)
			}
		}
		i += n
	}
	return true
}

// chunkLen is how many packets a chunk tells of.
func chunkLen(c uint16) int {
	switch {
	case c&wideVector == 0:
		return int(c & wideRun)
	case c&widePairs == 0:
		return 14
	}
	return 7
}

// chunkSymbol is what it says of one of them: 0, it did not arrive; else the bytes of
// the time since the one before.
func chunkSymbol(c uint16, i int) uint16 {
	switch {
	case c&wideVector == 0:
		return c >> 13
	case c&widePairs == 0:
		return c >> (13 - i) & 1
	}
	return c >> (12 - 2*i) & 3
}
