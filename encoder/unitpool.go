package encoder

import (
	"context"
	"sync"

	"lenslet/capture"
)

// maxUnits bounds what viewers can hold of a unitPool.
const maxUnits = 8

// A unitPool lends units that own their bytes. It grows up to maxUnits.
type unitPool struct {
	loans capture.Loans
	mu    sync.Mutex
	free  []*pooledUnit
	made  int
}

// A pooledUnit keeps its memory from one loan to the next.
type pooledUnit struct {
	Unit
	data []byte
	pool *unitPool
}

func (p *unitPool) open() { p.loans.Open() }

// close waits until nothing is lent.
func (p *unitPool) close(ctx context.Context) error { return p.loans.Close(ctx) }

// get lends a unit to its one owner; nil if all are lent.
func (p *unitPool) get() *pooledUnit {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 && p.made == maxUnits || !p.loans.Add() {
		return nil
	}
	var u *pooledUnit
	if n := len(p.free); n > 0 {
		u, p.free = p.free[n-1], p.free[:n-1]
	} else {
		u = &pooledUnit{pool: p}
		u.Init(u.back)
		p.made++
	}
	u.Lend()
	return u
}

func (u *pooledUnit) back() {
	u.pool.mu.Lock()
	u.pool.free = append(u.pool.free, u)
	u.pool.mu.Unlock()
	u.pool.loans.Done()
}

// resize makes data n bytes long; what was in it is lost.
func (u *pooledUnit) resize(n int) {
	if cap(u.data) < n {
		u.data = make([]byte, n+n/2)
	}
	u.data = u.data[:n]
}
