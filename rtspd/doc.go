// Package rtspd serves live H.264 to RTSP viewers (RFC 2326), over UDP and
// interleaved in the RTSP connection or, in RTSP 2.0, in TCP connections of its own.
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
//
// # Requests in datagrams
//
// Where it is switched on, requests come in datagrams too (rtspu, RFC 2326
// 9.2). The address that a datagram says it is from may be forged, so nothing is
// done for it until it is proven:
//
//  1. A request without a good Address-Token is not carried out, whatever it is.
//     It is answered 401 with CSeq and a token, a keyed hash of address, port
//     and time; an answer that would be longer than the request is not sent
//     (rtspu.go). Nobody is sent more than was paid for, and no memory is spent.
//  2. Who receives at the address sends its request again, with the token. It is
//     good for two to four minutes; then comes another 401.
//  3. From then on the client is served as one in a connection is, with
//     passwords asked for likewise (a proven address is not yet a user), but
//     for the media, which go by UDP unicast to the proven address alone.
//  4. A request that comes again is not carried out again, but answered again
//     (rtspupeer.go).
package rtspd
