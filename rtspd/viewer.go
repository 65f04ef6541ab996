package rtspd

import (
	"net/netip"
	"time"

	"lenslet/rtspd/rate"
	"lenslet/rtspd/rtp"
	"lenslet/rtspd/udp"
)

// A viewer is where a session's packets go. The transport is fixed when it is
// made; the rest belongs to the stream, under its lock.
type viewer struct {
	rtpTo, rtcpTo *udp.Destination // by UDP
	mux           bool             // RTCP goes by RTP's ports
	mute          bool             // it takes no RTCP

	safe *safety // by SRTP; nil: not

	group *group // by multicast: shared with others

	lanes *lanes // by TCP connections of its own; nil: not

	out                     *outbox // by TCP: of the connection that RTP goes by; nil: by UDP
	conn                    *conn   // interleaved, and the connection was made to this server
	rtpChannel, rtcpChannel byte
	feedback                bool // RTP/AVPF, not interleaved: it may ask for packets again

	waiting  bool                             // for a key frame
	begin    func(seq uint16, rtptime uint32) // called once, before the first packet
	packets  uint32                           // sent, as a sender report counts
	octets   uint32                           // of payload sent
	refused  struct{ packets, octets uint32 } // that the kernel did not take, its queue was full
	reported time.Duration                    // when the last sender report went out
	lsr      uint32                           // of its NTP timestamp the middle half, as receivers name it
	firstSeq uint16                           // of the first packet sent
	last     rtp.Reception                    // the latest receiver report
	received uint64                           // packets, by the receiver reports so far
	lost     uint64                           // packets, likewise
	fir      int                              // 1 + the number of the last FIR; 0: none came
	trip     time.Duration                    // round trip, by the receiver reports; 0: not known
	again    uint32                           // packets sent once more
	resent   []resend                         // what was sent once more, while it plays

	air      bool          // packets leave by a wireless interface
	lossAt   time.Duration // when a report last showed loss, or the kernel had no room; 0: never
	lossTold bool          // the log was told that this viewer is paced for it
	paced    bool          // the unit under way is

	rate  rate.Estimator // of what the way to it carries
	thin  thinning
	tally tally

	reports    bool          // receiver reports came
	toldJitter time.Duration // what the client said, when asked
}

// rtcpFrom is where a UDP viewer sends its RTCP from; not valid for others.
func (v *viewer) rtcpFrom() netip.AddrPort {
	if v == nil || v.rtcpTo == nil {
		return netip.AddrPort{}
	}
	return v.rtcpTo.AddrPort()
}

// start lets the packets begin that have this number and time.
func (v *viewer) start(seq uint16, rtptime uint32) {
	v.waiting = false
	if v.packets == 0 {
		v.firstSeq = seq
	}
	if v.begin != nil {
		v.begin(seq, rtptime)
		v.begin = nil
	}
}

// wants tells whether a key frame would let the viewer go on. One whose
// connection is still stuck does not: asking for it would cost all others
// bandwidth.
func (v *viewer) wants() bool {
	if v.group != nil {
		return v.group.waits()
	}
	return v.waiting && (v.out == nil || v.out.drained())
}

// transport is its name for the log.
func (v *viewer) transport() string {
	if v.group != nil {
		return "multicast"
	}
	if v.out != nil {
		return "tcp"
	}
	return "udp"
}
