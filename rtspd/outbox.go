package rtspd

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of what one viewer may have unsent in user space.
const (
	outboxBytes  = 2 << 20
	outboxAge    = time.Second // of the oldest unit, by its capture timestamp's clock
	answersBytes = 256 << 10   // of answers: who asks on and takes no answer is cut off
)

// An outbox sends answers and units over one connection, each whole and in the
// order given. Who gives something writes it at once, without blocking, when
// nothing is waiting; what the kernel does not take is left to flush, a goroutine
// of the connection's own from then on.
type outbox struct {
	conn    net.Conn
	stall   time.Duration         // without any progress the connection ends
	raw     syscall.RawConn       // nil: no direct writes, all goes through flush
	attempt func(fd uintptr) bool // made once: a closure a write would allocate

	mu       sync.Mutex
	waiting  []chunk
	bytes    int           // in waiting
	answers  int           // bytes in waiting that are of no unit
	until    time.Time     // set by finish: nothing more is taken, and flush ends
	progress time.Duration // when the kernel last took something
	handed   uint64        // bytes that it took so far
	wake     chan struct{} // capacity 1, closed by finish
	flushing bool          // flush was started
	flusher  sync.WaitGroup

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

// newOutbox makes an outbox of a connection; nil: of one that is still to come.
func newOutbox(conn net.Conn, stall time.Duration) *outbox {
	o := &outbox{stall: stall, wake: make(chan struct{}, 1)}
	if conn != nil {
		o.attach(conn)
	}
	o.attempt = func(fd uintptr) bool {
		for {
			o.tried, o.trouble = sendNow(fd, o.try)
			if !errors.Is(o.trouble, unix.EINTR) {
				return true
			}
		}
	}
	return o
}

// attach gives the outbox its connection, before anything is sent.
func (o *outbox) attach(conn net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conn, o.progress = conn, monotonic()
	keepFresh(conn)
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			o.raw = raw
		}
	}
	if len(o.waiting) > 0 {
		o.startFlush()
	}
}

// startFlush starts flush, once there is a connection. The lock is held.
func (o *outbox) startFlush() {
	if !o.flushing && o.conn != nil {
		o.flushing = true
		o.flusher.Go(o.flush)
	}
}

// send queues other bytes, an answer or RTCP, behind what is waiting.
func (o *outbox) send(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.answers > answersBytes {
		sever(o.conn) // the reader ends the connection
		return
	}
	o.add(chunk{other: b})
}

// sendUnit queues a unit, of which it takes a share. False: the connection takes
// nothing any more.
func (o *outbox) sendUnit(f *framed) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	f.retain()
	return o.add(chunk{unit: f})
}

// ready tells whether there is room for a unit of that size. False: the viewer
// is behind by more than its bound; the units that were waiting are dropped,
// and it must go on with a key frame.
func (o *outbox) ready(size int, captured time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	behind := o.behind(size, captured)
	if behind {
		o.dropUnits()
	}
	return !behind
}

func (o *outbox) behind(size int, captured time.Duration) bool {
	if len(o.waiting) == 0 {
		return false
	}
	if o.bytes+size > outboxBytes {
		return true
	}
	for i := range o.waiting {
		if u := o.waiting[i].unit; u != nil {
			return captured-u.captured > outboxAge
		}
	}
	return false
}

// drained tells whether everything was handed to the kernel.
func (o *outbox) drained() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting) == 0
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

func (o *outbox) add(c chunk) (taken bool) {
	if !o.until.IsZero() {
		c.done()
		return false
	}
	if len(o.waiting) == 0 && o.raw != nil {
		if all, broken := o.writeNow(&c); all || broken {
			c.done()
			return all
		}
	}
	o.waiting = append(o.waiting, c)
	o.bytes += len(c.rest())
	o.answers += len(c.other)
	o.startFlush()
	select {
	case o.wake <- struct{}{}:
	default: // flush knows already
	}
	return true
}

// writeNow makes one attempt, and tells whether all was written, or the connection
// is broken, which its reader will notice too.
func (o *outbox) writeNow(c *chunk) (all, broken bool) {
	o.try = c.rest()
	err := o.raw.Write(o.attempt)
	n, trouble := o.tried, o.trouble
	o.try, o.trouble = nil, nil
	if err == nil {
		err = trouble
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false, false
	case err != nil:
		return false, true
	}
	o.progress = monotonic()
	o.handed += uint64(n)
	c.off += n
	return len(c.rest()) == 0, false
}

// flush writes what is waiting, until finish is called; then what is left, and
// that nothing follows.
func (o *outbox) flush() {
	for range o.wake {
		for o.flushOne() {
		}
	}
	for o.flushOne() {
	}
	if c, ok := o.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// flushOne writes the first chunk that waits, or a part of it. False: none
// waits, or the connection is broken.
func (o *outbox) flushOne() bool {
	rest := o.first()
	if rest == nil {
		return false
	}
	if o.raw == nil {
		rest = rest[:min(len(rest), recordSize)]
	}
	n, err := o.conn.Write(rest)
	return o.wrote(n, err)
}

// first is what to write next. It stays where it is meanwhile: add appends
// behind it, and dropUnits spares it.
func (o *outbox) first() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return nil
	}
	limit := o.until
	if limit.IsZero() {
		limit = time.Now().Add(o.stall)
	}
	_ = o.conn.SetWriteDeadline(limit) // an error is Write's too
	return o.waiting[0].rest()
}

// wrote notes what became of the first chunk. A write that ran out of time but
// made progress goes on.
func (o *outbox) wrote(n int, err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n > 0 {
		o.progress = monotonic()
	}
	o.bytes -= n
	o.handed += uint64(max(0, n))
	c := &o.waiting[0]
	if c.unit != nil && isSecure(o.conn) {
		c.unit.pool.copied.Add(uint64(n)) // into TLS records
	}
	if c.off += n; len(c.rest()) == 0 {
		o.shift()
	}
	slow := n > 0 && o.until.IsZero() && errors.Is(err, os.ErrDeadlineExceeded)
	if err != nil && !slow {
		sever(o.conn) // the reader ends the connection
		return false
	}
	if len(o.waiting) == 0 && o.until.IsZero() {
		_ = o.conn.SetWriteDeadline(time.Time{}) // direct writes heed it too
	}
	return len(o.waiting) > 0
}

// shift takes the first chunk out, which was written.
func (o *outbox) shift() {
	c := o.waiting[0]
	if c.unit != nil {
		c.unit.pool.took.add(o.progress, c.unit.captured)
	}
	o.answers -= len(c.other)
	c.done()
	copy(o.waiting, o.waiting[1:])
	o.waiting[len(o.waiting)-1] = chunk{}
	o.waiting = o.waiting[:len(o.waiting)-1]
}

// lastProgress is when the kernel last took bytes, CLOCK_MONOTONIC.
func (o *outbox) lastProgress() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.progress
}

// finish takes nothing more. What is waiting may go out until the given time;
// then flush ends.
func (o *outbox) finish(until time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.until = until
	_ = o.conn.SetWriteDeadline(until) // of a write under way too
	close(o.wake)
	o.startFlush()
}

// wait returns when flush has ended, after finish.
func (o *outbox) wait() { o.flusher.Wait() }

// drop gives the shares of all waiting units back, after flush has ended.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.waiting {
		o.waiting[i].done()
	}
	o.waiting, o.bytes, o.answers = nil, 0, 0
}
