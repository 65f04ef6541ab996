package encoder

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// errSilent is a device whose driver did not answer in time.
var errSilent = errors.New("the driver does not answer")

// lateGrace is what a call gets that ends by the same context as the wait for
// it.
const lateGrace = 200 * time.Millisecond

// A device is a source or a codec whose driver may stop answering.
type device[D io.Closer] struct {
	is D // read-only once it is opened
	calls
}

// calls are those of a device. Each runs in a goroutine of its own, which is
// left behind when it does not return in time. Such a device is broken: it is
// closed when its last call returned, and never used again.
type calls struct {
	left *atomic.Int64 // counts the devices that were left behind and are not yet closed
	shut func() error  // closes the device; nil: it was not even opened
	turn chan struct{} // capacity 1: held by a read; never closed

	mu      sync.Mutex // guards all below
	out     int        // calls under way
	broken  bool
	slow    bool          // the read under way takes longer than it was waited for
	closing bool          // no call begins any more; the end of the last one closes
	late    bool          // counted in left
	closed  chan struct{} // closed after shut
	err     error         // of shut
}

func newDevice[D io.Closer](is D, left *atomic.Int64) *device[D] {
	return &device[D]{is: is, calls: calls{left: left, shut: is.Close, turn: make(chan struct{}, 1), closed: make(chan struct{})}}
}

// enter begins a call, which leave ends. False: the device is broken or closed.
func (d *calls) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	ok := !d.closing && !d.broken
	if ok {
		d.out++
	}
	return ok
}

func (d *calls) leave() {
	d.mu.Lock()
	d.out--
	last := d.closing && d.out == 0
	d.mu.Unlock()
	if last {
		go d.end() // it may wait for what the caller holds
	}
}

// end closes the device. Nobody uses it any more.
func (d *calls) end() {
	var err error
	if d.shut != nil {
		err = d.shut()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	if d.late {
		d.left.Add(-1)
	}
	close(d.closed)
}

// close gives the device back. When ctx ends first, it is left behind.
func (d *calls) close(ctx context.Context) error {
	d.mu.Lock()
	idle := !d.closing && d.out == 0
	d.closing = true
	d.mu.Unlock()
	if idle {
		go d.end()
	}
	select {
	case <-d.closed:
		return d.err
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.closed:
		return d.err
	default:
	}
	if !d.late {
		d.late = true
		d.left.Add(1)
	}
	return errSilent
}

// setBroken notes that only a new opening helps, or takes it back for a device
// that cannot be opened anew.
func (d *calls) setBroken(broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken = broken
}

func (d *calls) isBroken() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}

// start runs f, whose end closes done. nil: f was not begun.
func (d *calls) start(f func()) (done chan struct{}) {
	if !d.enter() {
		return nil
	}
	done = make(chan struct{})
	go func() {
		f()
		d.leave()
		close(done)
	}()
	return done
}

// call runs f, and waits for its end until ctx ends. False: f goes on, or was
// not begun.
func (d *calls) call(ctx context.Context, f func()) bool {
	done := d.start(f)
	if done == nil {
		return false
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	grace := time.NewTimer(lateGrace)
	defer grace.Stop()
	select {
	case <-done:
		return true
	case <-grace.C:
		d.setBroken(true)
		return false
	}
}

// ask calls the device and waits for the answer until ctx ends.
func ask[D io.Closer, T any](ctx context.Context, d *device[D], f func(D) (T, error)) (T, error) {
	var answer struct {
		v   T
		err error
	}
	if !d.call(ctx, func() { answer.v, answer.err = f(d.is) }) {
		var none T
		return none, errSilent // the answer is still the call's
	}
	return answer.v, answer.err
}

// read is ask for what the stream does not need: a device that takes longer for it
// than ctx is not broken. One read is under way at a time, and as long as it is waited
// for in vain no other is begun.
func read[D io.Closer, T any](ctx context.Context, d *device[D], f func(D) (T, error)) (v T, err error) {
	if d.isSlow() {
		return v, errSilent
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return v, errSilent
	}
	var answer struct { // guarded by mu
		is  bool
		v   T
		err error
	}
	done := d.start(func() {
		v, err := f(d.is)
		d.mu.Lock()
		answer.is, answer.v, answer.err, d.slow = true, v, err, false
		d.mu.Unlock()
		<-d.turn
	})
	if done == nil {
		<-d.turn
		return v, errSilent
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !answer.is {
		d.slow = true
		return v, errSilent
	}
	return answer.v, answer.err
}

func (d *calls) isSlow() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.slow
}

// order is ask for a call without a result.
func order[D io.Closer](ctx context.Context, d *device[D], f func(D) error) error {
	var err error
	if !d.call(ctx, func() { err = f(d.is) }) {
		return errSilent
	}
	return err
}

// open opens a device. One that opens too late is closed again.
func open[D io.Closer](ctx context.Context, left *atomic.Int64, f func() (D, error)) (*device[D], error) {
	d := &device[D]{calls: calls{left: left, turn: make(chan struct{}, 1), closed: make(chan struct{})}}
	err := order(ctx, d, func(D) (err error) {
		if d.is, err = f(); err == nil {
			d.shut = d.is.Close
		}
		return err
	})
	if d.isBroken() {
		_ = d.close(ctx) // left behind
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}
