package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/encoder"
	"lenslet/rtspd/wire"
)

// A plug is a cable that the test pulls.
type plug struct {
	out  atomic.Bool
	clip string // file that is played at its other end; "": the test pattern
}

func (p *plug) open(string, *slog.Logger) (encoder.Source, error) {
	if p.out.Load() {
		return nil, &capture.NoCamera{}
	}
	if p.clip == "" {
		return &plugged{capture.NewPattern(), p}, nil
	}
	clip, err := capture.OpenClip(p.clip, describeSPS)
	return &plugged{clip, p}, err
}

// A plugged source is gone when the cable is out.
type plugged struct {
	encoder.Source
	plug *plug
}

func (p *plugged) Next(deadline time.Time) (*capture.Frame, error) {
	if p.plug.out.Load() {
		return nil, unix.ENODEV
	}
	return p.Source.Next(deadline)
}

// TestUnplugged: while the camera is away changes are refused for now, systemd
// is content, and sessions live; then the same stream goes on.
func TestUnplugged(t *testing.T) {
	systemd := supervisor(t, "200000")
	cable := &plug{}
	url, _ := startWith(t, cable.open, "-set", "resolution=320x240", "-set", "brightness=33")
	var viewers []*viewer
	for _, transport := range []string{"udp", "tcp"} {
		v := dialViewer(t, url)
		v.play(transport)
		v.units(3)
		viewers = append(viewers, v)
	}
	for range 2 {
		v := viewers[0]
		before := v.camerasOpened()
		cable.out.Store(true)
		waitFor(t, 10*time.Second, "the camera is missed", func() bool { return v.get("state") == "no camera" })
		if got := v.camerasOpened(); got != before+1 {
			t.Errorf("the faults are %q, and the camera was opened anew %d times before", v.get("faults"), before)
		}
		res := v.do("SET_PARAMETER", v.base, "gop: 30\r\n")
		if res.Status != wire.ServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("a change without a camera: %d %q", res.Status, res.Body)
		}
		for hear(t, systemd, "WATCHDOG=1", time.Millisecond) { // those of before
		}
		for range 3 {
			if !hear(t, systemd, "WATCHDOG=1", 10*time.Second) {
				t.Fatal("systemd would restart a camera that waits")
			}
		}
		if last := v.get("last_fault"); !strings.Contains(last, "no camera") {
			t.Errorf("the last fault is %q", last)
		}
		cable.out.Store(false)
		for _, v := range viewers {
			v.units(5)
			v.checkContinuity(30 * time.Second)
		}
	}
	v := viewers[1]
	v.set(wire.OK, "gop: 30")
	if got := v.get("brightness"); got != "33" {
		t.Errorf("brightness is %s, not 33 as before", got)
	}
}

// camerasOpened is how often the camera was to be opened anew, as `faults` counts it.
func (v *viewer) camerasOpened() (n int) {
	v.t.Helper()
	faults := v.get("faults")
	_, rest, _ := strings.Cut(faults, " camera=")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		v.t.Errorf("the faults are %q", faults)
	}
	return n
}

// Where the test pattern stands in for a camera, mending the stream brings it
// back: it waits for no camera.
func TestPatternIsOpenedAnew(t *testing.T) {
	d := &daemon{log: slog.New(slog.DiscardHandler), openSource: func(string, *slog.Logger) (encoder.Source, error) {
		return nil, &capture.NoCamera{}
	}}
	d.Source = "auto"
	source, err := d.sourceToBegin(false)
	if err != nil {
		t.Fatal(err)
	}
	again := &reopener{d: d}
	again.know(source)
	if source, err = again.open(); err != nil {
		t.Fatal(err)
	}
	if _, ok := source.(*capture.Pattern); !ok {
		t.Errorf("%T", source)
	}
}

// TestWhatIsWaitedFor: cameras that may come are waited for, mistakes are not.
func TestWhatIsWaitedFor(t *testing.T) {
	none := &capture.NoCamera{}
	missing := fmt.Errorf("camera /dev/video7 cannot be opened: %w", unix.ENOENT)
	for _, c := range []struct {
		source   string
		hardware bool
		err      error
		want     string
	}{
		{"auto", false, none, "test pattern"},
		{"auto", true, none, "waits"},
		{"auto", false, &capture.NoCamera{Looked: []capture.Looked{{Path: "/dev/video0", Err: unix.EIO}}}, "waits"},
		{"auto", true, nil, "opened"},
		{"auto", false, unix.EMFILE, "error"},
		{"/dev/video7", false, missing, "waits"},
		{"/dev/video7", true, unix.EBUSY, "waits"},
		{"/dev/video7", true, unix.EIO, "waits"},
		{"/dev/video7", true, unix.EACCES, "error"},
		{"/dev/v4l/by-id/cam", true, unix.ENODEV, "waits"},
		{"/dev/video7", true, unix.ENOTTY, "error"},
		{"/dev/null", true, unix.ENOTTY, "error"},
		{"file:none.264", false, fs.ErrNotExist, "error"},
	} {
		opened := &stopping{Source: capture.NewPattern()}
		d := &daemon{log: slog.New(slog.DiscardHandler), openSource: func(string, *slog.Logger) (encoder.Source, error) {
			if c.err != nil {
				return nil, c.err
			}
			return opened, nil
		}}
		d.Source = c.source
		source, err := d.sourceToBegin(c.hardware)
		got := "opened"
		switch {
		case err != nil:
			got = "error"
		case source == nil:
			got = "waits"
		case source != encoder.Source(opened):
			got = source.Name()
		}
		if got != c.want || (got == "waits") != (d.away != nil) {
			t.Errorf("%s, %v: %s (%v), want %s", c.source, c.err, got, d.away, c.want)
		}
	}
}

// TestCheckWantsTheCamera: -check does not wait.
func TestCheckWantsTheCamera(t *testing.T) {
	d := &daemon{config: defaults(), stdout: io.Discard, log: slog.New(slog.DiscardHandler), openSource: openSource}
	d.Source = "/dev/video99"
	var usage *usageError
	if err := d.check(); !errors.As(err, &usage) || !strings.Contains(err.Error(), "/dev/video99") {
		t.Errorf("%v", err)
	}
}

// TestBeginsBeforeItsCamera: it serves while it waits, and describes nothing.
func TestBeginsBeforeItsCamera(t *testing.T) {
	newState(t)
	cable := &plug{}
	cable.out.Store(true)
	d, out, _, leave := lateCamera(t, cable)
	url := d.url()
	v := dialViewer(t, url)
	go v.read()
	if res := v.do("DESCRIBE", url, ""); res.Status != wire.ServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("DESCRIBE: %d %q", res.Status, res.Body)
	}
	if got := v.get("state"); got != "no camera" {
		t.Errorf("the state is %q", got)
	}
	cable.out.Store(false)
	waitFor(t, 20*time.Second, "the stream begins", func() bool { return strings.Contains(out.String(), "rtsp://") })
	watcher := dialViewer(t, url)
	watcher.play("tcp")
	watcher.units(3)
	v.close()
	watcher.close()
	leave()
}

// A nodeCodec is an encoder behind a node.
type nodeCodec struct {
	encoder.Codec
	path string
}

func (c *nodeCodec) Path() string { return c.path }

// TestEncoderIsOpenedWhereItWas: no other node is touched, unless the encoder is there
// no more; where that is then is remembered.
func TestEncoderIsOpenedWhereItWas(t *testing.T) {
	var opened []string
	errs := map[string]error{}
	again := &encoderAgain{path: "/dev/video11", open: func(path string) (encoder.Codec, error) {
		if opened = append(opened, path); path == "" {
			path = "/dev/video12"
		}
		return &nodeCodec{path: path}, errs[path]
	}}
	for _, c := range []struct {
		node11, node12 error
		opened         string
		ok             bool
	}{
		{nil, nil, "/dev/video11", true},
		{unix.EIO, nil, "/dev/video11", false},
		{unix.EBUSY, nil, "/dev/video11", false},
		{unix.ENOENT, unix.ENODEV, "/dev/video11 ", false},
		{unix.ENOENT, nil, "/dev/video11 ", true},
		{nil, nil, "/dev/video12", true},
		{nil, errors.New("(cam) is no codec"), "/dev/video12 ", false},
	} {
		opened, errs["/dev/video11"], errs["/dev/video12"] = nil, c.node11, c.node12
		_, err := again.reopen()
		if got := strings.Join(opened, " "); got != c.opened || (err == nil) != c.ok {
			t.Errorf("%v, %v: opened %q, %v; want %q", c.node11, c.node12, got, err, c.opened)
		}
	}
}

// TestHungOpeningKeepsNoOther: what is left behind while it opens a device does not
// keep the next one from it.
func TestHungOpeningKeepsNoOther(t *testing.T) {
	hang, entered := make(chan struct{}), make(chan struct{}, 1)
	var hung sync.WaitGroup
	defer hung.Wait()
	defer close(hang)
	d := &daemon{log: slog.New(slog.DiscardHandler)}
	d.openSource = func(string, *slog.Logger) (encoder.Source, error) {
		select {
		case entered <- struct{}{}:
			<-hang
		default:
		}
		return nil, unix.ENODEV
	}
	again := &reopener{d: d}
	open := func() { _, _ = again.open() }
	hung.Go(open)
	for len(entered) == 0 {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan struct{})
	go func() { open(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("it waits for one that hangs")
	}
}
