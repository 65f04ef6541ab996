package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"lenslet/capture"
)

// shown checks pictures of 320x240 in the order in which a player showed them:
// so many, each a later one than that before it; missing are those between them.
// size is the bytes of one, luma takes its luma out.
func shown(t *testing.T, pictures []byte, size, count int, luma func(picture []byte) []byte) (missing int) {
	t.Helper()
	if got := len(pictures) / size; got < count {
		t.Fatalf("%d pictures were shown, not %d", got, count)
	}
	var last uint32
	for i := range count {
		n, ok := capture.ReadMarker(luma(pictures[i*size:(i+1)*size]), 320, 320, 240)
		switch {
		case !ok:
			t.Fatalf("picture %d has no legible frame number", i)
		case i > 0 && n <= last:
			t.Fatalf("frame %d follows frame %d", n, last)
		case i > 0:
			missing += int(n - last - 1)
		}
		last = n
	}
	return missing
}

func TestMPlayerPlays(t *testing.T) {
	for transport, option := range map[string]string{"udp": "-nosound", "tcp": "-rtsp-stream-over-tcp"} {
		t.Run(transport, func(t *testing.T) {
			url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
			file := filepath.Join(t.TempDir(), "shown.y4m")
			t.Setenv("HOME", t.TempDir())
			dropped := drops(t, url)
			client(t, time.Minute, "mplayer", "-nolirc", "-noconfig", "all", "-noconsolecontrols", "-nosound", option,
				"-vo", "yuv4mpeg:file="+file, "-frames", "60", url)
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, pictures, _ := bytes.Cut(b, []byte("\n"))
			if !bytes.Contains(head, []byte(" W320 H240 ")) {
				t.Fatalf("MPlayer shows %s", head)
			}
			const frame = len("FRAME\n")
			missing := shown(t, pictures, frame+320*240*3/2, 60, func(p []byte) []byte { return p[frame:] })
			if n := dropped(); missing > n {
				t.Errorf("%d pictures are missing, and the camera dropped %d", missing, n)
			}
		})
	}
}
