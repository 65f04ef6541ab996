package rtp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/pion/rtcp"
)

// Sizes in bytes (RFC 3550 section 6.4, RFC 4585 section 6.1).
const (
	rtcpHeader   = 4
	ssrcSize     = 4
	senderInfo   = 20
	reportSize   = 24
	feedbackHead = 2 * ssrcSize
	firEntry     = 8
	nackEntry    = 4
)

// maxNACKs is how many NACKs of a compound packet are read; with the packets
// that each can name it is more than anyone keeps.
const maxNACKs = 64

// maxWide is how often transport-wide feedback of a compound packet is read. Most
// viewers send one at a time.
const maxWide = 4

// Feedback is what a compound packet of a viewer says about our stream.
type Feedback struct {
	SSRC    uint32    // of the viewer; 0 if the first packet has none
	Report  Reception // the zero value if there is none about our stream
	Reports bool      // Report is set
	Bye     bool      // the viewer leaves
	PLI     bool      // it needs a key frame (RFC 4585 section 6.3.1)
	FIR     bool      // it needs a key frame (RFC 5104 section 4.3.1)
	FIRSeq  uint8     // of the FIR; the same again is the same wish repeated
	NACKs   int       // how many of Missing are set

	// MaxBitrate is the most that the viewer estimates that it can take, in bit/s
	// (REMB, draft-alvestrand-rmcat-remb-03); 0: it says nothing.
	MaxBitrate float64

	Missing [maxNACKs]NACK

	Arrivals Arrivals // of our packets (RFC 8888); empty: it says nothing

	Wide  [maxWide]TransportWide
	Wides int // how many of Wide are set
}

// A NACK names packets that a viewer misses (RFC 4585 section 6.2.1).
type NACK struct {
	First uint16 // sequence number
	More  uint16 // bit i: First+1+i is missing too
}

// Each calls f for every sequence number that the NACK names, in order.
func (n NACK) Each(f func(seq uint16)) {
	f(n.First)
	for seq, more := n.First+1, n.More; more != 0; seq, more = seq+1, more>>1 {
		if more&1 != 0 {
			f(seq)
		}
	}
}

// Reception is one block of a receiver report (RFC 3550 section 6.4.1).
type Reception struct {
	FractionLost uint8  // of the packets since the last report, in 1/256
	Lost         int32  // packets in all; negative when duplicates arrived
	Highest      uint32 // sequence number received, with the number of wraps in the upper half
	Jitter       uint32 // RTP ticks
	LSR          uint32 // middle 32 bits of the NTP time of the last sender report; 0: none came
	DLSR         uint32 // since that report, in 1/65536 s
}

// errTruncated says that a packet is longer than the datagram.
var errTruncated = errors.New("packet is cut short")

// ParseReceiver reads a compound packet of a viewer for what concerns ssrc.
// Packets of other kinds and about other sources are passed over; a packet
// that is not compound is taken as well (RFC 5506). With an error comes what
// was read in front of it.
func ParseReceiver(b []byte, ssrc uint32) (Feedback, error) {
	var f Feedback
	if len(b) == 0 {
		return f, fmt.Errorf("rtcp: %w", errTruncated)
	}
	for first := true; len(b) > 0; first = false {
		var h rtcp.Header
		if err := h.Unmarshal(b); err != nil {
			return f, fmt.Errorf("rtcp: %w", err)
		}
		size := rtcpHeader + 4*int(h.Length)
		if size > len(b) {
			return f, fmt.Errorf("rtcp: %w", errTruncated)
		}
		body := b[rtcpHeader:size]
		if first && len(body) >= ssrcSize {
			f.SSRC = binary.BigEndian.Uint32(body)
		}
		if err := f.read(h, body, ssrc); err != nil {
			return f, fmt.Errorf("rtcp type %d: %w", h.Type, err)
		}
		b = b[size:]
	}
	return f, nil
}

// read takes one packet over.
func (f *Feedback) read(h rtcp.Header, body []byte, ssrc uint32) error {
	switch h.Type {
	case rtcp.TypeSenderReport:
		return f.readReports(int(h.Count), body, ssrcSize+senderInfo, ssrc)
	case rtcp.TypeReceiverReport:
		return f.readReports(int(h.Count), body, ssrcSize, ssrc)
	case rtcp.TypeGoodbye:
		f.Bye = true
	case rtcp.TypePayloadSpecificFeedback:
		return f.readFeedback(h.Count, body, ssrc)
	case rtcp.TypeTransportSpecificFeedback:
		return f.readTransport(h.Count, body, ssrc)
	}
	return nil
}

func (f *Feedback) readReports(count int, body []byte, from int, ssrc uint32) error {
	if len(body) < from+count*reportSize {
		return errTruncated
	}
	for i := range count {
		var r rtcp.ReceptionReport
		if err := r.Unmarshal(body[from+i*reportSize:]); err != nil {
			return err
		}
		if r.SSRC != ssrc {
			continue
		}
		f.Reports = true
		f.Report = Reception{
			FractionLost: r.FractionLost,
			Lost:         int32(r.TotalLost<<8) >> 8, // 24 bits with a sign
			Highest:      r.LastSequenceNumber,
			Jitter:       r.Jitter,
			LSR:          r.LastSenderReport,
			DLSR:         r.Delay,
		}
	}
	return nil
}

func (f *Feedback) readFeedback(format uint8, body []byte, ssrc uint32) error {
	if len(body) < feedbackHead {
		return errTruncated
	}
	switch format {
	case rtcp.FormatPLI:
		f.PLI = f.PLI || binary.BigEndian.Uint32(body[ssrcSize:]) == ssrc
	case rtcp.FormatFIR:
		for entries := body[feedbackHead:]; len(entries) >= firEntry; entries = entries[firEntry:] {
			if binary.BigEndian.Uint32(entries) == ssrc {
				f.FIR, f.FIRSeq = true, entries[ssrcSize]
			}
		}
	case rtcp.FormatREMB:
		f.readREMB(body[feedbackHead:], ssrc)
	}
	return nil
}

// readREMB takes an estimate over that is about our stream. Other messages of
// applications are passed over.
func (f *Feedback) readREMB(body []byte, ssrc uint32) {
	const head = 8
	if len(body) < head || string(body[:4]) != "REMB" || len(body) < head+ssrcSize*int(body[4]) {
		return
	}
	mantissa := int(body[5]&3)<<16 | int(body[6])<<8 | int(body[7])
	for of := body[head : head+ssrcSize*int(body[4])]; len(of) > 0; of = of[ssrcSize:] {
		if binary.BigEndian.Uint32(of) == ssrc {
			f.MaxBitrate = math.Ldexp(float64(mantissa), int(body[5]>>2))
		}
	}
}

// readNACKs takes generic NACKs over, as many as there is room for.
func (f *Feedback) readNACKs(format uint8, body []byte, ssrc uint32) error {
	if len(body) < feedbackHead {
		return errTruncated
	}
	if format != rtcp.FormatTLN || binary.BigEndian.Uint32(body[ssrcSize:]) != ssrc {
		return nil
	}
	for b := body[feedbackHead:]; len(b) >= nackEntry && f.NACKs < maxNACKs; b = b[nackEntry:] {
		f.Missing[f.NACKs] = NACK{First: binary.BigEndian.Uint16(b), More: binary.BigEndian.Uint16(b[2:])}
		f.NACKs++
	}
	return nil
}
