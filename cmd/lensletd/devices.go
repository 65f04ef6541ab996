package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"lenslet/capture"
	"lenslet/encoder"
	"lenslet/encoder/h264"
)

// openSource opens what the configuration names. auto is the first camera, or
// the test pattern where there is none.
func openSource(name string, log *slog.Logger) (encoder.Source, error) {
	clip, isClip := strings.CutPrefix(name, "file:")
	switch {
	case name == "pattern":
		return capture.NewPattern(), nil
	case isClip:
		return capture.OpenClip(clip, describeSPS)
	case name != "auto":
		return capture.OpenCamera(name, log)
	}
	camera, err := capture.OpenCamera("", log)
	var none *capture.NoCamera
	switch {
	case errors.As(err, &none):
		log.Info("no camera was found, so the test pattern is shown", "looked_at", none.Error())
		return capture.NewPattern(), nil
	case err != nil:
		return nil, err
	}
	return camera, nil
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

// openM2M returns a plain nil with an error, not a nil *M2M in an interface.
func openM2M(path string, log *slog.Logger) (encoder.Codec, error) {
	codec, err := encoder.OpenM2M(path, log)
	if err != nil {
		return nil, err
	}
	return codec, nil
}
