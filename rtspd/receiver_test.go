package rtspd

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pion/rtp"
)

// A received is one access unit put together again.
type received struct {
	nalus   [][]byte
	seq     uint16 // of its first packet
	rtptime uint32
}

// A receiver puts access units together the way RFC 6184 says, and checks that
// the packets follow each other without a gap.
type receiver struct {
	units   []received
	packets int
	octets  int // of payload
	ssrc    uint32
	next    uint16 // the number that must follow
	gaps    bool   // are allowed, at the beginning of a unit
	counted bool   // packets have transport-wide numbers
	largest int    // packet, in bytes
	part    received
	begun   bool
}

func (r *receiver) push(t testing.TB, raw []byte) {
	t.Helper()
	var p rtp.Packet
	if err := p.Unmarshal(raw); err != nil {
		t.Fatalf("RTP: %v", err)
	}
	switch {
	case p.Version != 2 || p.PayloadType != payloadType || p.Padding || p.Extension != r.counted || len(p.CSRC) > 0:
		t.Fatalf("RTP header %v", p.Header)
	case r.counted && !bytes.Equal(p.GetExtension(1), binary.BigEndian.AppendUint16(nil, p.SequenceNumber)):
		t.Fatalf("packet %d has the transport-wide number %x", p.SequenceNumber, p.GetExtension(1))
	case r.packets > 0 && p.SSRC != r.ssrc:
		t.Fatalf("SSRC %08X after %08X", p.SSRC, r.ssrc)
	case r.packets > 0 && p.SequenceNumber != r.next && (!r.gaps || r.begun):
		t.Fatalf("packet %d instead of %d", p.SequenceNumber, r.next)
	case r.begun && p.Timestamp != r.part.rtptime:
		t.Fatalf("time %d in a unit of time %d", p.Timestamp, r.part.rtptime)
	}
	r.packets++
	r.octets += len(p.Payload)
	r.largest = max(r.largest, len(raw))
	r.ssrc, r.next = p.SSRC, p.SequenceNumber+1
	if !r.begun {
		r.part, r.begun = received{seq: p.SequenceNumber, rtptime: p.Timestamp}, true
	}
	r.add(t, p.Payload)
	if p.Marker {
		r.units = append(r.units, r.part)
		r.begun = false
	}
}

func (r *receiver) add(t testing.TB, b []byte) {
	t.Helper()
	switch b[0] & 0x1f {
	case 24: // STAP-A
		for b = b[1:]; len(b) > 0; {
			n := int(binary.BigEndian.Uint16(b))
			r.part.nalus = append(r.part.nalus, b[2:2+n])
			b = b[2+n:]
		}
	case 28: // FU-A
		if b[1]&0x80 != 0 {
			r.part.nalus = append(r.part.nalus, []byte{b[0]&0xe0 | b[1]&0x1f})
		}
		if len(r.part.nalus) == 0 {
			t.Fatal("a fragment without a beginning")
		}
		last := &r.part.nalus[len(r.part.nalus)-1]
		*last = append(*last, b[2:]...)
	default:
		r.part.nalus = append(r.part.nalus, b)
	}
}

// equal checks that the units received are the ones published.
func (r *receiver) equal(t testing.TB, published []*fakeUnit) {
	t.Helper()
	if len(r.units) != len(published) {
		t.Fatalf("%d units received, %d published", len(r.units), len(published))
	}
	for i, u := range published {
		if !equalNALUs(r.units[i].nalus, u.nalus) {
			t.Fatalf("unit %d differs", i)
		}
		if i == 0 {
			continue
		}
		ticks := int64(r.units[i].rtptime - r.units[i-1].rtptime)
		if want := int64((u.at - published[i-1].at) * 90000 / 1e9); ticks < want || ticks > want+1 {
			t.Fatalf("unit %d comes %d ticks after the one before, not %d", i, ticks, want)
		}
	}
}
