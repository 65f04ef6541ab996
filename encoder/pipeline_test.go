package encoder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A fakeSource gives a frame each millisecond, up to 1280x720, and says that they
// come at up to 60/s.
type fakeSource struct {
	mu       sync.Mutex
	format   capture.Format
	running  bool
	closed   bool
	frame    *capture.Frame
	lent     bool
	at       time.Duration
	controls map[uint32]int64
	refuse   int64         // a control value that the driver refuses
	busy     bool          // SetRate is refused
	slow     time.Duration // Control takes so long
	asked    int           // how often Control was called
	ill      error         // of Choices and Control
	fails    error         // of Next
	mute     bool          // Next gives nothing
}

func newFakeSource() *fakeSource {
	s := &fakeSource{controls: map[uint32]int64{1: 10, 2: 20}, refuse: -1}
	s.frame = &capture.Frame{DMABuf: -1}
	s.frame.Init(func() { s.mu.Lock(); s.lent = false; s.mu.Unlock() })
	return s
}

func (s *fakeSource) Name() string { return "fake camera" }

func (s *fakeSource) Choices(w capture.Wish) ([]capture.Choice, error) {
	if w.Width == 0 {
		w.Width, w.Height = 640, 480
	}
	if w.Width > 1280 || w.Height > 720 {
		return nil, &capture.NotOffered{Source: s.Name(), Wanted: fmt.Sprintf("%dx%d", w.Width, w.Height), Offers: "up to 1280x720"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ill != nil {
		return nil, s.ill
	}
	rate := w.Rate
	if rate.Float() > 60 {
		rate = capture.Rate{Num: 60, Den: 1}
	}
	return []capture.Choice{{FourCC: v4l2.YU12, Width: w.Width, Height: w.Height, Rate: rate, Reason: "it is the only one"}}, nil
}

func (s *fakeSource) Configure(c capture.Choice) (capture.Format, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return capture.Format{}, unix.EBUSY
	}
	stride := max(c.Stride, c.Width)
	s.format = capture.Format{FourCC: c.FourCC, Width: c.Width, Height: c.Height, Stride: stride, Rate: c.Rate, Buffers: 1}
	return s.format, nil
}

func (s *fakeSource) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
	return nil
}

func (s *fakeSource) Next(deadline time.Time) (*capture.Frame, error) {
	time.Sleep(time.Millisecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails != nil {
		return nil, s.fails
	}
	if s.mute || s.lent {
		return nil, os.ErrDeadlineExceeded
	}
	s.lent = true
	s.at += s.format.Rate.Interval()
	s.frame.Timestamp = s.at
	s.frame.Lend()
	return s.frame, nil
}

func (s *fakeSource) SetRate(r capture.Rate) (capture.Rate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		return s.format.Rate, unix.EBUSY
	}
	s.format.Rate = r
	return r, nil
}

func (s *fakeSource) Controls() ([]v4l2.Control, error) {
	return []v4l2.Control{
		{ID: 1, Name: "Brightness", Type: v4l2.Integer, Min: 0, Max: 100, Step: 1},
		{ID: 2, Name: "Exposure Time, Absolute", Type: v4l2.Integer, Min: 0, Max: 1000, Step: 10},
		{ID: 3, Name: "Power Line", Type: v4l2.Menu, Min: 0, Max: 2, Step: 1, Menu: []v4l2.MenuItem{{Index: 0, Name: "Disabled"}, {Index: 2, Name: "60 Hz"}}},
		{ID: 4, Name: "Serial", Type: v4l2.Integer, Max: 9, Flags: v4l2.ControlReadOnly},
		{ID: 5, Name: "Restart", Type: v4l2.Button},
	}, nil
}

func (s *fakeSource) Control(id uint32) (int64, error) {
	s.mu.Lock()
	slow := s.slow
	s.asked++
	s.mu.Unlock()
	time.Sleep(slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.controls[id], s.ill
}

func (s *fakeSource) SetControl(id uint32, v int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v == s.refuse {
		return unix.EIO
	}
	s.controls[id] = v
	return nil
}

func (s *fakeSource) Dropped() uint64 { return 3 }

func (s *fakeSource) Stop(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	return nil
}

func (s *fakeSource) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// A fakeCodec makes each frame a unit at once. Its lines are 64-aligned.
type fakeCodec struct {
	mu       sync.Mutex
	settings Settings
	deliver  func(*Unit)
	failed   func(error)
	keys     int
	began    int
	refuse   int // Start refuses pictures of this width
	stops    int
	n        Counters
	closed   bool
	silent   bool          // Encode gives nothing
	mends    rung          // what ends the silence, keyFrame or restart
	hang     chan struct{} // Encode returns when it is closed, if it is not nil
	stuck    bool          // Drain waits in vain
	lacks    int           // Start lacks memory for pictures wider than this, if it is not 0
}

func (c *fakeCodec) Name() string            { return "fake encoder" }
func (c *fakeCodec) Imports() []v4l2.FourCC  { return []v4l2.FourCC{v4l2.YU12} }
func (c *fakeCodec) Converts() []v4l2.FourCC { return nil }

func (c *fakeCodec) Check(s Settings) error {
	if s.Bitrate > 25_000_000 {
		return &Refused{"bitrate", fmt.Sprint(s.Bitrate), "up to 25000000"}
	}
	return s.Validate()
}

func (c *fakeCodec) Configure(f capture.Format, s Settings) (capture.Format, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settings = s
	f.Stride = (f.Width + 63) / 64 * 64
	return f, nil
}

func (c *fakeCodec) Start(deliver func(*Unit), failed func(error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.settings.Width == c.refuse {
		return unix.EINVAL
	}
	if c.lacks > 0 && c.settings.Width > c.lacks {
		return &v4l2.OpError{Op: "VIDIOC_REQBUFS", Device: "/dev/video11", Err: unix.ENOMEM}
	}
	c.silent = c.silent && c.mends != restart
	c.deliver, c.failed, c.began = deliver, failed, c.began+1
	return nil
}

func (c *fakeCodec) Encode(f *capture.Frame) (bool, error) {
	defer f.Release()
	c.mu.Lock()
	if c.silent {
		c.mu.Unlock()
		return true, nil
	}
	if hang := c.hang; hang != nil {
		c.mu.Unlock()
		<-hang
		c.mu.Lock()
	}
	c.n.Encoded++
	u := &Unit{timestamp: f.Timestamp, nalus: [][]byte{{0x65, byte(c.settings.Width >> 8), byte(c.settings.Width)}}, key: true}
	deliver := c.deliver
	c.mu.Unlock()
	u.Init(func() {})
	u.Lend()
	deliver(u)
	return true, nil
}

func (c *fakeCodec) Set(s Settings) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settings = s
	return nil
}

func (c *fakeCodec) ForceKeyFrame() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys++
	c.silent = c.silent && c.mends != keyFrame
	return nil
}

func (c *fakeCodec) Drain(ctx context.Context) error {
	c.mu.Lock()
	stuck := c.stuck
	c.mu.Unlock()
	if !stuck {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (c *fakeCodec) Stop(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stops++
	return nil
}

func (c *fakeCodec) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return nil
}

func (c *fakeCodec) Counters() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func (c *fakeCodec) Settings() Settings {
	s, _ := c.inForce()
	s.Bitrate -= s.Bitrate % 25000
	return s
}

func (c *fakeCodec) inForce() (s Settings, began int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.settings, c.began
}

// A rig is a running pipeline of fakes.
type rig struct {
	*Pipeline
	source *fakeSource
	codec  *fakeCodec
	ended  chan error
	cancel context.CancelFunc

	mu    sync.Mutex
	times []time.Duration
	width int  // of the latest unit
	late  bool // there was one of width 4242
}

func newRig(t *testing.T) *rig {
	return newRigWith(t, func(*rig, *PipelineConfig) {})
}

// newRigWith lets adapt change what is joined.
func newRigWith(t *testing.T, adapt func(*rig, *PipelineConfig)) *rig {
	r := startRigWith(t, adapt, func(*rig) {})
	r.wait(t, func() bool { return len(r.times) > 0 })
	return r
}

// startRigWith does not wait for units; before is called before it runs.
func startRigWith(t *testing.T, adapt func(*rig, *PipelineConfig), before func(*rig)) *rig {
	r := &rig{source: newFakeSource(), codec: &fakeCodec{refuse: 1000}, ended: make(chan error, 1)}
	cfg := PipelineConfig{
		Source: r.source, Encoder: r.codec, Settings: DefaultSettings(),
		Publish: func(u *Unit) {
			r.mu.Lock()
			r.times = append(r.times, u.Timestamp())
			r.late = r.late || int(u.NALUs()[0][1])<<8|int(u.NALUs()[0][2]) == 4242
			r.width = int(u.NALUs()[0][1])<<8 | int(u.NALUs()[0][2])
			r.mu.Unlock()
			u.Release()
		},
		Log: slog.New(slog.NewTextHandler(&bytes.Buffer{}, nil)),
	}
	adapt(r, &cfg)
	r.Pipeline = NewPipeline(cfg)
	before(r)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- r.Run(ctx) }()
	t.Cleanup(func() { r.stop(t) })
	return r
}

func (r *rig) stop(t *testing.T) {
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	r.ended <- nil
}

func (r *rig) wait(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		r.mu.Lock()
		done := ok()
		r.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not come to pass")
		}
		time.Sleep(time.Millisecond)
	}
}

func (r *rig) set(changes ...string) error {
	var ps []Parameter
	for _, c := range changes {
		name, value, _ := strings.Cut(c, "=")
		ps = append(ps, Parameter{name, value})
	}
	return r.Set(context.Background(), ps)
}

func TestPipelineChangesRunningCodec(t *testing.T) {
	r := newRig(t)
	if err := r.set("bitrate=3012345", "gop=25", "framerate=25", "brightness=42", "power_line=60 Hz"); err != nil {
		t.Fatal(err)
	}
	s, began := r.codec.inForce()
	if s.Bitrate != 3_012_345 || s.GOP != 25 || s.Rate.String() != "25" || began != 1 {
		t.Errorf("the codec has %+v and began %d times, want once", s, began)
	}
	for name, want := range map[string]string{
		"bitrate": "3000000", "gop": "25", "framerate": "25", "brightness": "42", "power_line": "2",
		"resolution": "640x480", "profile": "high", "level": "4.0", "bitrate_mode": "vbr",
	} {
		if got, err := r.Get(name); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestPipelineChangesResolution(t *testing.T) {
	r := newRig(t)
	for _, size := range []string{"1280x720", "642x362", "640x480"} {
		if err := r.set("resolution=" + size); err != nil {
			t.Fatal(err)
		}
		var w, h int
		_, _ = fmt.Sscanf(size, "%dx%d", &w, &h)
		r.wait(t, func() bool { return r.width == w })
		if got, _ := r.Get("resolution"); got != size {
			t.Errorf("the resolution is %s, not %s", got, size)
		}
		if r.source.format.Stride%64 != 0 {
			t.Errorf("%s: lines of %d bytes, which the codec cannot import", size, r.source.format.Stride)
		}
	}
}

func TestPipelineRefusesAllOrNothing(t *testing.T) {
	r := newRig(t)
	before := r.Settings()
	for _, c := range []struct {
		changes []string
		name    string
		reason  error
	}{
		{changes: []string{"bitrate=1000000", "resolution=1920x1080"}, name: "resolution"},
		{changes: []string{"brightness=50", "framerate=90", "level=5.1"}, name: "framerate"},
		{changes: []string{"brightness=50", "bitrate=26000000", "level=5.1"}, name: "bitrate"},
		{changes: []string{"brightness=500"}, name: "brightness"},
		{changes: []string{"power_line=1"}, name: "power_line"},
		{changes: []string{"brightness=50", "exposure_time_absolute=77"}, name: "exposure_time_absolute"},
		{changes: []string{"gop=0"}, name: "gop"},
		{changes: []string{"keyframe=soon"}, name: "keyframe"},
		{changes: []string{"gop=5", "serial=1"}, name: "serial", reason: ErrReadOnly},
		{changes: []string{"gop=5", "colour=1"}, name: "colour", reason: ErrUnknown},
	} {
		r.source.refuse = 77
		err := r.set(c.changes...)
		var refused *Refused
		var named *NameError
		switch {
		case c.reason != nil:
			if !errors.As(err, &named) || named.Name != c.name || !errors.Is(err, c.reason) {
				t.Errorf("%v: %v, want %v of %s", c.changes, err, c.reason, c.name)
			}
		case !errors.As(err, &refused) || refused.Name != c.name:
			t.Errorf("%v: %v, want a refusal of %s", c.changes, err, c.name)
		}
		if now := r.Settings(); now != before {
			t.Errorf("%v: settings changed to %+v", c.changes, now)
		}
		if v, _ := r.Get("brightness"); v != "10" {
			t.Errorf("%v: brightness is %s, not 10 as before", c.changes, v)
		}
	}
}

func TestPipelineGoesBackWhenTheDriverRefuses(t *testing.T) {
	r := newRig(t)
	r.codec.refuse = 800
	err := r.set("brightness=50", "resolution=800x600")
	var refused *Refused
	if !errors.As(err, &refused) || refused.Name != "resolution" {
		t.Fatalf("%v, want a refusal of the resolution", err)
	}
	if got, _ := r.Get("resolution"); got != "640x480" {
		t.Errorf("the resolution is %s", got)
	}
	if got, _ := r.Get("brightness"); got != "10" {
		t.Errorf("brightness is %s, not 10 as before", got)
	}
	r.mu.Lock()
	n := len(r.times)
	r.mu.Unlock()
	r.wait(t, func() bool { return len(r.times) > n+5 && r.width == 640 })
}

func TestPipelineThinsWhereTheCameraCannotSlowDown(t *testing.T) {
	r := newRig(t)
	r.source.mu.Lock()
	r.source.busy = true
	r.source.mu.Unlock()
	if err := r.set("framerate=10"); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.times = nil
	r.mu.Unlock()
	r.wait(t, func() bool { return len(r.times) > 30 })
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 2; i < len(r.times); i++ {
		if d := r.times[i] - r.times[i-1]; d < 99*time.Millisecond || d > 101*time.Millisecond {
			t.Fatalf("unit %d comes %v after the one before, want 100 ms", i, d)
		}
	}
	if _, began := r.codec.inForce(); began != 1 {
		t.Error("the codec was begun anew")
	}
}

func TestPipelineBeginsAnewForAHigherRate(t *testing.T) {
	r := newRig(t)
	r.source.mu.Lock()
	r.source.busy = true
	r.source.mu.Unlock()
	if err := r.set("framerate=50"); err != nil {
		t.Fatal(err)
	}
	if s, began := r.codec.inForce(); began != 2 || s.Rate.String() != "50" {
		t.Errorf("began %d times at %s, want twice and 50", began, s.Rate)
	}
}

func TestPipelineRaisesTheLevel(t *testing.T) {
	r := newRig(t)
	if err := r.set("resolution=1280x720", "framerate=60"); err != nil {
		t.Fatal(err)
	}
	if err := r.set("bitrate=24000000"); err != nil {
		t.Fatal(err)
	}
	if err := r.set("level=1.1"); err == nil {
		t.Error("720p60 at level 1.1 was accepted")
	}
}

func TestPipelineAsksForKeyFrames(t *testing.T) {
	r := newRig(t)
	if err := r.set("keyframe=now"); err != nil {
		t.Fatal(err)
	}
	r.wait(t, func() bool { r.codec.mu.Lock(); defer r.codec.mu.Unlock(); return r.codec.keys == 1 })
	if _, err := r.Get("keyframe"); !errors.Is(err, ErrWriteOnly) {
		t.Errorf("reading keyframe: %v", err)
	}
	if _, err := r.Get("restart"); !errors.Is(err, ErrWriteOnly) {
		t.Errorf("reading a button: %v", err)
	}
}

func TestPipelineStopsWhileTheCameraIsSilent(t *testing.T) {
	r := newRig(t)
	r.source.mu.Lock()
	r.source.mute = true
	r.source.mu.Unlock()
	r.stop(t)
	if n := r.Counts(); n.Captured == 0 || n.Encoded != n.Captured || n.Dropped != 3 {
		t.Errorf("counts %+v", n)
	}
}

func TestThinner(t *testing.T) {
	rate := func(n, d int) capture.Rate { return capture.Rate{Num: n, Den: d} }
	for _, c := range []struct {
		given, wanted capture.Rate
		frames        int // of 300
	}{
		{rate(30, 1), rate(30, 1), 300},
		{rate(30, 1), rate(30000, 1001), 300},
		{rate(60, 1), rate(25, 1), 125},
		{rate(30, 1), rate(15, 1), 150},
		{rate(30, 1), rate(1, 1), 10},
		{rate(25, 1), rate(30, 1), 300},
		{capture.Rate{}, rate(30, 1), 300},
	} {
		var th thinner
		th.set(c.given, c.wanted)
		taken, interval := 0, time.Second/30
		if c.given.Num > 0 {
			interval = c.given.Interval()
		}
		for i := range 300 {
			if th.take(time.Hour + time.Duration(i)*interval) {
				taken++
			}
		}
		if taken < c.frames-1 || taken > c.frames+1 {
			t.Errorf("%s thinned to %s takes %d of 300, want %d", c.given, c.wanted, taken, c.frames)
		}
	}
}

func TestParseResolution(t *testing.T) {
	for s, ok := range map[string]bool{
		"1280x720": true, "16x16": true, "8192x8192": true, "": false, "x": false, "1280": false, "1281x720": false,
		"1280x721": false, "-2x4": false, "1280X720": false, "1280x720x3": false, "9000x720": false, "14x720": false,
	} {
		if _, _, err := ParseResolution(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}
