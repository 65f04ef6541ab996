package main

import (
	"context"
	"fmt"
	"sync"
)

// tasks run side by side; the first that ends with an error ends all.
type tasks struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	all    sync.WaitGroup
	parent context.Context
}

func newTasks(parent context.Context) *tasks {
	ctx, cancel := context.WithCancelCause(parent)
	return &tasks{ctx: ctx, cancel: cancel, parent: parent}
}

// run starts a task, which ends when its context does.
func (t *tasks) run(name string, f func(context.Context) error) {
	t.all.Go(func() {
		if err := f(t.ctx); err != nil {
			t.cancel(fmt.Errorf("%s: %w", name, err))
		}
	})
}

// wait returns when all have ended: nil if the parent's end was the reason.
func (t *tasks) wait() error {
	t.all.Wait()
	if t.ctx.Err() == nil || t.parent.Err() != nil {
		return nil
	}
	return context.Cause(t.ctx)
}
