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
	alarm   *alarm        // for the time until a frame is due
	timer   *time.Timer   // for the time until one is given back
}

// start lends n frames from now on; the source sets their Data.
func (p *pool) start(n int) (err error) {
	if p.alarm, err = newAlarm(); err != nil {
		return err
	}
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
	return nil
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
	var err error
	if p.running.Swap(false) {
		p.wake <- struct{}{}
		err = p.alarm.cut()
	}
	if err := errors.Join(err, p.loans.Close(ctx)); err != nil {
		return err
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	if p.frames == nil {
		return nil
	}
	p.frames = nil
	return p.alarm.close()
}

// sleep waits until an instant of CLOCK_MONOTONIC.
func (p *pool) sleep(until time.Duration, deadline time.Time) error {
	begun, late := now(), false
	if !deadline.IsZero() {
		if limit := begun + time.Until(deadline); limit < until {
			until, late = limit, true
		}
	}
	if until > begun {
		if err := p.alarm.wait(until); err != nil {
			return err
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

// take waits for a frame that is not lent.
func (p *pool) take(deadline time.Time) (*Frame, error) {
	select {
	case f := <-p.free:
		return f, nil
	default:
	}
	var late <-chan time.Time
	if !deadline.IsZero() {
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
