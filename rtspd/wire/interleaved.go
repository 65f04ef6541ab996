package wire

import (
	"encoding/binary"
	"errors"
)

// ErrIncomplete says that the message is good as far as it goes: call again
// with the same bytes and more behind them.
var ErrIncomplete = errors.New("wire: message is incomplete")

// errNotInterleaved says that the bytes are a message.
var errNotInterleaved = errors.New("wire: no interleaved frame")

// InterleavedHead is the number of bytes in front of a frame's payload: "$",
// the channel, and the length in two bytes (RFC 2326 section 10.12).
const InterleavedHead = 4

// DecodeInterleaved reads the binary frame that b begins with: its channel, its
// payload, which lies in b, and the number of bytes of all of it. The error is
// ErrIncomplete when the frame goes on behind b; another one when b begins with
// something else. It allocates nothing.
func DecodeInterleaved(b []byte) (ch byte, payload []byte, n int, err error) {
	switch {
	case len(b) == 0:
		return 0, nil, 0, ErrIncomplete
	case b[0] != '$':
		return 0, nil, 0, errNotInterleaved
	case len(b) < InterleavedHead:
		return 0, nil, 0, ErrIncomplete
	}
	n = InterleavedHead + int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < n {
		return 0, nil, 0, ErrIncomplete
	}
	return b[1], b[InterleavedHead:n:n], n, nil
}

// AppendInterleavedHead writes the bytes in front of a payload of size bytes,
// which is at most 65535.
func AppendInterleavedHead(dst []byte, ch byte, size int) []byte {
	return append(dst, '$', ch, byte(size>>8), byte(size))
}

// Append writes the frame behind dst.
func (f Interleaved) Append(dst []byte) []byte {
	return append(AppendInterleavedHead(dst, f.Channel, len(f.Payload)), f.Payload...)
}
