// Package srtp protects the packets of one source for all who hold its key (RFC
// 3711, AES_CM_128_HMAC_SHA1_80), without allocating: the way of a packet to
// many viewers. RTCP is left to pion/srtp.
package srtp
