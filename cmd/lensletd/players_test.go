package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/capture"
	"lenslet/rtspd/wire"
)

// ffmpeg flags that make it complain about all that is wrong with a stream.
var strict = []string{"-hide_banner", "-nostdin", "-v", "warning", "-err_detect", "+crccheck+bitstream+buffer"}

// asTheyCome keeps ffmpeg's output from making the pictures' times even.
var asTheyCome = []string{"-fps_mode", "passthrough", "-enc_time_base", "1:90000"}

// decode lets ffmpeg decode for a while, and wants not one line of complaint.
func decode(t *testing.T, url, transport string, much ...string) {
	t.Helper()
	args := append(append([]string{}, strict...), "-rtsp_transport", transport, "-i", url)
	args = append(append(args, much...), asTheyCome...)
	if _, errs := client(t, 3*time.Minute, "ffmpeg", append(args, "-f", "null", "-")...); errs != "" {
		t.Errorf("ffmpeg complains over %s:\n%s", transport, errs)
	}
}

// drops counts from now on the frames that the camera had no time for: of these no
// player can know.
func drops(t *testing.T, url string) (dropped func() int) {
	t.Helper()
	count := func() int {
		v := dialViewer(t, url)
		defer v.close()
		go v.read()
		n, err := strconv.Atoi(v.get("frames_dropped"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := count()
	return func() int { return count() - before }
}

func TestFFmpegDecodesEveryFrame(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			const width, height, rate = 640, 360, 25
			url, _ := start(t, "-source", "pattern", "-set", "resolution=640x360", "-set", "framerate=25")
			probe(t, url, transport, width, height, "25/1")

			dropped := drops(t, url)
			args := append([]string{}, strict...)
			args = append(args, "-rtsp_transport", transport, "-i", url, "-t", "10",
				"-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-")
			out, wait := pipe(t, "ffmpeg", args...)
			picture := make([]byte, width*height)
			var first, last uint32
			frames, missing := 0, 0
			for {
				if _, err := io.ReadFull(out, picture); err != nil {
					break
				}
				n, ok := capture.ReadMarker(picture, width, width, height)
				if !ok {
					t.Fatalf("picture %d has no legible frame number", frames)
				}
				if frames > 0 && n <= last {
					t.Fatalf("frame %d follows frame %d", n, last)
				}
				if frames == 0 {
					first = n
				} else {
					missing += int(n - last - 1)
				}
				last = n
				frames++
			}
			if errs := wait(); errs != "" {
				t.Fatalf("ffmpeg complains:\n%s", errs)
			}
			if n := dropped(); missing > n {
				t.Fatalf("%d frames between %d and %d are missing, and the camera dropped %d", missing, first, last, n)
			}
			if frames+missing < 10*rate-2 {
				t.Fatalf("%d frames in 10 s (%d to %d), want %d", frames, first, last, 10*rate)
			}
		})
	}
}

// probe lets ffprobe tell size and rate; "" where the bitstream tells no rate.
func probe(t *testing.T, url, transport string, width, height int, rate string) {
	t.Helper()
	out, errs := client(t, 30*time.Second, "ffprobe", "-v", "warning", "-rtsp_transport", transport,
		"-show_streams", "-of", "json", url)
	if errs != "" {
		t.Errorf("ffprobe complains:\n%s", errs)
	}
	var found struct {
		Streams []struct {
			Codec  string `json:"codec_name"`
			Width  int
			Height int
			Rate   string `json:"r_frame_rate"`
		}
	}
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found.Streams) != 1 {
		t.Fatalf("ffprobe: %v\n%s", err, out)
	}
	s := found.Streams[0]
	if s.Codec != "h264" || s.Width != width || s.Height != height || (rate != "" && s.Rate != rate) {
		t.Fatalf("ffprobe found %+v, want h264 %dx%d at %s", s, width, height, rate)
	}
}

func TestGStreamerPlays(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
			gstPlays(t, "location="+url, "protocols="+transport)
		})
	}
}

func TestMPVPlays(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
			out, errs := client(t, 60*time.Second, "mpv", "--no-config", "--vo=null", "--ao=null", "--frames=60",
				"--rtsp-transport="+transport, "--msg-level=all=warn,vo=info,cplayer=info", "--terminal=yes", url)
			if all := out + errs; !strings.Contains(all, "320x240") || strings.Contains(strings.ToLower(all), "error") {
				t.Fatalf("mpv says:\n%s", all)
			}
		})
	}
}

// TestCurlReads has libcurl, through a small C program (its command line cannot
// choose the RTSP method), do OPTIONS and DESCRIBE, and write interleaved RTP
// to a file.
func TestCurlReads(t *testing.T) {
	dir := t.TempDir()
	program, file := filepath.Join(dir, "curlrtsp"), filepath.Join(dir, "rtp")
	client(t, time.Minute, "gcc", "-Wall", "-Werror", "-o", program, "testdata/curlrtsp.c", "-lcurl")
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	out, _ := client(t, 30*time.Second, program, url, file)
	for _, want := range []string{"Public: OPTIONS, DESCRIBE", "Content-Type: application/sdp", "a=rtpmap:96 H264/90000"} {
		if !strings.Contains(out, want) {
			t.Errorf("curl did not show %q:\n%s", want, out)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	packets := 0
	for len(b) >= 4 {
		n := 4 + int(b[2])<<8 + int(b[3])
		if b[0] != '$' || len(b) < n {
			t.Fatalf("what curl wrote is not interleaved RTP at packet %d: % x", packets, b[:min(len(b), 8)])
		}
		b = b[n:]
		packets++
	}
	if packets < 20 {
		t.Errorf("curl wrote %d packets, want 20 or more", packets)
	}
}

// TestCurlCommand asks with the command that everyone has.
func TestCurlCommand(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	out, _ := client(t, 30*time.Second, "curl", "-s", "-i", "--max-time", "10", url)
	if !strings.HasPrefix(out, "RTSP/1.0 200 OK\r\n") || !strings.Contains(out, "Public: OPTIONS, DESCRIBE") {
		t.Fatalf("curl shows:\n%s", out)
	}
}

func TestClipKeepsItsRate(t *testing.T) {
	clip := filepath.Join(t.TempDir(), "clip.264")
	client(t, time.Minute, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=20", "-frames:v", "40",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "20", "-bf", "0", "-bsf:v", "h264_mp4toannexb", clip)
	url, _ := start(t, "-source", "file:"+clip)
	v := dialViewer(t, url)
	v.play("udp")
	v.units(100) // goes round more than twice
	v.checkContinuity(time.Second)
	v.checkRate(20)
	if v.get("resolution") != "320x240" || v.get("framerate") != "20" {
		t.Errorf("the clip is said to be %s at %s", v.get("resolution"), v.get("framerate"))
	}
	for _, change := range []string{"resolution: 640x360", "framerate: 10", "bitrate: 100000", "bitrate_mode: cbr", "gop: 7", "profile: main", "level: 5.0"} {
		name, _, _ := strings.Cut(change, ":")
		if body := v.set(wire.InvalidRange, change); !strings.HasPrefix(body, name+": ") {
			t.Errorf("%s is refused with %q", change, body)
		}
	}
	v.units(5)
	v.checkContinuity(time.Second)
}
