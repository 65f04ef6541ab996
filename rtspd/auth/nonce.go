package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

const (
	nonceBytes = 8 + 8 + 16 // when, at random, MAC
	keptCounts = 1024       // nonces whose counts are kept
)

// nonces issues nonces and knows its own again, without keeping them: each has
// its time in it, and a MAC over that and over the connection it is for. Only
// of those that were used with a right password the count is kept.
type nonces struct {
	key      [32]byte
	lifetime time.Duration
	now      func() time.Duration // a monotonic clock

	mu     sync.Mutex
	counts map[string]counted
	floor  time.Duration // nonces issued up to here are too old: their counts may be forgotten
}

// A counted nonce.
type counted struct {
	issued time.Duration
	last   uint64 // the highest count so far
}

func newNonces(lifetime time.Duration) *nonces {
	start := time.Now()
	n := &nonces{
		lifetime: lifetime, counts: map[string]counted{}, floor: -1,
		now: func() time.Duration { return time.Since(start) },
	}
	_, _ = rand.Read(n.key[:]) // never fails (crypto/rand)
	return n
}

// issue makes a nonce for a connection: its far end's address and port, so that
// what is overheard there is of no use from anywhere else.
func (n *nonces) issue(peer netip.AddrPort) string {
	var b [nonceBytes]byte
	binary.BigEndian.PutUint64(b[:], uint64(n.now()))
	_, _ = rand.Read(b[8:16])
	copy(b[16:], n.mac(b[:16], peer))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (n *nonces) mac(b []byte, peer netip.AddrPort) []byte {
	m := hmac.New(sha256.New, n.key[:])
	m.Write(b)
	addr := peer.Addr().As16()
	m.Write(addr[:])
	m.Write(binary.BigEndian.AppendUint16(nil, peer.Port()))
	return m.Sum(nil)[:16]
}

// issued tells when a nonce was issued. False: it is none of ours, or for
// another connection.
func (n *nonces) issued(nonce string, peer netip.AddrPort) (time.Duration, bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceBytes || !hmac.Equal(b[16:], n.mac(b[:16], peer)) {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint64(b)), true
}

// fresh tells whether a nonce of ours is young enough, and count above all
// before. A count of 0 stands for a client that does not count (RFC 2069).
func (n *nonces) fresh(nonce string, issued time.Duration, count uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if issued <= n.floor || n.now()-issued > n.lifetime {
		return false
	}
	if count == 0 {
		return true
	}
	known, ok := n.counts[nonce]
	if ok && count <= known.last {
		return false
	}
	if !ok && len(n.counts) >= keptCounts {
		n.forget()
		if issued <= n.floor {
			return false
		}
	}
	n.counts[nonce] = counted{issued, count}
	return true
}

// forget makes room: all that is too old goes, and while that is not enough what
// is older than the mean. What is forgotten is no longer taken either.
func (n *nonces) forget() {
	n.floor = max(n.floor, n.now()-n.lifetime-1)
	for n.drop(); len(n.counts) >= keptCounts; n.drop() {
		sum := time.Duration(0)
		for _, c := range n.counts {
			sum += c.issued - n.floor
		}
		n.floor += sum / time.Duration(len(n.counts))
	}
}

func (n *nonces) drop() {
	for nonce, c := range n.counts {
		if c.issued <= n.floor {
			delete(n.counts, nonce)
		}
	}
}
