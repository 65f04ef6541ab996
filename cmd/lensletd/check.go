package main

import (
	"fmt"
	"io"
	"strings"

	"lenslet/capture"
)

// check opens what serve would open, says what it found, and closes it again.
func (d *daemon) check() error {
	d.recall(false)
	p, err := d.openPipeline()
	if err != nil {
		return err
	}
	defer func() { _ = d.pipeline.Close() }()
	if d.source == nil {
		return usagef("%v", d.away)
	}
	plan, err := p.pipeline.Plan()
	if err != nil {
		return d.impossible(err)
	}
	watch, change, err := d.who()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(d.stdout, "listen    %s\nname      %s\nboard     %s; it begins with %s\nwatch     %s\nchange    %s\ncamera    %s\nencoder   %s\nstream    /%s, %s\npush      %s\nkept      %s\n",
		d.opened(), d.name(), d.id.Model, d.id.Capacity(), watch, change, plan.Camera, plan.Encoder, path, plan.Why, d.Push.shown(), d.kept)
	if camera, ok := d.source.(*capture.Camera); ok && err == nil {
		return offers(d.stdout, camera.Path())
	}
	return err
}

// offers lists what a camera tells about itself.
func offers(w io.Writer, path string) error {
	description, err := capture.Describe(path)
	if err != nil {
		return err
	}
	for _, f := range description.Formats {
		var sizes []string
		for _, s := range f.Sizes {
			size := fmt.Sprintf("%dx%d", s.MaxWidth, s.MaxHeight)
			if s.MinWidth != s.MaxWidth || s.MinHeight != s.MaxHeight {
				size = fmt.Sprintf("%dx%d to %s", s.MinWidth, s.MinHeight, size)
			}
			sizes = append(sizes, size)
		}
		if _, err := fmt.Fprintf(w, "offers    %s %s\n", f.FourCC, strings.Join(sizes, ", ")); err != nil {
			return err
		}
	}
	for _, c := range description.Controls {
		if _, err := fmt.Fprintf(w, "control   %s %d to %d\n", c.Key(), c.Min, c.Max); err != nil {
			return err
		}
	}
	return nil
}
