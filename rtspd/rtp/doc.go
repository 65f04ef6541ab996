// Package rtp describes access units as RTP packets without copying them, keeps
// the RTP clock, and writes and reads RTCP.
//
// The journey of an access unit:
//
//  1. Clock turns the time of its capture into RTP time (clock.go).
//  2. Packetizer.Packetize plans it as packets: parameter sets in front of a
//     picture share one, a small NAL unit is one, a large one is cut
//     (packetizer.go).
//  3. Each Packet is a header in the packetizer's slab and a slice of the unit
//     (packet.go); who sends it puts both on the wire, one behind the other.
//  4. SenderReport tells a viewer which instant the RTP time of the packets
//     means, Bye that no more will come (report.go).
//  5. ParseReceiver reads what the viewer answers (feedback.go).
package rtp
