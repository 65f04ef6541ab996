package rtp

// IsRTCP tells whether a packet that came where RTP and RTCP both may come is
// RTCP: by its type, which no RTP packet has in this place (RFC 5761 section 4).
func IsRTCP(packet []byte) bool {
	return len(packet) > 1 && packet[1] >= 192 && packet[1] <= 223
}
