package capture

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrStopped is what Next returns when the source does not run.
var ErrStopped = errors.New("the source is stopped")

// Why a source cannot do what it is told.
var (
	errRunning  = errors.New("it runs already, or its frames are still lent")
	errNoFormat = errors.New("it was not configured")
)

// A pool lends the frames of a source that makes them itself.
type pool struct {
	loans   Loans
	reading sync.Mutex // held by who reads frames
	running atomic.Bool
	frames  []Frame       // nil while stopped
	free    chan *Frame   // those not lent; never closed
	wake    chan struct{} // stop fills it; never closed
	timer   *time.Timer
	armed   time.Duration // the instant that the timer was set to in advance; 0: none
}

// start lends n frames from now on; the source sets their Data.
func (p *pool) start(n int) {
	p.frames = make([]Frame, n)
	p.free = make(chan *Frame, n)
	p.wake = make(chan struct{}, 1)
	p.timer = time.NewTimer(time.Hour)
	for i := range p.frames {
		f := &p.frames[i]
		f.Index, f.DMABuf = i, -1
		f.Init(func() {
			p.free <- f // never blocks: it holds all frames
			p.loans.Done()
		})
		p.free <- f
	}
	p.loans.Open()
	p.running.Store(true)
}

// started tells whether there are frames, lent or not. It belongs to the
// goroutine that starts and stops.
func (p *pool) started() bool { return p.frames != nil }

// enter begins a reading. Every nil is followed by leave.
func (p *pool) enter() error {
	if !p.running.Load() {
		return ErrStopped
	}
	p.reading.Lock()
	if !p.running.Load() {
		p.reading.Unlock()
		return ErrStopped
	}
	return nil
}

func (p *pool) leave() { p.reading.Unlock() }

// stop makes the reader return and waits until nothing is lent. When ctx ends
// first, everything stays in place, and stop can be called again.
func (p *pool) stop(ctx context.Context) error {
	if p.running.Swap(false) {
		p.wake <- struct{}{}
	}
	if err := p.loans.Close(ctx); err != nil {
		return err
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	p.frames = nil
	return nil
}

// sleep waits until an instant of CLOCK_MONOTONIC.
func (p *pool) sleep(until time.Duration, deadline time.Time) error {
	wait := until - now()
	late := false
	if left := time.Until(deadline); !deadline.IsZero() && left < wait {
		wait, late = left, true
	}
	if wait > 0 {
		if late || p.armed != until {
			p.armed = 0
			p.timer.Reset(wait)
		}
		select {
		case <-p.timer.C:
		case <-p.wake:
		}
	}
	switch {
	case !p.running.Load():
		return ErrStopped
	case late:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// expect says what the next sleep will be for. A timer that is set while a frame
// is still to be sent is cheap; one that is set behind it makes Go wake the thread
// that waits for sockets, since that had taken a later timer for the next one.
func (p *pool) expect(next time.Duration) {
	p.armed = next
	p.timer.Reset(next - now())
}

// take waits for a frame that is not lent.
func (p *pool) take(deadline time.Time) (*Frame, error) {
	select {
	case f := <-p.free:
		return f, nil
	default:
	}
	var late <-chan time.Time
	if !deadline.IsZero() {
		p.armed = 0
		p.timer.Reset(time.Until(deadline))
		late = p.timer.C
	}
	select {
	case f := <-p.free:
		return f, nil
	case <-late:
		return nil, os.ErrDeadlineExceeded
	case <-p.wake:
		return nil, ErrStopped
	}
}

// lend begins the loan of a frame that take gave. Once stopped it keeps it.
func (p *pool) lend(f *Frame) (*Frame, error) {
	if !p.loans.Add() {
		p.free <- f
		return nil, ErrStopped
	}
	f.Lend()
	return f, nil
}
