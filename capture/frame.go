package capture

import (
	"time"

	"lenslet/capture/v4l2"
)

// A Format describes the frames of a source.
type Format struct {
	FourCC        v4l2.FourCC // raw, MJPEG or H264
	Width, Height int         // pixels
	Stride        int         // bytes from a line of the first plane to the next; 0 if compressed
	Size          int         // bytes of a buffer
	Rate          Rate        // frames per second that the source gives
	Colour        v4l2.Colorimetry
	Buffers       int // frames that the source can lend at the same time
}

// A Frame is one picture on loan. Its bytes lie in the memory of the source and
// are valid until the last Release.
type Frame struct {
	Loan
	Index     int           // of the buffer, 0 up to Format.Buffers-1
	Data      []byte        // what is in use of the buffer
	DMABuf    int           // descriptor of the buffer, -1 if it has none; owned by the source
	Sequence  uint32        // counted by the source; a gap is a dropped frame
	Timestamp time.Duration // of the capture, CLOCK_MONOTONIC
	Damaged   bool          // the driver marked the frame as faulty (V4L2_BUF_FLAG_ERROR)
}

// A Wish says what the rest of the pipeline would like to get from a source.
type Wish struct {
	Width, Height int           // pixels
	Rate          Rate          // frames per second
	Import        []v4l2.FourCC // raw formats that the codec takes by DMABUF, best first
	Convert       []v4l2.FourCC // formats that can be converted at a cost, best first
	PassH264      bool          // H.264 from the source is welcome
}

// A Choice is one way in which a source can fulfil a Wish.
type Choice struct {
	FourCC        v4l2.FourCC
	Width, Height int    // pixels
	Rate          Rate   // of the source; not below the wish if the source can
	Stride        int    // bytes per line to ask for; 0 leaves it to the source
	Buffers       int    // to ask for; 0: as many as the source thinks fit
	Reason        string // why this one, for the log
}
