// Package rtspd serves live H.264 to RTSP viewers (RFC 2326), over UDP and
// interleaved in the RTSP connection.
//
// The journey of a request:
//
//  1. A connection's goroutine reads bytes and decodes them (conn.go, wire).
//  2. The method's handler answers it, and moves the session from state to
//     state (handle.go, session.go, state.go).
//  3. The answer goes through the connection's outbox, which keeps it whole
//     among the frames of a viewer (outbox.go).
//
// The journey of an access unit:
//
//  1. The codec's goroutine publishes it (stream.go).
//  2. The packetizer describes it as packets: headers in a slab, payloads in the
//     unit (package rtp).
//  3. Each UDP viewer gets one sendmsg for a run of equal packets (package udp).
//  4. For the TCP viewers the framed packets are laid out once, in a pooled
//     buffer; each viewer gets one write (framed.go, outbox.go).
//  5. The unit goes back to the codec.
//
// Once a second the clockwork sends what sender reports are due and ends the
// sessions that nobody keeps alive (tick.go).
package rtspd
