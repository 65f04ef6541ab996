package v4l2

import "time"

// A BufType is a direction of a device and its API (enum v4l2_buf_type).
type BufType uint32

// The types that a Queue can have.
const (
	VideoCapture       BufType = 1  // single-planar, from the device
	VideoOutput        BufType = 2  // single-planar, to the device
	VideoCaptureMPlane BufType = 9  // multi-planar, from the device
	VideoOutputMPlane  BufType = 10 // multi-planar, to the device
)

// MPlane tells whether the type belongs to the multi-planar API.
func (t BufType) MPlane() bool { return t == VideoCaptureMPlane || t == VideoOutputMPlane }

// Output tells whether the data go to the device.
func (t BufType) Output() bool { return t == VideoOutput || t == VideoOutputMPlane }

// single is the type that the selection API wants: it knows no planes.
func (t BufType) single() BufType {
	switch t {
	case VideoCaptureMPlane:
		return VideoCapture
	case VideoOutputMPlane:
		return VideoOutput
	}
	return t
}

// A Memory says whose memory the buffers of a queue are (enum v4l2_memory).
type Memory uint32

// The kinds of memory.
const (
	MMAP   Memory = 1 // the driver's, mapped into this process
	DMABUF Memory = 4 // another device's, imported by descriptor
)

// Flags of a Buffer (V4L2_BUF_FLAG_*).
const (
	FlagKeyFrame      uint32 = 0x00000008 // decoding can begin here
	FlagPFrame        uint32 = 0x00000010
	FlagBFrame        uint32 = 0x00000020
	FlagError         uint32 = 0x00000040 // the data are damaged
	FlagTimestampMask uint32 = 0x0000e000 // the clock of the timestamp
	FlagMonotonic     uint32 = 0x00002000 // under the mask: CLOCK_MONOTONIC
	FlagTimestampCopy uint32 = 0x00004000 // under the mask: from the OUTPUT buffer
	FlagLast          uint32 = 0x00100000 // the last buffer of a drain
)

// Values of Format.Field and Buffer.Field (enum v4l2_field).
const (
	FieldAny        uint32 = 0 // the driver chooses
	FieldNone       uint32 = 1 // progressive
	FieldInterlaced uint32 = 4 // both fields, line by line
)

// A Buffer is what Enqueue tells the driver about a buffer, and Dequeue learns.
// It has one memory plane.
type Buffer struct {
	Index     int           // 0 up to Len-1
	BytesUsed int           // bytes of data; for Enqueue only where data go to the device
	FD        int           // of the dmabuf with memory DMABUF, otherwise -1
	Flags     uint32        // Flag...; Enqueue ignores it
	Sequence  uint32        // counted by the driver; Enqueue ignores it
	Field     uint32        // Field...; FieldAny counts as FieldNone in Enqueue
	Timestamp time.Duration // by the clock that Flags tells; an encoder copies it
}

// Colorimetry says what the numbers of a picture mean as colours. All of it
// zero leaves it to the driver.
type Colorimetry struct {
	Space        uint32 // enum v4l2_colorspace
	Transfer     uint32 // enum v4l2_xfer_func
	Encoding     uint32 // enum v4l2_ycbcr_encoding
	Quantization uint32 // enum v4l2_quantization
}

// A PlaneFormat is the layout of one memory plane.
type PlaneFormat struct {
	BytesPerLine int // from a line to the next, of the first component; 0 if compressed
	SizeImage    int // bytes of a buffer
}

// A Format is what a queue carries. FourCC, Width, Height, Field, Colorimetry
// and Planes are asked for; the driver adjusts all of them.
type Format struct {
	FourCC        FourCC
	Width, Height int    // pixels
	Field         uint32 // Field...
	Colorimetry
	NumPlanes int // memory planes, 1 to 8; 0 asks as 1
	Planes    [8]PlaneFormat
}

// A Fraction of seconds: the time from a frame to the next is Num/Den s.
type Fraction struct{ Num, Den uint32 }

// A FormatDesc is a format that a queue offers.
type FormatDesc struct {
	FourCC      FourCC
	Flags       uint32 // FormatCompressed, FormatEmulated
	Description string // in the driver's words
}

// Flags of a FormatDesc (V4L2_FMT_FLAG_*).
const (
	FormatCompressed uint32 = 1
	FormatEmulated   uint32 = 2 // converted by software, not by the device
)

// A SizeRange holds sizes of frames in pixels. For a single size Min equals Max.
type SizeRange struct {
	MinWidth, MaxWidth, StepWidth    int
	MinHeight, MaxHeight, StepHeight int
}

// An IntervalRange holds intervals from a frame to the next. For a single one
// Min equals Max.
type IntervalRange struct{ Min, Max, Step Fraction }

// Types of an Event (V4L2_EVENT_*).
const (
	EventEOS          uint32 = 2 // the drain is over
	EventControl      uint32 = 3 // a control changed
	EventSourceChange uint32 = 5 // the source has another size now
)

// An Event is what a driver tells outside of the queues (struct v4l2_event).
type Event struct {
	Type      uint32 // Event...
	ID        uint32 // of the control, for EventControl
	Pending   uint32 // events after this one
	Sequence  uint32
	Timestamp time.Duration // CLOCK_MONOTONIC
	Data      [64]byte      // by type, in the host's byte order
}
