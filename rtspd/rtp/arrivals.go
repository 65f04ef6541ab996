package rtp

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
)

// Arrivals tells what became of packets in a row, and when those arrived that did
// (RFC 8888 section 3.1). It lies in the packet that it was read from.
type Arrivals struct {
	First   uint16 // sequence number
	metrics []byte // two for each packet
}

const (
	arrivalsHead   = 8 // SSRC, first sequence number, number of packets
	arrivalsClock  = 4 // report timestamp
	metricSize     = 2
	metricReceived = 0x8000
	metricOffset   = 0x1fff // mask; 1/1024 s
	offsetFarther  = 0x1ffe // that, or more
	offsetUnknown  = 0x1fff
)

// Len is the number of packets.
func (a *Arrivals) Len() int { return len(a.metrics) / metricSize }

// At tells whether the packet with the number First+i had arrived, and how long before
// the report was made, to 1/1024 s; negative: that is not known.
func (a *Arrivals) At(i int) (ago time.Duration, arrived bool) {
	m := binary.BigEndian.Uint16(a.metrics[i*metricSize:])
	if m&metricReceived == 0 {
		return -1, false
	}
	offset := m & metricOffset
	if offset == offsetFarther || offset == offsetUnknown {
		return -1, true
	}
	return time.Duration(offset) * time.Second / 1024, true
}

// readArrivals takes the first block about our stream over. The time of the report
// itself, by a clock of the viewer's, is not needed.
func (f *Feedback) readArrivals(body []byte, ssrc uint32) error {
	if len(body) < ssrcSize+arrivalsClock {
		return errTruncated
	}
	for blocks := body[ssrcSize : len(body)-arrivalsClock]; len(blocks) > 0; {
		if len(blocks) < arrivalsHead {
			return errTruncated
		}
		size := metricSize * int(binary.BigEndian.Uint16(blocks[6:]))
		padded := arrivalsHead + (size+3)&^3
		if len(blocks) < padded {
			return errTruncated
		}
		if binary.BigEndian.Uint32(blocks) == ssrc && f.Arrivals.Len() == 0 {
			f.Arrivals = Arrivals{First: binary.BigEndian.Uint16(blocks[ssrcSize:]), metrics: blocks[arrivalsHead : arrivalsHead+size]}
		}
		blocks = blocks[padded:]
	}
	return nil
}

// readTransport takes feedback of the transport over: NACKs and arrivals.
func (f *Feedback) readTransport(format uint8, body []byte, ssrc uint32) error {
	switch format {
	case rtcp.FormatCCFB:
		return f.readArrivals(body, ssrc)
	case rtcp.FormatTCC:
		return f.readTransportWide(body, ssrc)
	}
	return f.readNACKs(format, body, ssrc)
}

// readTransportWide takes transport-wide feedback over, as often as there is room for.
func (f *Feedback) readTransportWide(body []byte, ssrc uint32) error {
	if len(body) < feedbackHead+wideHead {
		return errTruncated
	}
	if binary.BigEndian.Uint32(body[ssrcSize:]) == ssrc && f.Wides < len(f.Wide) {
		f.Wide[f.Wides] = TransportWide{body[feedbackHead:]}
		f.Wides++
	}
	return nil
}
