package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestXinePlays has xine play through a small C program. What xine itself takes
// for rtsp is RealMedia's dialect; standard RTSP it plays as avformat+rtsp, by
// UDP.
func TestXinePlays(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	program, file := filepath.Join(dir, "xineplay"), filepath.Join(dir, "shown.rgb")
	flags, _ := client(t, time.Minute, "pkg-config", "--cflags", "--libs", "libxine")
	client(t, time.Minute, "gcc", append([]string{"-Wall", "-Werror", "-o", program, "testdata/xineplay.c"}, strings.Fields(flags)...)...)
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	client(t, time.Minute, program, "avformat+"+url, "60", file)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The marker is black and white: green is as good as luma. A player may
	// leave out what it has no time for.
	shown(t, b, 320*240*3, 60, func(p []byte) []byte {
		green := make([]byte, 0, 320*240)
		for i := 1; i < len(p); i += 3 {
			green = append(green, p[i])
		}
		return green
	})
}
