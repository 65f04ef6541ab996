package v4l2

import "unsafe"

// The structures of linux/videodev2.h. One definition serves 64- and 32-bit
// kernels: C's long and pointers are int, uintptr and pointers here, which also
// makes the 32-bit layout the one with 32-bit times.

type capability struct {
	driver       [16]byte
	card         [32]byte
	busInfo      [32]byte
	version      uint32
	capabilities uint32
	deviceCaps   uint32
	_            [3]uint32
}

type fmtDesc struct {
	index       uint32
	typ         BufType
	flags       uint32
	description [32]byte
	pixelFormat FourCC
	mbusCode    uint32
	_           [3]uint32
}

type frameSizeEnum struct {
	index       uint32
	pixelFormat FourCC
	typ         uint32
	size        [6]uint32 // min, max, step of width, then of height; discrete: width, height
	_           [2]uint32
}

type frameIntervalEnum struct {
	index         uint32
	pixelFormat   FourCC
	width, height uint32
	typ           uint32
	interval      [3]Fraction // min, max, step; discrete: the first
	_             [2]uint32
}

// Kinds of a size or an interval (enum v4l2_frmsizetypes, v4l2_frmivaltypes).
const (
	rangeDiscrete   = 1
	rangeContinuous = 2
)

type pixFormat struct {
	width, height                    uint32
	pixelFormat                      FourCC
	field                            uint32
	bytesPerLine, sizeImage          uint32
	colorspace                       uint32
	priv                             uint32
	flags                            uint32
	encoding, quantization, transfer uint32
}

// privMagic in pixFormat.priv says that the fields after it are valid.
const privMagic = 0xfeedcafe

type planePixFormat struct {
	sizeImage, bytesPerLine uint32
	_                       [6]uint16
}

type pixFormatMPlane struct {
	width, height                           uint32
	pixelFormat                             FourCC
	field                                   uint32
	colorspace                              uint32
	planes                                  [8]planePixFormat
	numPlanes                               uint8
	flags, encoding, quantization, transfer uint8
	_                                       [7]uint8
}

// The union of v4l2_format is 200 bytes and has pointers among its members.

type formatSingle struct {
	typ BufType
	_   [0]uintptr
	pix pixFormat
	_   [200 - unsafe.Sizeof(pixFormat{})]byte
}

type formatMPlane struct {
	typ BufType
	_   [0]uintptr
	pix pixFormatMPlane
	_   [200 - unsafe.Sizeof(pixFormatMPlane{})]byte
}

type streamParm struct {
	typ          BufType
	capability   uint32
	mode         uint32
	timePerFrame Fraction
	_            [184]byte
}

type selection struct {
	typ           BufType
	target        uint32
	flags         uint32
	left, top     int32
	width, height uint32
	_             [9]uint32
}

// selCrop is V4L2_SEL_TGT_CROP.
const selCrop = 0

type requestBuffers struct {
	count        uint32
	typ          BufType
	memory       Memory
	capabilities uint32
	flags        uint8
	_            [3]uint8
}

type timeval struct{ sec, usec int }

// buffer of the single-planar API.
type buffer struct {
	bufferHead
	m uintptr // offset to map, or descriptor
	bufferTail
}

// bufferMPlane is the same for the multi-planar API. The planes are a typed
// pointer, which the garbage collector follows and adjusts.
type bufferMPlane struct {
	bufferHead
	planes *[8]plane
	bufferTail
}

type bufferHead struct {
	index            uint32
	typ              BufType
	bytesUsed, flags uint32
	field            uint32
	timestamp        timeval
	_                [16]byte // time code
	sequence         uint32
	memory           Memory
}

type bufferTail struct {
	length    uint32 // bytes, or number of planes
	_         uint32
	requestFD int32
}

type plane struct {
	bytesUsed, length uint32
	m                 uintptr // offset to map, or descriptor
	dataOffset        uint32
	_                 [11]uint32
}

type exportBuffer struct {
	typ          BufType
	index, plane uint32
	flags        uint32
	fd           int32
	_            [11]uint32
}

type encoderCmd struct {
	cmd, flags uint32
	_          [8]uint32
}

// Commands of encoderCmd (V4L2_ENC_CMD_*).
const (
	encStart = 0
	encStop  = 1
)

type queryExtCtrl struct {
	id           uint32
	typ          ControlType
	name         [32]byte
	minimum      int64
	maximum      int64
	step         uint64
	defaultValue int64
	flags        uint32
	elemSize     uint32
	elems        uint32
	dims         uint32
	_            [4]uint32
	_            [32]uint32
}

// queryMenu is packed in C, hence value as bytes of name.
type queryMenu struct {
	id, index uint32
	name      [32]byte // or a 64-bit value
	_         uint32
}

// extControl is packed in C, hence value as bytes: 32 or 64 bits.
type extControl struct {
	id    uint32
	_     [2]uint32 // size of a pointer's target; reserved
	value [8]byte
}

type extControls struct {
	which     uint32
	count     uint32
	errorIdx  uint32
	requestFD int32
	_         uint32
	controls  *extControl
}

type eventSubscription struct {
	typ, id, flags uint32
	_              [5]uint32
}

type event struct {
	typ               uint32
	_                 [eventHole]byte
	data              [64]byte
	pending, sequence uint32
	timestamp         struct{ sec, nsec int }
	id                uint32
	_                 [32 + eventHole]byte // one field: Go pads an empty last one
}

// Direction bits of an ioctl number (asm-generic/ioctl.h), and V4L2's letter.
const (
	iocW  = 1<<30 | 'V'<<8
	iocR  = 2<<30 | 'V'<<8
	iocRW = iocW | iocR
)

// The numbers contain the size of the structure, which differs from 32 to 64
// bits.
const (
	vidiocQueryCap           = iocR | unsafe.Sizeof(capability{})<<16
	vidiocEnumFmt            = iocRW | unsafe.Sizeof(fmtDesc{})<<16 | 2
	vidiocGFmt               = iocRW | unsafe.Sizeof(formatSingle{})<<16 | 4
	vidiocSFmt               = iocRW | unsafe.Sizeof(formatSingle{})<<16 | 5
	vidiocReqBufs            = iocRW | unsafe.Sizeof(requestBuffers{})<<16 | 8
	vidiocQueryBuf           = iocRW | unsafe.Sizeof(buffer{})<<16 | 9
	vidiocQBuf               = iocRW | unsafe.Sizeof(buffer{})<<16 | 15
	vidiocExpBuf             = iocRW | unsafe.Sizeof(exportBuffer{})<<16 | 16
	vidiocDQBuf              = iocRW | unsafe.Sizeof(buffer{})<<16 | 17
	vidiocStreamOn           = iocW | unsafe.Sizeof(int32(0))<<16 | 18
	vidiocStreamOff          = iocW | unsafe.Sizeof(int32(0))<<16 | 19
	vidiocGParm              = iocRW | unsafe.Sizeof(streamParm{})<<16 | 21
	vidiocSParm              = iocRW | unsafe.Sizeof(streamParm{})<<16 | 22
	vidiocQueryMenu          = iocRW | unsafe.Sizeof(queryMenu{})<<16 | 37
	vidiocTryFmt             = iocRW | unsafe.Sizeof(formatSingle{})<<16 | 64
	vidiocGExtCtrls          = iocRW | unsafe.Sizeof(extControls{})<<16 | 71
	vidiocSExtCtrls          = iocRW | unsafe.Sizeof(extControls{})<<16 | 72
	vidiocEnumFrameSizes     = iocRW | unsafe.Sizeof(frameSizeEnum{})<<16 | 74
	vidiocEnumFrameIntervals = iocRW | unsafe.Sizeof(frameIntervalEnum{})<<16 | 75
	vidiocEncoderCmd         = iocRW | unsafe.Sizeof(encoderCmd{})<<16 | 77
	vidiocDQEvent            = iocR | unsafe.Sizeof(event{})<<16 | 89
	vidiocSubscribeEvent     = iocW | unsafe.Sizeof(eventSubscription{})<<16 | 90
	vidiocSSelection         = iocRW | unsafe.Sizeof(selection{})<<16 | 95
	vidiocQueryExtCtrl       = iocRW | unsafe.Sizeof(queryExtCtrl{})<<16 | 103
)
