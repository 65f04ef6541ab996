package rtp

import (
	"fmt"
	"time"

	"github.com/pion/rtcp"
)

// maxCNAME is the longest text of an SDES item (RFC 3550 section 6.5).
const maxCNAME = 255

// A Report says what was sent to a viewer up to an instant.
type Report struct {
	SSRC    uint32
	CNAME   string    // cut after 255 bytes
	Wall    time.Time // the instant by the wall clock
	RTPTime uint32    // the same instant by the capture clock: Clock.RTP of CLOCK_MONOTONIC now
	Packets uint32    // RTP packets since the start, modulo 2^32
	Octets  uint32    // bytes of their payloads, without RTP headers, modulo 2^32
}

// SenderReport writes a compound packet of a sender report and the CNAME behind
// dst (RFC 3550 sections 6.1 and 6.4.1).
func SenderReport(dst []byte, r Report) []byte {
	return appendRTCP(dst,
		&rtcp.SenderReport{
			SSRC: r.SSRC, NTPTime: NTP(r.Wall), RTPTime: r.RTPTime,
			PacketCount: r.Packets, OctetCount: r.Octets,
		},
		cname(r.SSRC, r.CNAME))
}

// Bye writes a compound packet of an empty receiver report, the CNAME and BYE
// behind dst (RFC 3550 sections 6.1 and 6.6).
func Bye(dst []byte, ssrc uint32, name string) []byte {
	return appendRTCP(dst,
		&rtcp.ReceiverReport{SSRC: ssrc}, cname(ssrc, name), &rtcp.Goodbye{Sources: []uint32{ssrc}})
}

func cname(ssrc uint32, name string) *rtcp.SourceDescription {
	return rtcp.NewCNAMESourceDescription(ssrc, name[:min(len(name), maxCNAME)])
}

func appendRTCP(dst []byte, packets ...rtcp.Packet) []byte {
	b, err := rtcp.Marshal(packets)
	if err != nil {
		panic(fmt.Sprintf("rtp: write RTCP: %v", err)) // nothing here is larger than its field
	}
	return append(dst, b...)
}

// NTP is an instant as a 64-bit NTP timestamp: seconds since 1900, and their
// fraction in the lower half (RFC 3550 section 4). It wraps in 2036.
func NTP(t time.Time) uint64 {
	const from1900 = 2208988800 // seconds from 1900 to 1970
	seconds := uint64(t.Unix() + from1900)
	fraction := uint64(t.Nanosecond()) << 32 / uint64(time.Second)
	return seconds<<32 | fraction
}
