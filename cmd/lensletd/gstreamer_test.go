package main

import (
	"strconv"
	"strings"
	"testing"
)

// gstreamer is the command line of a player that decodes so many pictures; source
// are the properties of its rtspsrc.
func gstreamer(pictures int, source ...string) []string {
	args := append([]string{"gst-launch-1.0", "rtspsrc", "latency=100"}, source...)
	return append(args, "!", "rtph264depay", "!", "h264parse", "!", "avdec_h264",
		"!", "fakesink", "num-buffers="+strconv.Itoa(pictures), "sync=false")
}

// gstPlays lets GStreamer decode 60 pictures.
func gstPlays(t *testing.T, source ...string) {
	t.Helper()
	if _, said := exitOf("timeout", append([]string{"60"}, gstreamer(60, source...)...)...); !gstPlayed(said) {
		t.Fatalf("GStreamer complains:\n%s", said)
	}
}

// gstPlayed tells whether the sink had all its pictures (EOS), and nothing went
// wrong before. At the end two threads of rtspsrc close the connection and say
// PAUSE and TEARDOWN in it: the one that comes too late calls that an end of file
// and an error. On the wire it is GStreamer that closes. To groups of RTSP 2.0 it
// says each time that it does not know the field with their addresses.
func gstPlayed(said string) bool {
	errors, late := strings.Count(said, "ERROR: from"), strings.Count(said, "Received end-of-file")
	warnings, unknown := strings.Count(said, "WARN"), strings.Count(said, `: unknown transport field "dest_addr=`)
	return strings.Contains(said, "Got EOS from element") && warnings == unknown &&
		errors == late && (errors == 0 || strings.Contains(said, "gst_rtspsrc_pause") || strings.Contains(said, "gst_rtspsrc_close"))
}

func TestGStreamerPlayed(t *testing.T) {
	const eos, late = "Got EOS from element \"pipeline0\".\n", "ERROR: from element /GstPipeline:pipeline0/GstRTSPSrc:rtspsrc0: Could not write to resource.\n" +
		"gst_rtspsrc_close (): Could not send message. (Received end-of-file)\n"
	const group = "(gst-launch-1.0:7): GStreamer-RTSP-WARNING **: 00:00:00.000: unknown transport field \"dest_addr=\"[ff15::1]:2\"/\"[ff15::1]:3\"\"\n"
	for said, want := range map[string]bool{
		group + eos + late: true, group + late: false, group + eos + "WARNING: from element": false,
		eos: true, eos + late: true, late: false, "": false, eos + "WARNING: from element": false,
		eos + "ERROR: from element: Could not decode stream.\n": false, late + eos + "ERROR: from element: Internal data stream error.\n": false,
	} {
		if gstPlayed(said) != want {
			t.Errorf("%v for %q", !want, said)
		}
	}
}
