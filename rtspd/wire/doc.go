// Package wire turns bytes into RTSP messages and back, 1.0 (RFC 2326) and 2.0
// (RFC 7826). It does no I/O and keeps no state.
//
// The journey of a request:
//
//  1. Decode finds where the message ends and takes it out of the bytes
//     received so far (decode.go); DecodeInterleaved does it for the binary
//     frames between the messages, without an allocation (interleaved.go).
//  2. Its lines become a Request or a Response with a Header (head.go,
//     header.go).
//  3. The values that have a structure have a parser each: Transport
//     (transport.go, addr.go), Session (session.go), Range (range.go,
//     instant.go), RTP-Info (rtpinfo.go, rtpinfo2.go), Media-Properties and
//     Media-Range (properties.go), and the body of GET_PARAMETER and
//     SET_PARAMETER (parameters.go).
//  4. The answer is appended to a buffer of the caller (message.go). Nothing
//     that a value contains can end its line.
package wire
