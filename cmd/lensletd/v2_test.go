package main

import (
	"strings"
	"testing"
	"time"
)

// TestGStreamerSpeaks2 has a real client of RTSP 2.0 play, by UDP and in the
// connection, while FFmpeg plays with RTSP 1.0 beside it, from the same port.
func TestGStreamerSpeaks2(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
			beside := make(chan string)
			go func() {
				_, errs, err := run(2*time.Minute, "ffmpeg", append(append([]string{}, strict...), "-rtsp_transport", transport, "-i", url,
					"-t", "3", "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "null", "-")...)
				if err != nil {
					errs += err.Error()
				}
				beside <- errs
			}()
			out, errs := client(t, time.Minute, "gst-launch-1.0", "rtspsrc", "location="+url, "protocols="+transport,
				"default-rtsp-version=2-0", "debug=true", "latency=100",
				"!", "rtph264depay", "!", "h264parse", "!", "avdec_h264", "!", "fakesink", "num-buffers=60", "sync=false")
			for _, what := range []string{"ERROR", "WARN", "RTSP/1.0", "version: '1.0'"} {
				if strings.Contains(out+errs, what) {
					t.Errorf("GStreamer says %s:\n%s%s", what, out, errs)
				}
			}
			if errs := <-beside; errs != "" {
				t.Errorf("FFmpeg complains:\n%s", errs)
			}
		})
	}
}
