package encoder

import (
	"context"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A Codec turns frames into access units. Configure, Start, Drain, Stop and
// Close are called by one goroutine, the pipeline's; Encode by the goroutine
// that reads the camera; Set and ForceKeyFrame by any, while it runs.
type Codec interface {
	// Name says in words what it is: "vh264enc (/dev/video11)".
	Name() string
	// Imports lists the raw formats that it takes without a copy, best first.
	Imports() []v4l2.FourCC
	// Converts lists the formats that it takes after a copy or a conversion.
	Converts() []v4l2.FourCC
	// Check tells without a change whether the settings can be met; the error
	// is a *Refused.
	Check(Settings) error
	// Configure takes frames of the given format and sets everything of s. The
	// result is the layout (Stride, Size) that it can import; where the frames
	// have another, it copies. The codec is stopped.
	Configure(f capture.Format, s Settings) (capture.Format, error)
	// Start begins. deliver takes each unit over, in order; failed is called at
	// most once, when no more units will come. Neither is called after Stop.
	Start(deliver func(*Unit), failed func(error)) error
	// Encode takes the frame over. False: too many are under way, this frame
	// was dropped.
	Encode(*capture.Frame) (bool, error)
	// Set changes what can be changed while it runs: bitrate, GOP, rate. A
	// change of anything else is a *Refused.
	Set(Settings) error
	// ForceKeyFrame makes one of the next frames a key frame.
	ForceKeyFrame() error
	// Drain waits until all frames taken came out as units.
	Drain(context.Context) error
	// Stop ends what is under way, gives the frames back, and waits until no
	// unit is lent.
	Stop(context.Context) error
	// Close gives the device back. The codec is stopped.
	Close() error
	// Settings are those in force, after the driver's rounding.
	Settings() Settings
	// Counters tells what it did since it was opened.
	Counters() Counters
}

// Counters of a codec.
type Counters struct {
	Imported uint64 // frames taken where they lie: by DMABUF, or by the CPU without a copy
	Copied   uint64 // frames copied or converted by the CPU
	Encoded  uint64 // units delivered
	Damaged  uint64 // units that the codec marked as faulty

	UnitsCopied uint64 // units copied out of the driver's memory, since the CPU reads that slowly
}
