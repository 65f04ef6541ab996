package main

import (
	"context"
	"fmt"
	"sync"
)

// tasks run side by side; the first that ends with an error ends all.
type tasks struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	all     sync.WaitGroup
	parent  context.Context
	served  context.Context // ends when all have ended
	release context.CancelFunc
	last    sync.WaitGroup // what the others need
}

func newTasks(parent context.Context) *tasks {
	ctx, cancel := context.WithCancelCause(parent)
	served, release := context.WithCancel(context.WithoutCancel(parent))
	return &tasks{ctx: ctx, cancel: cancel, parent: parent, served: served, release: release}
}

// run starts a task, which ends when its context does.
func (t *tasks) run(name string, f func(context.Context) error) {
	t.all.Go(func() { t.do(t.ctx, name, f) })
}

// runLast runs a task that the others need to the end: its context ends when
// they have ended.
func (t *tasks) runLast(name string, f func(context.Context) error) {
	t.last.Go(func() { t.do(t.served, name, f) })
}

func (t *tasks) do(ctx context.Context, name string, f func(context.Context) error) {
	if err := f(ctx); err != nil {
		t.cancel(fmt.Errorf("%s: %w", name, err))
	}
}

// wait returns when all have ended: nil if the parent's end was the reason.
func (t *tasks) wait() error {
	t.all.Wait()
	t.release()
	t.last.Wait()
	if t.ctx.Err() == nil || t.parent.Err() != nil {
		return nil
	}
	return context.Cause(t.ctx)
}
