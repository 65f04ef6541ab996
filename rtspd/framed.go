package rtspd

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lenslet/rtspd/rtp"
	"lenslet/rtspd/wire"
)

// A framed holds the packets of one unit as they go over TCP: each behind '$',
// the channel and its length (RFC 2326 10.12). All TCP viewers of a channel
// share it; the last to release it gives it back to its pool.
type framed struct {
	data     []byte
	channel  byte
	bare     bool          // behind the length alone (RFC 4571 2): for connections of its own
	epoch    *epoch        // of SRTP; nil: not protected
	captured time.Duration // when the unit was captured
	owners   atomic.Int32
	pool     *framedPool
}

func (f *framed) retain() { f.owners.Add(1) }

func (f *framed) release() {
	switch n := f.owners.Add(-1); {
	case n < 0:
		panic("framed unit: released twice")
	case n == 0:
		f.pool.put(f)
	}
}

// fill lays the packets out, of which the length in all is given.
func (f *framed) fill(packets []rtp.Packet, size int) {
	f.data = slices.Grow(f.data[:0], size)
	for _, p := range packets {
		if f.bare {
			f.data = binary.BigEndian.AppendUint16(f.data, uint16(p.Len()))
		} else {
			f.data = wire.AppendInterleavedHead(f.data, f.channel, p.Len())
		}
		f.data = append(f.data, p.Header...)
		f.data = append(f.data, p.Payload...)
	}
}

// poolKept is how many unused framed units a pool keeps; more are left to the
// garbage collector, so that one slow viewer does not fix the memory for good.
const poolKept = 8

type framedPool struct {
	took   *latencies    // told of each unit that did not go out at once
	copied atomic.Uint64 // bytes, by who writes to a viewer alone
	mu     sync.Mutex
	free   []*framed
}

// get gives an empty framed unit with one owner.
func (p *framedPool) get(channel byte, captured time.Duration) *framed {
	p.mu.Lock()
	var f *framed
	if n := len(p.free); n > 0 {
		f, p.free = p.free[n-1], p.free[:n-1]
	}
	p.mu.Unlock()
	if f == nil {
		f = &framed{pool: p}
	}
	f.channel, f.bare, f.captured = channel, false, captured
	f.owners.Store(1)
	return f
}

func (p *framedPool) put(f *framed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < poolKept {
		p.free = append(p.free, f)
	}
}
