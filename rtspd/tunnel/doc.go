// Package tunnel reads what carries RTSP inside of HTTP, as Apple's QuickTime
// began it and FFmpeg, GStreamer and live555 do it: a GET whose answer never
// ends takes everything from server to client, a POST whose body never ends
// takes the requests, in base64, from client to server. Both carry the same
// x-sessioncookie. Bytes in, values out; it owns no socket.
//
//  1. Sniff tells HTTP from RTSP by the first bytes of a connection (head.go).
//  2. ParseHead reads the head of a GET or POST, and finds the cookie (head.go).
//  3. Accept and Refuse write the answer (answer.go).
//  4. A Decoder turns the body of the POST into RTSP, however it is cut up
//     (base64.go).
package tunnel
