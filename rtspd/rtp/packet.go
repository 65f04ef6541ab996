package rtp

import (
	"encoding/binary"
	"math"
)

// Sizes in bytes.
const (
	HeaderSize   = 12                      // of an RTP header without CSRCs (RFC 3550 section 5.1)
	DefaultMTU   = 1400                    // of an RTP packet: room for IPv6, a tunnel and PPPoE below 1500
	minMTU       = 64                      // below this the headers are most of the traffic
	maxMTU       = math.MaxUint16 - 8 - 20 // what UDP over IPv4 carries
	fragmentHead = 2                       // FU indicator and FU header (RFC 6184 section 5.8)
	sizeField    = 2                       // in front of a NAL unit in a STAP-A (RFC 6184 section 5.7.1)
)

// A Packet is one RTP packet in two parts. On the wire it is Header, then
// Payload.
type Packet struct {
	Header  []byte // lies in the slab of the packetizer
	Payload []byte // lies in the access unit; empty for a STAP-A
}

// Len is the number of bytes on the wire.
func (p Packet) Len() int { return len(p.Header) + len(p.Payload) }

// Renumber gives a copy of an RTP header another sequence number, which is its
// transport-wide one too, and another source.
func Renumber(header []byte, seq uint16, ssrc uint32) {
	binary.BigEndian.PutUint16(header[2:], seq)
	binary.BigEndian.PutUint32(header[8:], ssrc)
	if len(header) > HeaderSize {
		binary.BigEndian.PutUint16(header[transportNumberAt:], seq)
	}
}
