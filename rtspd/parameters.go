package rtspd

import (
	"context"
	"errors"
	"strings"

	"lenslet/rtspd/wire"
)

// Parameters is what GET_PARAMETER reads and SET_PARAMETER changes.
type Parameters interface {
	// Get gives the values of the named parameters in that order, of all that
	// can be read when names is empty.
	Get(names []string) ([]wire.Parameter, error)
	// Set makes all changes or none. It returns soon after ctx ends.
	Set(ctx context.Context, changes []wire.Parameter) error
}

// ErrNotNow wraps why nothing can be changed at the moment: 503 with a Retry-After.
var ErrNotNow = errors.New("try again soon")

// A ParameterError refuses parameters with one of the statuses 451 (unknown),
// 457 (bad or impossible value) and 458 (read-only). Lines go into the body:
// the names, and what would be accepted.
type ParameterError struct {
	Status wire.Status
	Lines  []wire.Parameter
}

// Error lists the names.
func (e *ParameterError) Error() string {
	names := make([]string, len(e.Lines))
	for i, l := range e.Lines {
		names[i] = l.Name
	}
	return e.Status.Reason() + ": " + strings.Join(names, ", ")
}
