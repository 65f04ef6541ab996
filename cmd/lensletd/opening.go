package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"lenslet/capture"
)

// openLimit is how long camera and encoder may take to be opened, until the
// pipeline looks after them.
const openLimit = 10 * time.Second

// errNoAnswer is an opening that took longer.
var errNoAnswer = errors.New("the driver of the camera or of the encoder does not answer")

// openInTime is openPipeline for a service. A driver that does not answer, or
// fails, counts as a stream that stands still in spite of all: the error ends the
// daemon, a supervisor starts it again, and after some of that the board. An opening
// that ends too late is closed again.
func (d *daemon) openInTime() (*parameters, error) {
	type opening struct {
		p   *parameters
		err error
	}
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(d.timing.open, openLimit))
	defer cancel()
	opened := make(chan opening) // never closed
	go func() {
		p, err := d.openPipeline()
		select {
		case opened <- opening{p, err}:
		case <-ctx.Done():
			if err == nil {
				_ = d.pipeline.Close() // it never ran
			}
		}
	}()
	o := opening{err: errNoAnswer}
	select {
	case o = <-opened:
	case <-ctx.Done():
	}
	if isFault(o.err) {
		d.gaveUp()
		if d.rescue.hopeless() {
			o.err = fmt.Errorf("%w: %w", errReboot, o.err)
		}
	}
	return o.p, o.err
}

// gaveUp counts that nothing is left to try but another start.
func (d *daemon) gaveUp() {
	d.kept.gaveUp()
	d.rescue.gaveUp()
}

// isFault tells whether a device failed. One that is not there, or in use, or was
// named by mistake, did not.
func isFault(err error) bool {
	var part *partError
	return errors.Is(err, errNoAnswer) || errors.As(err, &part) && capture.Ill(err)
}
