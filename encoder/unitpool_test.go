package encoder

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestUnitPoolIsBounded(t *testing.T) {
	var p unitPool
	if u := p.get(); u != nil {
		t.Fatal("a unit of a pool that is not open")
	}
	p.open()
	var lent []*pooledUnit
	for range maxUnits {
		lent = append(lent, p.get())
	}
	if u := p.get(); u != nil {
		t.Fatal("more units than allowed")
	}
	lent[3].resize(100)
	memory := &lent[3].data[0]
	lent[3].Release()
	u := p.get()
	if u == nil {
		t.Fatal("the unit that came back is not lent again")
	}
	if u.resize(90); &u.data[0] != memory || len(u.data) != 90 {
		t.Error("the memory was not used again")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := p.close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close with units on loan: %v", err)
	}
	lent[0].Release()
	if p.get() != nil {
		t.Error("a unit of a closed pool")
	}
	lent[3] = u
	for _, u := range lent[1:] {
		u.Release()
	}
	if err := p.close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestUnitPoolAllocatesNothing(t *testing.T) {
	var p unitPool
	p.open()
	if n := testing.AllocsPerRun(100, func() {
		u := p.get()
		u.resize(1000)
		u.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
