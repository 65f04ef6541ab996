package main

import (
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"lenslet/capture"
)

// A player's session outlives the nonces that it logs in with, without a gap in
// what it shows. FFmpeg takes the new nonce from the 401 to its keep-alive for
// the next one. GStreamer does not look at that answer and keeps its first nonce:
// as long as the password is right that counts as a sign of life all the same
// (keepAlive in rtspd). By TCP it sends none while pictures come, so it plays by
// UDP.
func TestPlayersOutliveANonce(t *testing.T) {
	const width, height, rate, seconds = 640, 360, 15, 16
	raw := func(address string) []string {
		return append(append([]string{}, strict...), "-rtsp_transport", "tcp", "-i", address,
			"-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-")
	}
	gst := func(address string) []string {
		return []string{"-q", "rtspsrc", "location=" + address, "protocols=udp", "latency=2000",
			"!", "rtph264depay", "!", "h264parse", "!", "avdec_h264", "!", "videoconvert", "!", "video/x-raw,format=GRAY8", "!", "fdsink", "sync=false"}
	}
	for _, player := range []struct {
		program string
		args    func(address string) []string
	}{{"ffmpeg", raw}, {"gst-launch-1.0", gst}} {
		t.Run(player.program, func(t *testing.T) {
			newState(t)
			_, out, _ := startTuned(t, func(d *daemon) { d.timing = timing{session: 6 * time.Second, nonce: 2 * time.Second} },
				"-auth", "password", "-source", "pattern", "-set", "resolution=640x360", "-set", "framerate=15", "-set", "gop=15")
			waitFor(t, 20*time.Second, "lensletd has said everything", func() bool { return strings.HasSuffix(out.String(), "\n\n") })
			u, err := url.Parse(urlPattern.FindString(out.String()))
			if err != nil {
				t.Fatal(err)
			}
			user := u.User
			u.User = nil
			through, said := spy(t, u.String())
			if u, err = url.Parse(through); err != nil {
				t.Fatal(err)
			}
			u.User = user
			pictures, _ := pipe(t, player.program, player.args(u.String())...)
			picture := make([]byte, width*height)
			var last uint32
			for i := 0; i < rate*seconds || (stales(said) < 2 && i < 3*rate*seconds); i++ {
				if _, err := io.ReadFull(pictures, picture); err != nil {
					t.Fatalf("%s ends after %d pictures and %d nonces: %v", player.program, i, stales(said), err)
				}
				n, ok := capture.ReadMarker(picture, width, width, height)
				if i > 0 && ok && n-last > 2*rate { // a busy machine leaves pictures out; who logs in anew leaves out more
					t.Fatalf("frame %d follows frame %d", n, last)
				}
				if ok {
					last = n
				}
			}
			t.Logf("%d nonces were used up", stales(said))
			if words := said.String(); stales(said) < 2 || strings.Count(words, "SETUP rtsp://") > 2 || strings.Count(words, "\r\nCSeq: ") < 8 {
				t.Errorf("%s began again, or kept nothing alive: %d nonces, %d SETUPs, %d requests and answers", player.program,
					stales(said), strings.Count(words, "SETUP rtsp://"), strings.Count(words, "\r\nCSeq: "))
			}
		})
	}
}

// stales counts the answers that a nonce was used up.
func stales(said *buffer) int { return strings.Count(said.String(), "stale=true") / 2 } // one for each algorithm
