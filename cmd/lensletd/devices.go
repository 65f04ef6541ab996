package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/capture/v4l2"
	"lenslet/encoder"
	"lenslet/encoder/h264"
)

// openSource opens what the configuration names. auto is the first camera.
func openSource(name string, log *slog.Logger) (encoder.Source, error) {
	clip, isClip := strings.CutPrefix(name, "file:")
	switch {
	case name == "pattern":
		return capture.NewPattern(), nil
	case isClip:
		return capture.OpenClip(clip, describeSPS)
	case name == "auto":
		name = ""
	}
	camera, err := capture.OpenCamera(name, log)
	if err != nil {
		return nil, err
	}
	return camera, nil
}

// sourceToBegin opens the source. A camera that is not there, or fails, is waited
// for: the one that the configuration names, or any on a board that has an encoder
// for it; then the source is nil. Other computers show the test pattern where there
// is none.
func (d *daemon) sourceToBegin(hardware bool) (encoder.Source, error) {
	source, err := d.openSource(d.Source, d.log)
	var none *capture.NoCamera
	switch {
	case err == nil:
		return source, nil
	case errors.As(err, &none) && !hardware && !capture.Ill(err):
		d.log.Info("no camera was found, so the test pattern is shown", "looked_at", none.Error())
		return capture.NewPattern(), nil
	case errors.As(err, &none), strings.HasPrefix(d.Source, "/dev/v") && (isAway(err) || capture.Ill(err)):
		d.log.Warn("the camera is waited for", "error", err)
		d.away = err
		return nil, nil
	}
	return nil, err
}

// isAway tells whether a device may come, or become free, by itself.
func isAway(err error) bool {
	for _, e := range []error{unix.ENOENT, unix.ENODEV, unix.ENXIO, unix.EBUSY} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// A reopener opens the source anew: a camera by its identity, once that is known.
type reopener struct {
	d       *daemon
	mu      sync.Mutex      // not held while a device is opened, which may take for ever
	search  *capture.Search // nil: there was no camera yet, or the source is none
	pattern bool            // the test pattern is shown; no camera is looked for
}

func (r *reopener) open() (encoder.Source, error) {
	r.mu.Lock()
	search, pattern := r.search, r.pattern
	r.mu.Unlock()
	if pattern {
		return capture.NewPattern(), nil
	}
	if search == nil {
		source, err := r.d.openSource(r.d.Source, r.d.log)
		if err != nil {
			return nil, err
		}
		r.know(source)
		return source, nil
	}
	camera, err := search.Open(r.d.log)
	if err != nil {
		return nil, err
	}
	r.know(camera)
	return camera, nil
}

// know remembers which camera it is, or that it is none.
func (r *reopener) know(source encoder.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch source := source.(type) {
	case *capture.Camera:
		r.search = capture.NewSearch(source.Identity(), strings.TrimPrefix(r.d.Source, "auto"))
	case *capture.Pattern:
		r.pattern = true
	}
}

// describeSPS tells a clip its size and rate.
func describeSPS(nalu []byte) (width, height int, rate capture.Rate, err error) {
	width, height, rate.Num, rate.Den, err = h264.Rate(nalu)
	return width, height, rate, err
}

// openEncoder opens what the configuration names. auto is the board's encoder,
// or the software one where there is none. A nil codec with a nil error does not
// occur: where nothing was found, the error lists what was looked at.
func openEncoder(name string, log *slog.Logger) (encoder.Codec, error) {
	switch name {
	case "openh264":
		return encoder.NewOpenH264(log)
	case "auto":
	default:
		return openM2M(name, log)
	}
	codec, err := openM2M("", log)
	var none *encoder.NoEncoder
	if err == nil || !errors.As(err, &none) {
		return codec, err
	}
	soft, softErr := encoder.NewOpenH264(log)
	if softErr != nil {
		return nil, fmt.Errorf("no H.264 encoder: %w; %w", err, softErr)
	}
	log.Info("the board has no H.264 encoder, so the CPU encodes", "looked_at", none.Error())
	return soft, nil
}

// watchNodes has the pipeline look for what it misses as soon as a device comes.
// It looks by itself now and then, where that cannot be heard of.
func (d *daemon) watchNodes(ctx context.Context) error {
	w, err := v4l2.WatchNodes()
	if err != nil {
		d.log.Debug("devices that come are not heard of", "error", err)
		return nil
	}
	stop := context.AfterFunc(ctx, func() { _ = w.Close() })
	for err == nil {
		if err = w.Next(); err == nil {
			select {
			case d.came <- struct{}{}:
			default:
			}
		}
	}
	if stop() { // it ended by itself
		d.log.Debug("devices that come are not heard of any more", "error", err)
		_ = w.Close()
	}
	return nil
}

// slate opens the encoder of the picture that stands for those of a camera that
// gives none; nil: there is none.
func (d *daemon) slate() func() (encoder.Codec, error) {
	if d.NoSignal != "picture" {
		return nil
	}
	open := func() (encoder.Codec, error) { return encoder.NewOpenH264(d.log) }
	codec, err := open()
	if err != nil {
		d.log.Warn(`no_signal = "picture" is not possible: viewers will see the last picture`, "error", err)
		return nil
	}
	_ = codec.Close() // it was never used
	return open
}

// reopenEncoder gives what opens an encoder anew: of a board that has one, no other
// kind.
func (d *daemon) reopenEncoder(was encoder.Codec) func() (encoder.Codec, error) {
	node, hardware := was.(interface{ Path() string })
	if !hardware {
		return func() (encoder.Codec, error) { return openEncoder(d.Encoder, d.log) }
	}
	again := &encoderAgain{path: node.Path(), open: func(path string) (encoder.Codec, error) { return openM2M(path, d.log) }}
	return again.reopen
}

// An encoderAgain opens the board's encoder anew.
type encoderAgain struct {
	open func(path string) (encoder.Codec, error) // path "": the first that is found

	mu   sync.Mutex // not held while a device is opened, which may take for ever
	path string     // of the node where it was last
}

// reopen opens the encoder where it was, so that no other device is touched, which
// may hang. Where it is no more its node may have another number.
func (e *encoderAgain) reopen() (encoder.Codec, error) {
	e.mu.Lock()
	path := e.path
	e.mu.Unlock()
	codec, err := e.open(path)
	if err == nil || capture.Ill(err) || errors.Is(err, unix.EBUSY) {
		return codec, err
	}
	if codec, err = e.open(""); err != nil {
		return nil, err
	}
	if node, ok := codec.(interface{ Path() string }); ok {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.path = node.Path()
	}
	return codec, nil
}

// openM2M returns a plain nil with an error, not a nil *M2M in an interface.
func openM2M(path string, log *slog.Logger) (encoder.Codec, error) {
	codec, err := encoder.OpenM2M(path, log)
	if err != nil {
		return nil, err
	}
	return codec, nil
}
