package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/BurntSushi/toml"

	"lenslet/board"
	"lenslet/capture"
	"lenslet/encoder"
)

// cameraLimit is how long a camera is waited for that is to say what it thinks of
// new settings: the board may have begun a moment ago.
const cameraLimit = 10 * time.Second

// answerLimit is how long drivers may take after that.
const answerLimit = 5 * time.Second

// tryOut opens camera and encoder with settings, and gives what they refuse. A driver
// that never returns is left behind: it keeps nobody from their passwords.
func tryOut(ctx context.Context, c config, log *slog.Logger, open func(string, *slog.Logger) (encoder.Source, error)) error {
	ctx, cancel := context.WithTimeout(ctx, cameraLimit)
	defer cancel()
	answer := make(chan error, 1) // gets one, also when nobody waits for it
	go func() { answer <- askUntil(ctx, c, log, open) }()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-answer:
		return err
	case <-time.After(answerLimit):
		return errors.New("a driver does not answer")
	}
}

// askUntil asks camera and encoder, and again while the camera is away, until ctx
// ends.
func askUntil(ctx context.Context, c config, log *slog.Logger, open func(string, *slog.Logger) (encoder.Source, error)) error {
	c.Persist = false
	for {
		d := &daemon{config: c, stdout: io.Discard, id: board.Identify(), log: log, openSource: open}
		p, err := d.openPipeline()
		_, pattern := d.source.(*capture.Pattern)
		away := d.source == nil || pattern && c.Source == "auto"
		if err == nil {
			if d.source != nil {
				_, err = p.pipeline.Plan()
			}
			_ = d.pipeline.Close() // it never ran
		}
		var part *partError
		if !away || errors.As(err, &part) {
			return err
		}
		select {
		case <-ctx.Done():
			return withoutNames(err)
		case <-time.After(cameraLimit / 20):
		}
	}
}

// withoutNames leaves names out that nobody knows: the camera, which is not there,
// may.
func withoutNames(err error) error {
	var known []error
	for _, e := range refusals(err) {
		var name *encoder.NameError
		if !errors.As(e, &name) {
			known = append(known, e)
		}
	}
	return errors.Join(known...)
}

// refusals are the single errors of one.
func refusals(err error) []error {
	var mistake *usageError
	if errors.As(err, &mistake) && mistake.cause != nil {
		err = mistake.cause
	}
	if err == nil {
		return nil
	}
	return flattened(err)
}

// possible leaves out of a page what camera and encoder refuse; the error tells
// what that was, nil: nothing.
func (s *cardSettings) possible(page *sheet, host string) (refused error) {
	if s.tryOut == nil {
		return nil
	}
	for range maxMistakes {
		values, own := page.read()
		if len(own.set) == 0 && own.Source == defaults().Source && own.Encoder == defaults().Encoder {
			return refused
		}
		c := defaults()
		if err := c.read("", tomlText(s.effective(values, host))); err != nil {
			return refused // said elsewhere
		}
		err := s.tryOut(c)
		key, reason := blamed(&own, err)
		if err == nil || key == nil {
			if err != nil {
				s.log.Warn("camera or encoder cannot be asked about the settings", "error", err)
			}
			return refused
		}
		page.leaveOut(lineOf(page.text(), key), reason)
		refused = errors.Join(refused, fmt.Errorf("%s: %s", key, reason))
	}
	return refused
}

// blamed is one setting of the owner's that an error is about, and why; nil:
// none.
func blamed(own *config, err error) (toml.Key, string) {
	sets := func(name string) bool {
		return slices.ContainsFunc(own.set, func(p encoder.Parameter) bool { return p.Name == name })
	}
	for _, e := range refusals(err) {
		for name := range namesIn(e) {
			if sets(name) {
				return toml.Key{"set", name}, e.Error()
			}
		}
	}
	var missing *capture.NotOffered
	var part *partError
	switch {
	case errors.As(err, &missing) && sets("resolution"):
		return toml.Key{"set", "resolution"}, missing.Error()
	case !errors.As(err, &part):
	case part.part == "encoder" && own.Encoder != defaults().Encoder:
		return toml.Key{"encoder"}, err.Error()
	case part.part == "source" && own.Source != defaults().Source:
		return toml.Key{"source"}, err.Error()
	}
	return nil, ""
}
