package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file that another version wrote: what it sets that nobody knows is passed
// over, if that is allowed; a value that is wrong is not.
func TestLenient(t *testing.T) {
	bin := program(t)
	file := written(t, "mdns = false\nlisten = \"127.0.0.1:0\"\nauth = \"none\"\n[set]\ncolour = \"bright\"\nresolution = \"320x240\"\nshade = 2\n")
	clip := filepath.Join(t.TempDir(), "clip.264")
	client(t, time.Minute, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15", "-frames:v", "5",
		"-c:v", "libx264", "-bf", "0", "-bsf:v", "h264_mp4toannexb", clip)
	clip = "file:" + clip
	if code, out := exitOf(bin, "-check", "-config", file, "-source", clip); code != 2 || !strings.Contains(out, "colour") {
		t.Errorf("without -lenient: %d\n%s", code, out)
	}
	code, out := exitOf(bin, "-check", "-lenient", "-config", file, "-source", clip)
	if code != 0 || !strings.Contains(out, "parameter=colour") || !strings.Contains(out, "parameter=shade") || !strings.Contains(out, "lenslet.toml:5") {
		t.Errorf("with -lenient: %d\n%s", code, out)
	}
	if code, out := exitOf(bin, "-check", "-lenient", "-config", file, "-source", clip, "-set", "colour=1"); code != 2 {
		t.Errorf("a flag that is wrong: %d\n%s", code, out)
	}
}
