//go:build !openh264 || !cgo

package encoder

import (
	"errors"
	"log/slog"
)

// NewOpenH264 says that this build has no software encoder.
func NewOpenH264(*slog.Logger) (Codec, error) {
	return nil, errors.New("this build has no software encoder: install libopenh264-dev and build with cgo and -tags openh264")
}
