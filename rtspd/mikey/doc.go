// Package mikey writes and reads the messages that carry SRTP keys in RTSP
// (RFC 3830, RFC 4567), in the form that GStreamer and live cameras use: a
// pre-shared key message that is itself neither encrypted nor authenticated.
// What it travels in must be: RTSPS. Bytes in, values out; it owns no socket.
//
//  1. A Message is what matters of it (message.go).
//  2. Append writes it (append.go), Parse reads it (parse.go).
package mikey
