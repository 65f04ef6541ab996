package mikey

import "encoding/binary"

// Append writes the message behind dst.
func (m *Message) Append(dst []byte) []byte {
	dst = append(dst, 1, 0, payloadT, 0) // version, pre-shared key message, next payload, PRF MIKEY-1
	dst = binary.BigEndian.AppendUint32(dst, m.CSB)
	dst = append(dst, byte(len(m.Sessions)), 0) // map type SRTP-ID
	for _, s := range m.Sessions {
		dst = append(dst, 0) // policy
		dst = binary.BigEndian.AppendUint32(dst, s.SSRC)
		dst = binary.BigEndian.AppendUint32(dst, s.ROC)
	}
	dst = append(dst, payloadRAND, 0) // T: NTP-UTC
	dst = binary.BigEndian.AppendUint64(dst, m.NTP)
	dst = append(dst, payloadSP, byte(len(m.Rand)))
	dst = append(dst, m.Rand...)
	dst = append(dst, payloadKEMAC, 0, 0, 0, byte(3*len(policy))) // policy 0, for SRTP
	for _, p := range policy {
		dst = append(dst, p.kind, 1, p.value)
	}
	return m.appendKey(dst)
}

// appendKey writes the KEMAC: key and salt as one TEK, as GStreamer has them.
func (m *Message) appendKey(dst []byte) []byte {
	size := len(m.Key) + len(m.Salt)
	dst = append(dst, payloadLast, 0, 0, byte(4+size)) // not encrypted
	dst = append(dst, payloadLast, keyTEK<<4, 0, byte(size))
	dst = append(append(dst, m.Key...), m.Salt...)
	return append(dst, 0) // no MAC
}
