//go:build virt

package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"lenslet/board"
	"lenslet/capture"
	"lenslet/capture/v4l2"
	"lenslet/encoder"
)

// A summing source notes the checksum of every frame, as the planes of I420.
type summing struct {
	encoder.Source
	mu     sync.Mutex
	format capture.Format
	sums   bytes.Buffer
	i420   []byte
}

func (s *summing) Configure(c capture.Choice) (capture.Format, error) {
	f, err := s.Source.Configure(c)
	s.format = f
	return f, err
}

func (s *summing) Next(deadline time.Time) (*capture.Frame, error) {
	f, err := s.Source.Next(deadline)
	if err == nil {
		s.mu.Lock()
		s.i420 = appendI420(s.i420[:0], s.format, f.Data)
		_, _ = fmt.Fprintf(&s.sums, "%x\n", md5.Sum(s.i420))
		s.mu.Unlock()
	}
	return f, err
}

// appendI420 lays the visible part of a 4:2:0 picture out as I420.
func appendI420(dst []byte, f capture.Format, data []byte) []byte {
	rows := func(p []byte, stride, width, height, step int) {
		for y := range height {
			for x := range width {
				dst = append(dst, p[y*stride+x*step])
			}
		}
	}
	w, h := f.Width, f.Height
	rows(data, f.Stride, w, h, 1)
	chroma := data[f.Stride*h:]
	switch f.FourCC {
	case v4l2.YU12:
		rows(chroma, f.Stride/2, w/2, h/2, 1)
		rows(chroma[f.Stride/2*h/2:], f.Stride/2, w/2, h/2, 1)
	case v4l2.NV12:
		rows(chroma, f.Stride, w/2, h/2, 2)
		rows(chroma[1:], f.Stride, w/2, h/2, 2)
	default:
		panic("no I420 of " + f.FourCC.String())
	}
	return dst
}

// TestGuestStreams is lensletd itself, for players outside the guest, until
// SIGTERM; then it leaves the checksums of what the camera gave.
func TestGuestStreams(t *testing.T) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	o, err := parseFlags([]string{"-auth", "none", "-set", "resolution=320x180", "-set", "framerate=10"}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	o.MDNS, o.Persist = false, false
	var source *summing
	d := &daemon{
		config: o.config, stdout: os.Stdout, id: board.Identify(), log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		openSource: func(name string, log *slog.Logger) (encoder.Source, error) {
			s, err := openSource(name, log)
			source = &summing{Source: s}
			return source, err
		},
	}
	if err := d.serve(ctx); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("sums", source.sums.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
