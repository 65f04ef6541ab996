package rtspd

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A session is what SETUP begins and TEARDOWN ends (RFC 2326 1.3).
type session struct {
	id      string
	stream  *Stream
	base    string         // the presentation's URL, as the client has it, with a slash at its end
	from    netip.AddrPort // the connection that made it
	user    string         // who made it, and to whom alone it belongs; "" without authentication
	v2      bool           // it was set up with RTSP 2.0
	clock   atomic.Bool    // ranges are told by the clock: the client takes no other, or asked so in its PLAY
	timeout time.Duration
	seen    atomic.Int64           // the last sign of life, CLOCK_MONOTONIC
	viewer  atomic.Pointer[viewer] // nil before the first SETUP; Server.bind changes it
	control atomic.Pointer[conn]   // where the client takes requests, if it does
	over    chan struct{}          // closed by Server.end
	edition atomic.Uint64          // of the description that the client has

	refusals refusals // of its viewer, under the lock of the server

	polled      atomic.Int64 // when the client was asked what it receives, CLOCK_MONOTONIC; 0: not yet
	pollRefused atomic.Bool  // it did not want to tell
	updated     atomic.Int64 // when it was notified last, without need; likewise

	mu     sync.Mutex // one request at a time
	state  state
	played string // CSeq of the PLAY in force
}

// touch notes a sign of life.
func (s *session) touch() { s.seen.Store(int64(monotonic())) }

// silent is the time since the last sign of life: a request, RTCP, or by TCP
// that the viewer's side took bytes.
func (s *session) silent(now time.Duration) time.Duration {
	seen := time.Duration(s.seen.Load())
	if v := s.viewer.Load(); v != nil && v.out != nil {
		seen = max(seen, v.out.lastProgress())
	}
	return now - seen
}

// ended tells whether Server.end was here.
func (s *session) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}
