package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lenslet/board"
	"lenslet/encoder"
	"lenslet/rtspd/wire"
)

// lateCamera is a daemon on loopback that keeps its state, and whose camera is
// waited for while the cable is out. leave ends it.
func lateCamera(t *testing.T, cable *plug, args ...string) (d *daemon, out, logs *buffer, leave func()) {
	t.Helper()
	o, err := parseFlags(append([]string{"-listen", "127.0.0.1:0", "-auth", "none", "-source", "/dev/video98"}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.MDNS = false
	out, logs = &buffer{}, &buffer{}
	d = &daemon{config: o.config, stdout: out, id: board.Identify(), log: slog.New(slog.NewTextHandler(logs, nil)),
		openSource: func(name string, log *slog.Logger) (encoder.Source, error) {
			if cable.out.Load() {
				return openSource(name, log)
			}
			return cable.open(name, log)
		}}
	systemd := supervisor(t, "")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.serve(ctx) }()
	if !hear(t, systemd, "READY=1", time.Minute) {
		t.Fatalf("systemd did not hear that it is ready\n%s", logs)
	}
	leave = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(leave)
	return d, out, logs, leave
}

func (d *daemon) url() string { return "rtsp://" + d.listeners[0].Addr().String() + "/main" }

// TestDescribedAsInTheLastRun: a start without its camera describes the stream by
// the parameter sets of the last run; who plays then sees it from the camera's
// first picture on. With other settings nobody is told what is not so.
func TestDescribedAsInTheLastRun(t *testing.T) {
	dir := filepath.Dir(newState(t))
	file := filepath.Join(dir, setsFile)
	cable := &plug{}
	small := []string{"-set", "resolution=320x240", "-set", "framerate=15"}
	d, _, _, leave := lateCamera(t, cable, small...)
	waitFor(t, time.Minute, "the parameter sets are kept", func() bool { return exists(t, file) })
	first := dialViewer(t, d.url())
	go first.read()
	described := string(first.do("DESCRIBE", d.url(), "").Body)
	first.close()
	leave()
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}

	cable.out.Store(true)
	for _, other := range [][]string{
		{"-set", "resolution=640x480", "-set", "framerate=15"}, {"-set", "resolution=320x240", "-set", "framerate=5"},
		append([]string{"-set", "profile=main"}, small...),
	} {
		d, _, _, leave := lateCamera(t, cable, other...)
		v := dialViewer(t, d.url())
		go v.read()
		if res := v.do("DESCRIBE", d.url(), ""); res.Status != wire.ServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("%q: DESCRIBE: %d %q", other, res.Status, res.Body)
		}
		v.close()
		leave()
	}

	d, _, _, leave = lateCamera(t, cable, small...)
	var viewers []*viewer
	for _, transport := range []string{"udp", "tcp"} {
		v := dialViewer(t, d.url())
		v.play(transport) // DESCRIBE is answered
		viewers = append(viewers, v)
	}
	v := viewers[0]
	again := string(v.do("DESCRIBE", d.url(), "").Body)
	for _, line := range []string{"a=fmtp:", "a=framerate:", "b=AS:"} {
		if a, b := lineWith(described, line), lineWith(again, line); a == "" || a != b {
			t.Errorf("described was %q, and is %q", a, b)
		}
	}
	cable.out.Store(false)
	for _, v := range viewers {
		v.units(5)
		v.checkContinuity(time.Minute)
	}
	leave()
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, kept) {
		t.Errorf("what is kept was\n%s\nand is\n%s%v", kept, now, err)
	}
}

// lineWith is the line of a text that begins so.
func lineWith(text, begin string) string {
	for _, line := range strings.Split(text, "\r\n") {
		if strings.HasPrefix(line, begin) {
			return line
		}
	}
	return ""
}

// What is kept counts for the same devices and settings only; what cannot be
// read is no description, and one line in the log.
func TestRecalledDescription(t *testing.T) {
	whole := picturing{Source: "auto", Encoder: "soft", Resolution: "640x480", Framerate: "15", Bitrate: 900, Profile: "high", Level: "4.0",
		SPS: "6764001eacd940a03db01b7010101a50000003001000000303c0f162d960", PPS: "68ce3880"}
	begin := encoder.DefaultSettings()
	begin.Rate.Num = 15
	for name, c := range map[string]struct {
		change func(p *picturing, begin *encoder.Settings)
		known  bool
		wrong  bool
	}{
		"the same":                {known: true},
		"a size of the camera":    {change: func(_ *picturing, s *encoder.Settings) { s.Width, s.Height = 640, 480 }, known: true},
		"a camera that is slower": {change: func(_ *picturing, s *encoder.Settings) { s.Rate.Num = 30 }, known: true},
		"the camera's own rate":   {change: func(p *picturing, _ *encoder.Settings) { p.Framerate = "" }, known: true},
		"another size":            {change: func(_ *picturing, s *encoder.Settings) { s.Width, s.Height = 320, 240 }},
		"another source":          {change: func(p *picturing, _ *encoder.Settings) { p.Source = "pattern" }},
		"another encoder":         {change: func(p *picturing, _ *encoder.Settings) { p.Encoder = "hard" }},
		"a lower rate":            {change: func(_ *picturing, s *encoder.Settings) { s.Rate.Num = 5 }},
		"another profile":         {change: func(_ *picturing, s *encoder.Settings) { s.Profile = encoder.Main }},
		"another level":           {change: func(_ *picturing, s *encoder.Settings) { s.Level = 31 }},
		"sets of another size":    {change: func(p *picturing, _ *encoder.Settings) { p.Resolution = "640x360" }},
		"no hexadecimal":          {change: func(p *picturing, _ *encoder.Settings) { p.SPS += "x" }, wrong: true},
		"half an SPS":             {change: func(p *picturing, _ *encoder.Settings) { p.SPS = p.SPS[:8] }, wrong: true},
		"no PPS":                  {change: func(p *picturing, _ *encoder.Settings) { p.PPS = "" }, wrong: true},
		"no size":                 {change: func(p *picturing, _ *encoder.Settings) { p.Resolution = "" }, wrong: true},
	} {
		p, s := whole, begin
		if c.change != nil {
			c.change(&p, &s)
		}
		was, err := p.description("auto", "soft", s)
		if (len(was.SPS) > 0) != c.known || (err != nil) != c.wrong {
			t.Errorf("%s: %+v, %v", name, was, err)
		}
		if c.known && (was.Bitrate != s.Bitrate || hex.EncodeToString(was.SPS) != p.SPS) {
			t.Errorf("%s: %+v", name, was)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, setsFile), []byte("sps = 'half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if was, err := (&keptSets{}).read(dir, begin); err == nil || was.SPS != nil {
		t.Errorf("%+v, %v", was, err)
	}
	if was, err := (&keptSets{}).read(t.TempDir(), begin); err != nil || was.SPS != nil {
		t.Errorf("%+v, %v", was, err)
	}
	var none *keptSets
	none.settle(begin)
	if err := none.write(nil); err != nil {
		t.Error(err)
	}
}
