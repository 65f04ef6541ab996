//go:build !virt

package capture

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ffmpeg runs FFmpeg; a word about an error fails the test.
func ffmpeg(t *testing.T, in []byte, args string) []byte {
	t.Helper()
	cmd := exec.Command("ffmpeg", append([]string{"-nostdin", "-hide_banner", "-v", "error"}, strings.Fields(args)...)...)
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Fatalf("ffmpeg %s: %v: %s", args, err, complaints.String())
	}
	return out.Bytes()
}

// Real clips are cut into their pictures, also when a picture has several
// slices, and what two loops give can be decoded.
func TestClipsOfARealEncoder(t *testing.T) {
	const frames = 40
	for name, options := range map[string]string{
		"plain":              "-g 10 -bf 0",
		"slices":             "-g 10 -bf 0 -slices 4 -x264-params aud=1",
		"B frames":           "-g 15 -bf 2",
		"one key frame only": "-g 1000 -tune zerolatency",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "real.264")
			ffmpeg(t, nil, fmt.Sprintf("-f lavfi -i testsrc2=size=160x120:rate=25 -frames:v %d -c:v libx264 -preset ultrafast %s -bsf:v h264_mp4toannexb -f h264 %s", frames, options, path))
			c, err := OpenClip(path, is(160, 120, Rate{240, 1}))
			if err != nil {
				t.Fatal(err)
			}
			if len(c.units) != frames {
				t.Errorf("%d units, want %d", len(c.units), frames)
			}
			started(t, c, wish(160, 120, 240))
			var stream []byte
			for range 2 * frames {
				f := next(t, c)
				stream = append(stream, f.Data...)
				f.Release()
			}
			raw := ffmpeg(t, stream, "-f h264 -i pipe:0 -fps_mode passthrough -f rawvideo -pix_fmt yuv420p pipe:1")
			if got := len(raw) / (160 * 120 * 3 / 2); got != 2*frames {
				t.Errorf("%d pictures decoded, want %d", got, 2*frames)
			}
		})
	}
}

// The marker can be read in what a real encoder makes of the pattern at a low
// bit rate.
func TestMarkerSurvivesARealEncoder(t *testing.T) {
	const frames = 30
	for _, s := range []size{{160, 120}, {320, 240}, nhd, {642, 362}, hd} {
		scene := newScene(s.w, s.h)
		p := picture{data: make([]byte, scene.size())}
		var raw []byte
		for i := range frames {
			scene.draw(&p, uint32(i)*0x01010101, time.Unix(0, int64(i)*4e7))
			raw = append(raw, p.data...)
		}
		bitrate := max(100_000, s.area()*2)
		coded := ffmpeg(t, raw, fmt.Sprintf("-f rawvideo -pix_fmt yuv420p -s %v -r 25 -i pipe:0 -c:v libx264 -preset ultrafast -tune zerolatency -b:v %d -f h264 pipe:1", s, bitrate))
		got := ffmpeg(t, coded, "-f h264 -i pipe:0 -fps_mode passthrough -f rawvideo -pix_fmt yuv420p pipe:1")
		if len(got) != len(raw) {
			t.Fatalf("%v: %d bytes decoded, want %d", s, len(got), len(raw))
		}
		for i := range frames {
			n, ok := ReadMarker(got[i*scene.size():], s.w, s.w, s.h)
			if want := uint32(i) * 0x01010101; !ok || n != want {
				t.Errorf("%v at %d bit/s: frame %d reads %#x, %v", s, bitrate, i, n, ok)
			}
		}
	}
}
