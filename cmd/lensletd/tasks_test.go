package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
)

// record runs tasks that end with their context and note the order of their ends.
type record struct {
	mu   sync.Mutex
	ends []string
}

func (r *record) task(name string, fail <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		select {
		case <-ctx.Done():
		case <-fail:
			err = errors.New("broken")
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ends = append(r.ends, name)
		return err
	}
}

func TestTasksEndInOrder(t *testing.T) {
	broken := make(chan struct{})
	close(broken)
	for _, test := range []struct {
		name         string
		first, last  <-chan struct{} // closed: it fails
		stop         bool
		says, ending string
	}{
		{"asked to stop", nil, nil, true, "", "last"},
		{"one fails", broken, nil, false, "first: broken", "last"},
		{"the last fails", nil, broken, false, "last: broken", "first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			r, tasks := &record{}, newTasks(ctx)
			tasks.runLast("last", r.task("last", test.last))
			tasks.run("first", r.task("first", test.first))
			if test.stop {
				cancel()
			}
			err := tasks.wait()
			if (err == nil) != (test.says == "") || (err != nil && !strings.Contains(err.Error(), test.says)) {
				t.Errorf("error %v, want %q", err, test.says)
			}
			if len(r.ends) != 2 || r.ends[1] != test.ending {
				t.Errorf("ended as %v", r.ends)
			}
		})
	}
}
