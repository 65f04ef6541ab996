package rtp

import (
	"encoding/binary"

	"github.com/pion/rtp"
)

// The types of NAL units that matter here (H.264 table 7-1, RFC 6184 table 1).
const (
	typeMask  = 0x1f
	nriMask   = 0x60
	forbidden = 0x80
	lastSlice = 5 // 1 to 5 are the parts of a coded picture
	typeSTAPA = 24
	typeFUA   = 28
	fuStart   = 0x80
	fuEnd     = 0x40
)

// A Packetizer turns the access units of one H.264 stream into RTP packets
// (RFC 6184, packetization-mode 1). One goroutine at a time uses it.
type Packetizer struct {
	header  rtp.Header
	head    int    // bytes of it
	number  []byte // transport-wide, in the header; nil: there is none
	mtu     int
	slab    []byte // headers and STAP-As of the unit
	packets []Packet
}

// NewPacketizer begins with the given sequence number. The mtu is the most
// bytes of an RTP packet, header included; 0 means DefaultMTU, and what is not
// in 64..65507 is brought there.
func NewPacketizer(payloadType uint8, ssrc uint32, seq uint16, mtu int) *Packetizer {
	if mtu == 0 {
		mtu = DefaultMTU
	}
	return &Packetizer{
		header: rtp.Header{
			Version: 2, PayloadType: payloadType & 0x7f, SSRC: ssrc, SequenceNumber: seq,
		},
		head: HeaderSize,
		mtu:  max(minMTU, min(mtu, maxMTU)),
	}
}

// NumberTransport gives each packet its transport-wide number from now on, in a header
// extension. It is the sequence number: the packets of a stream are a flow of their own,
// and all viewers share them.
func (p *Packetizer) NumberTransport() {
	p.number = make([]byte, 2)
	if err := p.header.SetExtension(TransportNumberID, p.number); err != nil {
		panic(err) // identifier and size are those of the one-byte kind
	}
	p.head = p.header.MarshalSize()
}

// Head is the size of a header in bytes, extensions included.
func (p *Packetizer) Head() int { return p.head }

// Next is the sequence number of the next packet.
func (p *Packetizer) Next() uint16 { return p.header.SequenceNumber }

// SSRC is the synchronization source of all packets.
func (p *Packetizer) SSRC() uint32 { return p.header.SSRC }

// MTU is the most bytes of a packet, its header included.
func (p *Packetizer) MTU() int { return p.mtu }

// Packetize describes one access unit, NAL units without start codes. The last
// packet carries the marker. The result is valid until the next call and as
// long as the unit is; Packetize(nil, 0) lets go of it. Only the NAL units that share a STAP-A are copied, and
// nothing is allocated once the slab has grown to the size of the stream.
//
// The fragments of a NAL unit have exactly mtu bytes but for the last one, so
// that they can leave in one segmented send.
func (p *Packetizer) Packetize(nalus [][]byte, rtptime uint32) []Packet {
	p.header.Timestamp = rtptime
	clear(p.packets)
	p.packets = p.packets[:0]
	p.reserve(nalus)
	if n := p.together(nalus); n > 1 {
		p.aggregate(nalus[:n])
		nalus = nalus[n:]
	}
	for _, nalu := range nalus {
		switch {
		case len(nalu) == 0:
		case p.head+len(nalu) <= p.mtu:
			p.add(p.rtpHeader(0), nalu)
		default:
			p.fragment(nalu)
		}
	}
	if n := len(p.packets); n > 0 {
		p.packets[n-1].Header[1] |= 0x80
	}
	return p.packets
}

// reserve makes the slab large enough for the unit. It may not grow later:
// packets point into it.
func (p *Packetizer) reserve(nalus [][]byte) {
	need := p.mtu
	for _, nalu := range nalus {
		need += (1 + len(nalu)/p.room()) * (p.head + fragmentHead)
	}
	if cap(p.slab) < need {
		p.slab = make([]byte, 0, need+need/4)
	}
	p.slab = p.slab[:0]
}

// room is the number of bytes of a NAL unit that fit into a fragment.
func (p *Packetizer) room() int { return p.mtu - p.head - fragmentHead }

// together counts the NAL units in front of the first slice that fit into one
// packet.
func (p *Packetizer) together(nalus [][]byte) int {
	size := p.head + 1
	for i, nalu := range nalus {
		if len(nalu) == 0 || nalu[0]&typeMask <= lastSlice {
			return i
		}
		if size += sizeField + len(nalu); size > p.mtu {
			return i
		}
	}
	return len(nalus)
}

// aggregate copies NAL units into one STAP-A (RFC 6184 section 5.7.1): it is
// as important as the most important of them.
func (p *Packetizer) aggregate(nalus [][]byte) {
	from := len(p.slab)
	p.rtpHeader(0)
	indicator := len(p.slab)
	p.slab = append(p.slab, typeSTAPA)
	for _, nalu := range nalus {
		first := &p.slab[indicator]
		*first = *first&^nriMask | max(*first&nriMask, nalu[0]&nriMask) | nalu[0]&forbidden
		p.slab = binary.BigEndian.AppendUint16(p.slab, uint16(len(nalu)))
		p.slab = append(p.slab, nalu...)
	}
	p.add(p.slab[from:len(p.slab):len(p.slab)], nil)
}

// fragment cuts a NAL unit into FU-As (RFC 6184 section 5.8).
func (p *Packetizer) fragment(nalu []byte) {
	kind := nalu[0]
	flags := byte(fuStart)
	for rest := nalu[1:]; len(rest) > 0; flags = 0 {
		n := min(len(rest), p.room())
		if n == len(rest) {
			flags |= fuEnd
		}
		header := p.rtpHeader(fragmentHead)
		header[p.head] = kind&^typeMask | typeFUA
		header[p.head+1] = flags | kind&typeMask
		p.add(header, rest[:n:n])
		rest = rest[n:]
	}
}

// rtpHeader writes the header of the next packet into the slab, with room for
// more bytes behind it.
func (p *Packetizer) rtpHeader(more int) []byte {
	from := len(p.slab)
	end := from + p.head + more
	p.slab = p.slab[:end]
	header := p.slab[from:end:end]
	if p.number != nil {
		binary.BigEndian.PutUint16(p.number, p.header.SequenceNumber)
	}
	if _, err := p.header.MarshalTo(header); err != nil {
		panic(err) // there is room for it
	}
	p.header.SequenceNumber++
	return header
}

func (p *Packetizer) add(header, payload []byte) {
	p.packets = append(p.packets, Packet{header, payload})
}
