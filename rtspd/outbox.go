package rtspd

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of what one viewer may have unsent in user space.
const (
	outboxBytes = 2 << 20
	outboxAge   = time.Second      // of the oldest unit, by its capture timestamp's clock
	writeLimit  = 10 * time.Second // without any progress the connection ends
)

// An outbox sends answers and units over one connection, each whole and in the
// order given. Who gives something writes it at once, without blocking, when
// nothing is waiting; what the kernel does not take is left to flush, the
// connection's own goroutine.
type outbox struct {
	conn    net.Conn
	raw     syscall.RawConn       // nil: no direct writes, all goes through flush
	attempt func(fd uintptr) bool // made once: a closure a write would allocate

	mu       sync.Mutex
	stream   *Stream // whose units it sends; told when a late one went out
	waiting  []chunk
	bytes    int // in waiting
	closed   bool
	progress time.Duration // when the kernel last took something
	wake     chan struct{} // capacity 1, closed by close

	try     []byte // argument and result of attempt, under mu
	tried   int
	trouble error
}

// A chunk is a framed unit, of which it owns a share, or other bytes.
type chunk struct {
	unit  *framed
	other []byte
	off   int
}

func (c *chunk) rest() []byte {
	if c.unit != nil {
		return c.unit.data[c.off:]
	}
	return c.other[c.off:]
}

func (c *chunk) done() {
	if c.unit != nil {
		c.unit.release()
	}
}

func newOutbox(conn net.Conn) *outbox {
	o := &outbox{conn: conn, wake: make(chan struct{}, 1), progress: monotonic()}
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			o.raw = raw
		}
	}
	o.attempt = func(fd uintptr) bool {
		for {
			o.tried, o.trouble = unix.Write(int(fd), o.try)
			if !errors.Is(o.trouble, unix.EINTR) {
				return true
			}
		}
	}
	return o
}

// sentTo names the stream whose units go through here.
func (o *outbox) sentTo(s *Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stream = s
}

// send queues other bytes, an answer or RTCP, behind what is waiting.
func (o *outbox) send(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(chunk{other: b})
}

// sendUnit queues a unit, of which it takes a share. False: the viewer is
// behind by more than its bound; the units that were waiting are dropped too,
// and it must go on with a key frame.
func (o *outbox) sendUnit(f *framed) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.behind(f) {
		o.dropUnits()
		return false
	}
	f.retain()
	o.add(chunk{unit: f})
	return true
}

func (o *outbox) behind(f *framed) bool {
	if len(o.waiting) == 0 {
		return false
	}
	if o.bytes+len(f.data) > outboxBytes {
		return true
	}
	for i := range o.waiting {
		if u := o.waiting[i].unit; u != nil {
			return f.captured-u.captured > outboxAge
		}
	}
	return false
}

// dropUnits forgets the units that were not begun.
func (o *outbox) dropUnits() {
	kept := o.waiting[:0]
	for i := range o.waiting {
		c := o.waiting[i]
		if c.unit == nil || i == 0 { // flush may be writing the first one
			kept = append(kept, c)
			continue
		}
		o.bytes -= len(c.unit.data)
		c.done()
	}
	clear(o.waiting[len(kept):])
	o.waiting = kept
}

func (o *outbox) add(c chunk) {
	if o.closed {
		c.done()
		return
	}
	if len(o.waiting) == 0 && o.raw != nil && o.writeNow(&c) {
		c.done()
		return
	}
	o.waiting = append(o.waiting, c)
	o.bytes += len(c.rest())
	select {
	case o.wake <- struct{}{}:
	default: // flush knows already
	}
}

// writeNow makes one attempt. True: all was written, or the connection is
// broken, which its reader will notice too.
func (o *outbox) writeNow(c *chunk) bool {
	o.try = c.rest()
	err := o.raw.Write(o.attempt)
	n, trouble := o.tried, o.trouble
	o.try, o.trouble = nil, nil
	if err == nil {
		err = trouble
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case err != nil:
		return true
	}
	o.progress = monotonic()
	c.off += n
	return len(c.rest()) == 0
}

// flush writes what is waiting until the outbox is closed. It runs in a
// goroutine of its own; the connection's deadline bounds each write.
func (o *outbox) flush() {
	for range o.wake {
		for o.flushOne() {
		}
	}
}

// flushOne writes the first chunk that waits. False: none, or broken.
func (o *outbox) flushOne() bool {
	o.mu.Lock()
	if o.closed || len(o.waiting) == 0 {
		o.mu.Unlock()
		return false
	}
	c := &o.waiting[0]
	rest, unit := c.rest(), c.unit
	o.mu.Unlock()

	// The first chunk stays where it is while it is written: add appends
	// behind it, and dropUnits spares it.
	err := o.conn.SetWriteDeadline(time.Now().Add(writeLimit))
	if err == nil {
		_, err = o.conn.Write(rest)
	}
	if err == nil {
		err = o.conn.SetWriteDeadline(time.Time{}) // direct writes heed it too
	}
	if err != nil {
		_ = o.conn.Close() // the reader ends the connection
		return false
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress = monotonic()
	if unit != nil && o.stream != nil {
		o.stream.took.add(o.progress, unit.captured)
	}
	if len(o.waiting) > 0 { // close may have emptied it
		o.bytes -= len(rest)
		o.waiting[0].done()
		copy(o.waiting, o.waiting[1:])
		o.waiting[len(o.waiting)-1] = chunk{}
		o.waiting = o.waiting[:len(o.waiting)-1]
	}
	return len(o.waiting) > 0
}

// lastProgress is when the kernel last took bytes, CLOCK_MONOTONIC.
func (o *outbox) lastProgress() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.progress
}

// close takes nothing more and ends flush, once the connection is closed so
// that a write under way returns.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	close(o.wake)
}

// drop gives the shares of all waiting units back, after flush has ended.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.waiting {
		o.waiting[i].done()
	}
	o.waiting, o.bytes = nil, 0
}
