package mikey

// Sizes in bytes of the only kind of key that is used: AES-CM with 128 bits.
const (
	KeySize  = 16
	SaltSize = 14
)

// A Message gives the key of streams, of AES_CM_128_HMAC_SHA1_80.
type Message struct {
	CSB      uint32          // identifies the bundle of crypto sessions
	NTP      uint64          // when it was made, as in sender reports
	Rand     []byte          // 16 to 255 bytes of randomness
	Sessions []CryptoSession // at most 255
	Key      []byte          // KeySize bytes: the master key
	Salt     []byte          // SaltSize bytes: the master salt
}

// A CryptoSession is one stream (RFC 3830 section 6.1.1).
type CryptoSession struct {
	SSRC uint32
	ROC  uint32 // how often its sequence numbers have wrapped
}

// Payload types (RFC 3830 section 6.1, table 6.1.b).
const (
	payloadLast  = 0
	payloadKEMAC = 1
	payloadT     = 5
	payloadSP    = 10
	payloadRAND  = 11
)

// Types of keys (RFC 3830 section 6.13).
const (
	keyTEK     = 2
	keyTEKSalt = 3
)

// authKeySize is the parameter for the size of the session authentication key.
// HMAC-SHA-1's has 20 bytes; GStreamer writes the size of the tag, 4 or 10. What
// a peer says is passed over, since there is one size only.
const authKeySize = 3

// Parameters of a policy for SRTP (RFC 3830 section 6.10.1), with the values of
// AES_CM_128_HMAC_SHA1_80, all of one byte.
var policy = [...]struct{ kind, value byte }{
	{0, 1},       // encryption: AES-CM
	{1, KeySize}, // of its session key
	{2, 1},       // authentication: HMAC-SHA-1
	{authKeySize, 20},
	{4, SaltSize}, // of the session salt
	{7, 1},        // SRTP is encrypted
	{8, 1},        // SRTCP is encrypted
	{10, 1},       // SRTP is authenticated
	{11, 10},      // of the tag
}
