package main

import (
	"strings"
	"testing"
	"time"
)

// GStreamer takes the keys from MIKEY, and sends its own with SETUP.
func TestGStreamerBySRTP(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			url, _ := startSecure(t)
			gstPlays(t, "location="+url+"?srtp", "tls-validation-flags=0", "protocols="+transport+"+tls")
		})
	}
}

// In RTSP 2.0 too.
func TestGStreamerBySRTPIn2(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			url, _ := startSecure(t)
			gstPlays(t, "location="+url+"?srtp", "tls-validation-flags=0", "default-rtsp-version=2-0", "protocols="+transport+"+tls")
		})
	}
}

// FFmpeg and mpv take the key from SDES.
func TestFFmpegBySRTP(t *testing.T) {
	url, _ := startSecure(t, `srtp = "require"`)
	probe(t, url, "tcp", 320, 240, "")
	decode(t, url, "tcp", "-t", "3")
}

func TestMPVBySRTP(t *testing.T) {
	url, _ := startSecure(t)
	out, errs := client(t, 60*time.Second, "mpv", "--no-config", "--vo=null", "--ao=null", "--frames=60",
		"--msg-level=all=warn,vo=info,cplayer=info", "--terminal=yes", url+"?srtp")
	if all := out + errs; !strings.Contains(all, "320x240") || strings.Contains(strings.ToLower(all), "error") {
		t.Fatalf("mpv says:\n%s", all)
	}
}
