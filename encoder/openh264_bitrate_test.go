//go:build cgo && openh264

package encoder

import (
	"log/slog"
	"testing"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A running encoder goes from any bit rate to any other, also to many times as
// much.
func TestOpenH264RaisesTheBitrate(t *testing.T) {
	for _, mode := range []Mode{VBR, CBR} {
		o, err := NewOpenH264(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		s := DefaultSettings()
		s.Width, s.Height, s.Rate, s.Bitrate, s.Mode = 320, 240, capture.Rate{Num: 15, Den: 1}, 200_000, mode
		if _, err := o.Configure(capture.Format{FourCC: v4l2.YU12, Width: 320, Height: 240, Stride: 320, Rate: s.Rate}, s); err != nil {
			t.Fatal(err)
		}
		for _, bitrate := range []int{410_000, 100_000, 5_000_000, 50_000, 151_000, 20_000_000, 300_000} {
			s = o.Settings()
			s.Bitrate = bitrate
			if err := o.Set(s); err != nil || o.Settings().Bitrate != bitrate {
				t.Errorf("%s: %d: %v", mode, bitrate, err)
			}
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}
