// Package auth proves who asks: Digest (RFC 7616, with the older RFC 2069 and
// RFC 2617 for players that know nothing newer) and Basic (RFC 7617), as RTSP
// has them in WWW-Authenticate and Authorization.
//
// Verifier is the side of the server, Client that of who asks. Nothing here
// reads or writes anything but its arguments and crypto/rand.
package auth
