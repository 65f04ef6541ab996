package capture

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// panics tells whether f panics, and with what.
func panics(f func()) (with any) {
	defer func() { with = recover() }()
	f()
	return nil
}

func TestLoanGoesBackWithTheLastRelease(t *testing.T) {
	back := 0
	var l Loan
	l.Init(func() { back++ })
	for round := 1; round <= 3; round++ {
		l.Lend()
		l.Retain()
		l.Retain()
		l.Release()
		l.Release()
		if back != round-1 {
			t.Fatalf("round %d: given back %d times while it had an owner", round, back)
		}
		l.Release()
		if back != round {
			t.Fatalf("round %d: given back %d times after the last release", round, back)
		}
	}
}

func TestLoanRefusesWhatOwnersMustNotDo(t *testing.T) {
	tests := []struct {
		name string
		do   func(*Loan)
		want string
	}{
		{"release without a loan", func(l *Loan) { l.Release() }, "loan: released twice"},
		{"release twice", func(l *Loan) { l.Lend(); l.Release(); l.Release() }, "loan: released twice"},
		{"release more often than retained", func(l *Loan) { l.Lend(); l.Retain(); l.Release(); l.Release(); l.Release() }, "loan: released twice"},
		{"retain without a loan", func(l *Loan) { l.Retain() }, "loan: retained after its last release"},
		{"retain after release", func(l *Loan) { l.Lend(); l.Release(); l.Retain() }, "loan: retained after its last release"},
		{"lend twice", func(l *Loan) { l.Lend(); l.Lend() }, "loan: lent twice"},
		{"lend what is retained", func(l *Loan) { l.Lend(); l.Retain(); l.Release(); l.Lend() }, "loan: lent twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l Loan
			l.Init(func() {})
			if got := panics(func() { tt.do(&l) }); got != tt.want {
				t.Errorf("panicked with %v, want %q", got, tt.want)
			}
		})
	}
}

// Many owners in many goroutines: the buffer goes back once per loan, and never
// while somebody still looks at it.
func TestLoanUnderManyOwners(t *testing.T) {
	var l Loan
	var back, looking atomic.Int32
	returned := make(chan struct{}, 1)
	l.Init(func() {
		if n := looking.Load(); n != 0 {
			t.Errorf("given back while %d owners look at it", n)
		}
		back.Add(1)
		returned <- struct{}{}
	})
	const rounds, owners = 200, 16
	for range rounds {
		l.Lend()
		for range owners {
			l.Retain()
			looking.Add(1)
			go func() {
				looking.Add(-1)
				l.Release()
			}()
		}
		l.Release()
		<-returned
	}
	if got := back.Load(); got != rounds {
		t.Errorf("given back %d times in %d loans", got, rounds)
	}
}

func TestLoanAllocatesNothing(t *testing.T) {
	var l Loan
	var all Loans
	l.Init(all.Done)
	all.Open()
	if n := testing.AllocsPerRun(100, func() {
		all.Add()
		l.Lend()
		l.Retain()
		l.Release()
		l.Release()
	}); n != 0 {
		t.Errorf("%v allocations per loan", n)
	}
}

func TestLoansAreClosedAtFirst(t *testing.T) {
	var l Loans
	if l.Add() {
		t.Error("lends before Open")
	}
	if err := l.Close(context.Background()); err != nil {
		t.Errorf("Close of what lends nothing: %v", err)
	}
}

func TestLoansCountWhatIsOut(t *testing.T) {
	var l Loans
	l.Open()
	for i := range 5 {
		if !l.Add() || l.Out() != i+1 {
			t.Fatalf("after %d loans %d are out", i+1, l.Out())
		}
	}
	for i := range 5 {
		l.Done()
		if l.Out() != 4-i {
			t.Fatalf("after %d came back %d are out", i+1, l.Out())
		}
	}
}

func TestCloseWaitsForTheLastLoan(t *testing.T) {
	var l Loans
	l.Open()
	l.Add()
	l.Add()
	closed := make(chan error, 1)
	go func() { closed <- l.Close(context.Background()) }()
	for l.Add() { // until Close has begun
		l.Done()
	}
	l.Done()
	select {
	case err := <-closed:
		t.Fatalf("closed with a loan outstanding: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	l.Done()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if l.Out() != 0 || l.Add() {
		t.Errorf("after Close %d are out, or it lends", l.Out())
	}
}

func TestCloseGivesUpWithItsContext(t *testing.T) {
	var l Loans
	l.Open()
	l.Add()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Close with a loan outstanding: %v", err)
	}
	if l.Add() {
		t.Error("lends after a Close that gave up")
	}
	l.Done()
	if err := l.Close(ctx); err != nil {
		t.Errorf("Close with nothing out must not look at its context: %v", err)
	}
	l.Open()
	if !l.Add() {
		t.Error("does not lend after it was opened again")
	}
}

func TestSeveralCanWaitForTheLastLoan(t *testing.T) {
	var l Loans
	l.Open()
	l.Add()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := l.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	for l.Add() {
		l.Done()
	}
	l.Done()
	wg.Wait()
}

// Lenders and a closer at the same time: nothing is lent after Close returned.
func TestLoansUnderManyLenders(t *testing.T) {
	for range 50 {
		var l Loans
		var closed atomic.Bool
		l.Open()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for l.Add() {
					if closed.Load() {
						t.Error("lent after Close returned")
					}
					l.Done()
				}
			})
		}
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
		closed.Store(true)
		wg.Wait()
		if n := l.Out(); n != 0 {
			t.Fatalf("%d are out at the end", n)
		}
	}
}
