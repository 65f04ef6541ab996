package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"lenslet/board/advert"
	"lenslet/rtspd"
	"lenslet/rtspd/wire"
)

// An empty name is refused, not passed over.
func TestNameIsNotEmpty(t *testing.T) {
	a, err := advert.New(advert.Service{Name: "x", Host: "x", Port: 8554}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := &parameters{advert: a}
	err = p.Set(context.Background(), []wire.Parameter{{Name: "name"}})
	var refused *rtspd.ParameterError
	if !errors.As(err, &refused) || refused.Status != wire.InvalidRange || a.Name() != "x" {
		t.Errorf("%v, and the name is %q", err, a.Name())
	}
}

// No two read-only values have one name.
func TestReadingsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range readings() {
		if seen[v.name] {
			t.Errorf("%s is there twice", v.name)
		}
		seen[v.name] = true
	}
}
