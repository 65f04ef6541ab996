package main

import (
	"fmt"

	"lenslet/encoder"
)

// check opens what serve would open, says what it found, and closes it again.
func (d *daemon) check() error {
	p, err := d.openPipeline()
	if err != nil {
		return err
	}
	defer func() { _ = d.pipeline.Close() }()
	plan, err := p.pipeline.Plan()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.stdout, "listen    %s\nname      %s\ncamera    %s\nencoder   %s\nstream    %s\n",
		d.Listen, d.name(), plan.Camera, plan.Encoder, describe(plan))
	return err
}

func describe(p encoder.Plan) string {
	return fmt.Sprintf("/%s, %s", path, p.Why)
}
