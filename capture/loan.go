package capture

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Loan counts the owners of a buffer that belongs to a driver or a pool.
// It is part of a Frame or an access unit, which exists once per buffer and is
// lent again and again, so that lending allocates nothing.
type Loan struct {
	owners atomic.Int32
	back   func()
}

// Init says how the buffer goes back to where it came from. It is called once,
// before the first Lend.
func (l *Loan) Init(back func()) { l.back = back }

// Lend begins a loan with one owner. It panics while the buffer is still lent.
func (l *Loan) Lend() {
	if !l.owners.CompareAndSwap(0, 1) {
		panic("loan: lent twice")
	}
}

// Retain adds an owner. It panics when the buffer is not lent.
func (l *Loan) Retain() {
	if l.owners.Add(1) <= 1 {
		panic("loan: retained after its last release")
	}
}

// Release removes an owner; the last one gives the buffer back. It panics when
// the buffer was given back before.
func (l *Loan) Release() {
	switch n := l.owners.Add(-1); {
	case n < 0:
		panic("loan: released twice")
	case n == 0:
		l.back()
	}
}

// Loans knows how many buffers of one owner are out, so that the owner can wait
// for the last before it unmaps them. The zero value lends nothing.
type Loans struct {
	mu   sync.Mutex
	open bool
	out  int
	idle chan struct{} // made by Close, closed when nothing is out any more
}

// Open allows loans from now on.
func (l *Loans) Open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open, l.idle = true, nil
}

// Add counts one buffer out. False: closed, the buffer must not be lent.
func (l *Loans) Add() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		l.out++
	}
	return l.open
}

// Done counts one buffer back.
func (l *Loans) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out--
	if l.out == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// Out is the number of buffers lent now.
func (l *Loans) Out() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out
}

// Close refuses new loans and waits until nothing is lent. When ctx ends first
// its error comes back, and the buffers must stay mapped.
func (l *Loans) Close(ctx context.Context) error {
	l.mu.Lock()
	l.open = false
	if l.out == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle := l.idle
	l.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
