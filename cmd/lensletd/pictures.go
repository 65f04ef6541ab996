package main

import (
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/pion/rtp"

	"lenslet/encoder/h264"
)

// pictures counts whole pictures in RTP packets of H.264 (RFC 6184): those of a
// stream that began with its parameter sets and a key frame, and that miss no
// packet.
type pictures struct {
	sealed bool // what is inside of packets cannot be read: SRTP
	whole  int

	sps, pps bool   // there is one, and it can be read
	keyed    bool   // a key frame has come, and no gap since
	begun    bool   // seq counts
	seq      uint16 // of the last packet
	slices   int    // of the picture that comes
	part     bool   // a NAL unit is fragmented, and not yet complete
}

// packet takes the next one.
func (p *pictures) packet(b []byte) {
	var h rtp.Header
	n, err := h.Unmarshal(b)
	if err != nil {
		p.lose()
		return
	}
	if p.begun && h.SequenceNumber != p.seq+1 {
		p.lose()
	}
	p.begun, p.seq = true, h.SequenceNumber
	if p.sealed {
		p.slices, p.keyed = p.slices+1, true
	} else {
		p.payload(b[n:])
	}
	if !h.Marker {
		return
	}
	if p.slices > 0 && p.keyed && !p.part {
		p.whole++
	}
	p.slices = 0
}

// lose is a gap: only a key frame makes pictures whole again.
func (p *pictures) lose() { p.keyed, p.part, p.slices = false, false, 0 }

// The types of packets, RFC 6184 table 1.
const (
	stapA = 24
	fuA   = 28
)

func (p *pictures) payload(b []byte) {
	switch kind := h264.TypeOf(b); {
	case kind == stapA:
		for b = b[1:]; len(b) > 2; {
			n := int(binary.BigEndian.Uint16(b))
			if b = b[2:]; n > len(b) {
				p.lose()
				return
			}
			p.nal(b[:n])
			b = b[n:]
		}
	case kind == fuA && len(b) > 2:
		p.fragment(b)
	case kind > 0 && kind < stapA && !p.part:
		p.nal(b)
	default:
		p.lose()
	}
}

// fragment is a part of a NAL unit: of a slice, that is; section 5.8.
func (p *pictures) fragment(b []byte) {
	begins, ends := b[1]&0x80 != 0, b[1]&0x40 != 0
	if begins == p.part {
		p.lose()
		return
	}
	if p.part = !ends; begins {
		p.nal(append([]byte{b[0]&0xe0 | b[1]&0x1f}, b[2:]...))
	}
}

// nal is a NAL unit, or the beginning of a slice.
func (p *pictures) nal(b []byte) {
	switch kind := h264.TypeOf(b); {
	case kind == h264.TypeSPS:
		_, err := h264.ParseSPS(b)
		p.sps = err == nil
	case kind == h264.TypePPS:
		p.pps = len(b) > 1
	case kind.Slice():
		p.slices++
		p.keyed = p.keyed || kind == h264.TypeIDR && p.sps && p.pps
	}
}

// readSDP finds the first video's control attribute and parameter sets.
func readSDP(text string) (control string, sets [][]byte) {
	video := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "m=") {
			if video {
				break
			}
			video = strings.HasPrefix(line, "m=video ")
		}
		if !video {
			continue
		}
		if value, ok := strings.CutPrefix(line, "a=control:"); ok {
			control = value
		}
		if _, value, ok := strings.Cut(line, "sprop-parameter-sets="); ok {
			value, _, _ = strings.Cut(value, ";")
			for set := range strings.SplitSeq(value, ",") {
				if b, err := base64.StdEncoding.DecodeString(set); err == nil {
					sets = append(sets, b)
				}
			}
		}
	}
	return control, sets
}
