package rtspd

import (
	"net/netip"
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/udp"
)

// A viewer is where a session's packets go. The transport is fixed when it is
// made; the rest belongs to the stream, under its lock.
type viewer struct {
	// UDP
	pair   *udpPair
	rtpTo  *udp.Destination
	rtcpTo netip.AddrPort

	// interleaved
	out                     *outbox
	rtpChannel, rtcpChannel byte

	waiting  bool                             // for a key frame
	begin    func(seq uint16, rtptime uint32) // called once, before the first packet
	packets  uint32                           // sent, as a sender report counts
	octets   uint32                           // of payload sent
	reported time.Duration                    // when the last sender report went out
	last     rtp.Reception                    // the latest receiver report
	firstSeq uint16                           // of the first packet sent
}

// rtcp sends an RTCP packet.
func (v *viewer) rtcp(packet []byte) {
	if v.out != nil {
		v.out.send(interleave(v.rtcpChannel, packet))
		return
	}
	_, _ = v.pair.rtcp.WriteToUDPAddrPort(packet, v.rtcpTo) // as UDP: it arrives or not
}

// transport is its name for the log.
func (v *viewer) transport() string {
	if v.out != nil {
		return "tcp"
	}
	return "udp"
}
