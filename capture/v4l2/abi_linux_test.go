package v4l2

import (
	"testing"
	"unsafe"
)

// word says which of the expected numbers counts: on 64 bits, on 32-bit ARM
// (EABI, 32-bit times), or on 386.
func word() int {
	switch {
	case unsafe.Sizeof(uintptr(0)) == 8:
		return 0
	case eventHole != 0:
		return 1
	}
	return 2
}

func TestSizes(t *testing.T) {
	// what sizeof says in C
	for _, c := range []struct {
		name string
		got  uintptr
		want [3]uintptr
	}{
		{"v4l2_capability", unsafe.Sizeof(capability{}), [3]uintptr{104, 104, 104}},
		{"v4l2_fmtdesc", unsafe.Sizeof(fmtDesc{}), [3]uintptr{64, 64, 64}},
		{"v4l2_frmsizeenum", unsafe.Sizeof(frameSizeEnum{}), [3]uintptr{44, 44, 44}},
		{"v4l2_frmivalenum", unsafe.Sizeof(frameIntervalEnum{}), [3]uintptr{52, 52, 52}},
		{"v4l2_pix_format", unsafe.Sizeof(pixFormat{}), [3]uintptr{48, 48, 48}},
		{"v4l2_pix_format_mplane", unsafe.Sizeof(pixFormatMPlane{}), [3]uintptr{192, 192, 192}},
		{"v4l2_plane_pix_format", unsafe.Sizeof(planePixFormat{}), [3]uintptr{20, 20, 20}},
		{"v4l2_format", unsafe.Sizeof(formatSingle{}), [3]uintptr{208, 204, 204}},
		{"v4l2_format, mplane", unsafe.Sizeof(formatMPlane{}), [3]uintptr{208, 204, 204}},
		{"v4l2_streamparm", unsafe.Sizeof(streamParm{}), [3]uintptr{204, 204, 204}},
		{"v4l2_selection", unsafe.Sizeof(selection{}), [3]uintptr{64, 64, 64}},
		{"v4l2_requestbuffers", unsafe.Sizeof(requestBuffers{}), [3]uintptr{20, 20, 20}},
		{"v4l2_buffer", unsafe.Sizeof(buffer{}), [3]uintptr{88, 68, 68}},
		{"v4l2_buffer, mplane", unsafe.Sizeof(bufferMPlane{}), [3]uintptr{88, 68, 68}},
		{"v4l2_plane", unsafe.Sizeof(plane{}), [3]uintptr{64, 60, 60}},
		{"v4l2_exportbuffer", unsafe.Sizeof(exportBuffer{}), [3]uintptr{64, 64, 64}},
		{"v4l2_encoder_cmd", unsafe.Sizeof(encoderCmd{}), [3]uintptr{40, 40, 40}},
		{"v4l2_query_ext_ctrl", unsafe.Sizeof(queryExtCtrl{}), [3]uintptr{232, 232, 232}},
		{"v4l2_querymenu", unsafe.Sizeof(queryMenu{}), [3]uintptr{44, 44, 44}},
		{"v4l2_ext_control", unsafe.Sizeof(extControl{}), [3]uintptr{20, 20, 20}},
		{"v4l2_ext_controls", unsafe.Sizeof(extControls{}), [3]uintptr{32, 24, 24}},
		{"v4l2_event", unsafe.Sizeof(event{}), [3]uintptr{136, 128, 120}},
		{"v4l2_event_subscription", unsafe.Sizeof(eventSubscription{}), [3]uintptr{32, 32, 32}},
	} {
		if want := c.want[word()]; c.got != want {
			t.Errorf("struct %s has %d bytes, want %d", c.name, c.got, want)
		}
	}
}

func TestOffsets(t *testing.T) {
	// what offsetof says in C
	for _, c := range []struct {
		name string
		got  uintptr
		want [3]uintptr
	}{
		{"v4l2_capability.device_caps", unsafe.Offsetof(capability{}.deviceCaps), [3]uintptr{88, 88, 88}},
		{"v4l2_fmtdesc.pixelformat", unsafe.Offsetof(fmtDesc{}.pixelFormat), [3]uintptr{44, 44, 44}},
		{"v4l2_frmsizeenum.discrete", unsafe.Offsetof(frameSizeEnum{}.size), [3]uintptr{12, 12, 12}},
		{"v4l2_frmivalenum.discrete", unsafe.Offsetof(frameIntervalEnum{}.interval), [3]uintptr{20, 20, 20}},
		{"v4l2_pix_format.priv", unsafe.Offsetof(pixFormat{}.priv), [3]uintptr{28, 28, 28}},
		{"v4l2_pix_format.ycbcr_enc", unsafe.Offsetof(pixFormat{}.encoding), [3]uintptr{36, 36, 36}},
		{"v4l2_pix_format.quantization", unsafe.Offsetof(pixFormat{}.quantization), [3]uintptr{40, 40, 40}},
		{"v4l2_pix_format.xfer_func", unsafe.Offsetof(pixFormat{}.transfer), [3]uintptr{44, 44, 44}},
		{"v4l2_pix_format_mplane.plane_fmt", unsafe.Offsetof(pixFormatMPlane{}.planes), [3]uintptr{20, 20, 20}},
		{"v4l2_pix_format_mplane.num_planes", unsafe.Offsetof(pixFormatMPlane{}.numPlanes), [3]uintptr{180, 180, 180}},
		{"v4l2_pix_format_mplane.ycbcr_enc", unsafe.Offsetof(pixFormatMPlane{}.encoding), [3]uintptr{182, 182, 182}},
		{"v4l2_pix_format_mplane.xfer_func", unsafe.Offsetof(pixFormatMPlane{}.transfer), [3]uintptr{184, 184, 184}},
		{"v4l2_format.fmt.pix", unsafe.Offsetof(formatSingle{}.pix), [3]uintptr{8, 4, 4}},
		{"v4l2_format.fmt.pix_mp", unsafe.Offsetof(formatMPlane{}.pix), [3]uintptr{8, 4, 4}},
		{"v4l2_streamparm.parm.capture.timeperframe", unsafe.Offsetof(streamParm{}.timePerFrame), [3]uintptr{12, 12, 12}},
		{"v4l2_selection.r", unsafe.Offsetof(selection{}.left), [3]uintptr{12, 12, 12}},
		{"v4l2_buffer.timestamp", unsafe.Offsetof(buffer{}.timestamp), [3]uintptr{24, 20, 20}},
		{"v4l2_buffer.sequence", unsafe.Offsetof(buffer{}.sequence), [3]uintptr{56, 44, 44}},
		{"v4l2_buffer.memory", unsafe.Offsetof(buffer{}.memory), [3]uintptr{60, 48, 48}},
		{"v4l2_buffer.m", unsafe.Offsetof(buffer{}.m), [3]uintptr{64, 52, 52}},
		{"v4l2_buffer.m.planes", unsafe.Offsetof(bufferMPlane{}.planes), [3]uintptr{64, 52, 52}},
		{"v4l2_buffer.length", unsafe.Offsetof(buffer{}.bufferTail), [3]uintptr{72, 56, 56}},
		{"v4l2_plane.m", unsafe.Offsetof(plane{}.m), [3]uintptr{8, 8, 8}},
		{"v4l2_plane.data_offset", unsafe.Offsetof(plane{}.dataOffset), [3]uintptr{16, 12, 12}},
		{"v4l2_exportbuffer.fd", unsafe.Offsetof(exportBuffer{}.fd), [3]uintptr{16, 16, 16}},
		{"v4l2_query_ext_ctrl.minimum", unsafe.Offsetof(queryExtCtrl{}.minimum), [3]uintptr{40, 40, 40}},
		{"v4l2_query_ext_ctrl.flags", unsafe.Offsetof(queryExtCtrl{}.flags), [3]uintptr{72, 72, 72}},
		{"v4l2_querymenu.name", unsafe.Offsetof(queryMenu{}.name), [3]uintptr{8, 8, 8}},
		{"v4l2_ext_control.value", unsafe.Offsetof(extControl{}.value), [3]uintptr{12, 12, 12}},
		{"v4l2_ext_controls.controls", unsafe.Offsetof(extControls{}.controls), [3]uintptr{24, 20, 20}},
		{"v4l2_event.u", unsafe.Offsetof(event{}.data), [3]uintptr{8, 8, 4}},
		{"v4l2_event.pending", unsafe.Offsetof(event{}.pending), [3]uintptr{72, 72, 68}},
		{"v4l2_event.timestamp", unsafe.Offsetof(event{}.timestamp), [3]uintptr{80, 80, 76}},
		{"v4l2_event.id", unsafe.Offsetof(event{}.id), [3]uintptr{96, 88, 84}},
	} {
		if want := c.want[word()]; c.got != want {
			t.Errorf("struct %s at %d, want %d", c.name, c.got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name string
		got  uintptr
		want [3]uintptr
	}{
		{"VIDIOC_QUERYCAP", vidiocQueryCap, [3]uintptr{0x80685600, 0x80685600, 0x80685600}},
		{"VIDIOC_ENUM_FMT", vidiocEnumFmt, [3]uintptr{0xc0405602, 0xc0405602, 0xc0405602}},
		{"VIDIOC_G_FMT", vidiocGFmt, [3]uintptr{0xc0d05604, 0xc0cc5604, 0xc0cc5604}},
		{"VIDIOC_S_FMT", vidiocSFmt, [3]uintptr{0xc0d05605, 0xc0cc5605, 0xc0cc5605}},
		{"VIDIOC_REQBUFS", vidiocReqBufs, [3]uintptr{0xc0145608, 0xc0145608, 0xc0145608}},
		{"VIDIOC_QUERYBUF", vidiocQueryBuf, [3]uintptr{0xc0585609, 0xc0445609, 0xc0445609}},
		{"VIDIOC_QBUF", vidiocQBuf, [3]uintptr{0xc058560f, 0xc044560f, 0xc044560f}},
		{"VIDIOC_EXPBUF", vidiocExpBuf, [3]uintptr{0xc0405610, 0xc0405610, 0xc0405610}},
		{"VIDIOC_DQBUF", vidiocDQBuf, [3]uintptr{0xc0585611, 0xc0445611, 0xc0445611}},
		{"VIDIOC_STREAMON", vidiocStreamOn, [3]uintptr{0x40045612, 0x40045612, 0x40045612}},
		{"VIDIOC_STREAMOFF", vidiocStreamOff, [3]uintptr{0x40045613, 0x40045613, 0x40045613}},
		{"VIDIOC_G_PARM", vidiocGParm, [3]uintptr{0xc0cc5615, 0xc0cc5615, 0xc0cc5615}},
		{"VIDIOC_S_PARM", vidiocSParm, [3]uintptr{0xc0cc5616, 0xc0cc5616, 0xc0cc5616}},
		{"VIDIOC_QUERYMENU", vidiocQueryMenu, [3]uintptr{0xc02c5625, 0xc02c5625, 0xc02c5625}},
		{"VIDIOC_TRY_FMT", vidiocTryFmt, [3]uintptr{0xc0d05640, 0xc0cc5640, 0xc0cc5640}},
		{"VIDIOC_G_EXT_CTRLS", vidiocGExtCtrls, [3]uintptr{0xc0205647, 0xc0185647, 0xc0185647}},
		{"VIDIOC_S_EXT_CTRLS", vidiocSExtCtrls, [3]uintptr{0xc0205648, 0xc0185648, 0xc0185648}},
		{"VIDIOC_ENUM_FRAMESIZES", vidiocEnumFrameSizes, [3]uintptr{0xc02c564a, 0xc02c564a, 0xc02c564a}},
		{"VIDIOC_ENUM_FRAMEINTERVALS", vidiocEnumFrameIntervals, [3]uintptr{0xc034564b, 0xc034564b, 0xc034564b}},
		{"VIDIOC_ENCODER_CMD", vidiocEncoderCmd, [3]uintptr{0xc028564d, 0xc028564d, 0xc028564d}},
		{"VIDIOC_DQEVENT", vidiocDQEvent, [3]uintptr{0x80885659, 0x80805659, 0x80785659}},
		{"VIDIOC_SUBSCRIBE_EVENT", vidiocSubscribeEvent, [3]uintptr{0x4020565a, 0x4020565a, 0x4020565a}},
		{"VIDIOC_S_SELECTION", vidiocSSelection, [3]uintptr{0xc040565f, 0xc040565f, 0xc040565f}},
		{"VIDIOC_QUERY_EXT_CTRL", vidiocQueryExtCtrl, [3]uintptr{0xc0e85667, 0xc0e85667, 0xc0e85667}},
	} {
		if want := c.want[word()]; c.got != want {
			t.Errorf("%s is %#x, want %#x", c.name, c.got, want)
		}
	}
}
