package encoder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// A Source gives frames: a camera, a test pattern, a clip.
type Source interface {
	Name() string
	Choices(capture.Wish) ([]capture.Choice, error)
	Configure(capture.Choice) (capture.Format, error)
	Start() error
	Next(deadline time.Time) (*capture.Frame, error)
	SetRate(capture.Rate) (capture.Rate, error)
	Controls() ([]v4l2.Control, error)
	Control(id uint32) (int64, error)
	SetControl(id uint32, value int64) error
	Dropped() uint64
	Stop(context.Context) error
	Close() error
}

// PipelineConfig says what a Pipeline joins.
type PipelineConfig struct {
	Source   Source         // nil: OpenSource opens it
	Encoder  Codec          // for raw frames; nil, without OpenEncoder: the source must give H.264
	Passing  Codec          // for sources that give H.264
	Settings Settings       // to begin with; a width of 0 leaves the size to the source
	Publish  func(*Unit)    // takes each unit over
	Changed  func(Settings) // is told the settings in force, after each change; may be nil
	Log      *slog.Logger

	// What the board tells; each may be nil, or 0.
	Carries func(Settings) error                   // is asked before the codec encodes with the settings; the error is a *Refused
	Begin   func(capture.Rate) (width, height int) // the size where nobody asked for one; 0, or one that is not offered, leaves it to the source
	Buffers int                                    // of the source

	AdaptResolution bool // Adapt may take a smaller picture where fewer pictures are not enough

	// OpenSource and OpenEncoder open the same devices anew, wherever they are
	// by now. They are called again and again while there are none. Where they
	// are nil, the device is never closed before the end.
	OpenSource  func() (Source, error)
	OpenEncoder func() (Codec, error)
	Came        <-chan struct{} // says that a device may have come, so that it is looked for at once; may be nil
	State       func(string)    // is told each new state of Health, and must not call the pipeline; may be nil
	GaveUp      func()          // is called when the stream stands still in spite of all (ladder.go), once each time; may be nil
	Waiting     func()          // is called now and then while there is no camera, never together with Publish; may be nil
	Tended      func()          // is called several times a second while the stream flows, or may yet be mended: until GaveUp; may be nil

	// OpenSlate opens an encoder that reads frames where they lie, and is done with
	// each when Encode returns. While there is no picture one is made by it that
	// says so; nil: viewers see the last one.
	OpenSlate    func() (Codec, error)
	PublishSlate func(*Unit) // takes those over, as Publish does
}

// A Pipeline joins a source and a codec, changes both while they run, and mends
// what fails.
//
// The journey of a frame: feed takes it from the source and gives it to the
// codec; the codec delivers a unit to publish, the gate in front of Publish. The
// journey of a change: Set (parameters.go) validates it; change makes it, in the
// running codec where that is possible, else by halt, which lets every frame
// under way come out, and begin with the new settings. Where that fails it
// begins with the old ones. The journey of a fault (pipeline_heal.go): watch
// sees that no unit comes, or is told; it climbs the ladder (ladder.go), whose
// rungs halt, close what must be opened anew, and begin. No call of a device is
// waited for without a limit (device.go).
type Pipeline struct {
	cfg  PipelineConfig
	left atomic.Int64 // devices that were left behind, and are not yet closed

	changing sync.Mutex // one change at a time; also held while it starts, heals and ends
	halvings int        // of both sides of the picture that is set, for the network; guarded by changing
	resized  time.Time  // when that changed
	wanted   int        // bit/s that Adapt was told last, 0: none; guarded by changing

	mu       sync.Mutex // guards what is in force
	source   *device[Source]
	encoder  *device[Codec]
	passing  *device[Codec]
	controls []v4l2.Control // of the source
	held     []Parameter    // controls that were set: another opening needs them again
	settings Settings
	told     Settings // those of the codec, which may have a lower bit rate and a smaller picture
	format   capture.Format
	choice   capture.Choice
	flow     *flow // nil: halted
	thin     thinner
	past     Counts // of devices that are closed
	health   health

	gate   sync.Mutex    // held by Publish; guards open and slated
	open   *flow         // whose units are published; nil: nobody's
	slated time.Duration // the time of the latest slate (slate.go) since the camera's pictures; 0: none

	keyframe atomic.Bool // asked for, not yet passed to the codec
	captured atomic.Uint64
	skipped  atomic.Uint64 // frames that the codec had no room for, or that were faulty
	seen     atomic.Int64  // when the latest unit was published, or the stream began; as clock gives it
	pictured atomic.Int64  // likewise, of units alone
	made     time.Time
	kick     chan struct{} // capacity 1: something failed; never closed
}

// A flow is the time from a start of source and codec to the halt after it.
type flow struct {
	source  *device[Source]
	codec   *device[Codec]
	passing bool // the source does the encoding
	begun   bool // a key frame was published; guarded by the pipeline's gate
	halting atomic.Bool
	inCodec atomic.Bool // where feed is
	failed  atomic.Pointer[failure]
	fed     chan struct{} // closed by feed
}

// A failure is what a device reported, and the rung that can mend it.
type failure struct {
	mends rung
	err   error
}

// Limits of what is waited for.
const (
	changeLimit = 5 * time.Second        // for what a change asks and sets while frames flow
	drainLimit  = time.Second            // for what is under way to come out: a stream that stands still for longer has its queues restarted anyway
	stopLimit   = time.Second            // for a source and a codec to stop
	feedLimit   = 500 * time.Millisecond // of it, for a codec to take a frame
	closeLimit  = 500 * time.Millisecond // for them to close
	brokeLimit  = 100 * time.Millisecond // for a codec to close that did not stop: it is left behind, most likely
	heldLimit   = 100 * time.Millisecond // for a source to stop whose frames are in a codec that does not
	startLimit  = 5 * time.Second        // for them to open and to start
)

// NewPipeline takes the source and the codecs over; Run closes them.
func NewPipeline(cfg PipelineConfig) *Pipeline {
	p := &Pipeline{cfg: cfg, settings: cfg.Settings, made: time.Now(), kick: make(chan struct{}, 1)}
	p.health.state = "starting"
	if cfg.Encoder != nil {
		p.encoder = newDevice(cfg.Encoder, &p.left)
	}
	if cfg.Passing != nil {
		p.passing = newDevice(cfg.Passing, &p.left)
	}
	if cfg.Source != nil {
		p.adopt(context.Background(), newDevice(cfg.Source, &p.left))
	}
	return p
}

// clock is the time since the pipeline was made.
func (p *Pipeline) clock() time.Duration { return time.Since(p.made) }

// Close gives the devices of a pipeline back that was not run.
func (p *Pipeline) Close() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	err := p.halt(ctx, false)
	ctx, cancel = context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	return errors.Join(err, p.drop(ctx, &p.encoder), p.dropSource(ctx), p.drop(ctx, &p.passing))
}

// begin opens what is not open, and begins with the settings; where memory is
// short, with a smaller picture.
func (p *Pipeline) begin(ctx context.Context, s Settings) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := p.reopen(ctx); err != nil {
		return err
	}
	for shrunk := false; ; shrunk = true {
		got := s
		err := p.beginWith(ctx, &got)
		less, ok := smaller(s, got, err, shrunk)
		if !ok {
			return err
		}
		p.cfg.Log.Warn("a smaller picture is tried", "size", less.size(), "error", err)
		s, p.halvings = less, 0
	}
}

// beginWith configures source and codec for the settings, fills in what they
// left open, and starts both.
func (p *Pipeline) beginWith(ctx context.Context, s *Settings) error {
	sent := p.fitted(*s)
	f, format, choice, err := p.prepare(ctx, &sent)
	if err != nil {
		*s = sent
		return err
	}
	set := p.filled(*s, sent)
	if p.wanted > 0 && p.wanted < s.Bitrate {
		set.Bitrate = s.Bitrate
	}
	*s = set
	return p.start(ctx, f, *s, sent, format, choice)
}

// start lets source and codec run, which are configured for what is sent.
func (p *Pipeline) start(ctx context.Context, f *flow, s, sent Settings, format capture.Format, choice capture.Choice) error {
	p.gate.Lock()
	p.open = f
	p.gate.Unlock()
	p.mu.Lock()
	p.settings, p.told, p.format, p.choice, p.flow = s, sent, format, choice, f
	p.thin.set(format.Rate, sent.Rate)
	p.mu.Unlock()
	p.tell(s)
	err := order(ctx, f.codec, func(c Codec) error {
		return c.Start(func(u *Unit) { p.publish(f, u) }, func(err error) { p.fail(f, reopenCodec, err) })
	})
	if err == nil {
		if err = order(ctx, f.source, Source.Start); err != nil {
			err = errors.Join(err, halted(ctx, f.codec, Codec.Stop))
		}
	}
	if err == nil && !f.codec.enter() {
		err = errSilent
	}
	if err != nil {
		p.cut(f)
		p.mu.Lock()
		p.flow = nil
		p.mu.Unlock()
		return err
	}
	p.cfg.Log.Info("streaming", "camera", f.source.is.Name(), "encoder", f.codec.is.Name(),
		"size", sent.size(), "rate", s.Rate, "bitrate", s.Bitrate, "why", choice.Reason)
	go p.feed(f)
	return nil
}

// publish is the gate: it passes units of the flow under way on, from its first
// key frame. It takes the unit over.
func (p *Pipeline) publish(f *flow, u *Unit) {
	defer u.Release() // not within the gate, which a codec that hangs would hold
	p.gate.Lock()
	defer p.gate.Unlock()
	if p.open != f || !f.begun && !u.key {
		return
	}
	now := int64(p.clock())
	p.seen.Store(now)
	p.pictured.Store(now)
	if !p.follows(u) {
		return
	}
	f.begun = true
	u.Retain()
	p.cfg.Publish(u)
}

// cut lets no more units of the flow through.
func (p *Pipeline) cut(f *flow) {
	p.gate.Lock()
	defer p.gate.Unlock()
	if p.open == f {
		p.open = nil
	}
}

// tell passes on what is in force, without a bit rate that nobody knows.
func (p *Pipeline) tell(s Settings) {
	if p.isPassing() {
		s.Bitrate = 0
	}
	if p.cfg.Changed != nil {
		p.cfg.Changed(s)
	}
}

// isPassing tells whether the source does the encoding.
func (p *Pipeline) isPassing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flow != nil && p.flow.passing
}

// halt stops feeding, lets every frame under way come out if drain is set, and
// stops codec and source. What does not come out in time is lost, which counts as a
// fault; what does not stop is broken.
func (p *Pipeline) halt(ctx context.Context, drain bool) error {
	p.mu.Lock()
	f := p.flow
	p.flow = nil
	p.mu.Unlock()
	if f == nil {
		return nil
	}
	if !drain {
		p.cut(f)
	}
	f.halting.Store(true)
	if drain {
		p.drain(ctx, f)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
	} else {
		f.unfeed(ctx, false)
	}
	err := halted(ctx, f.codec, Codec.Stop)
	p.cut(f)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errSilent) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, heldLimit)
		defer cancel()
	}
	return errors.Join(err, halted(ctx, f.source, Source.Stop))
}

// drain lets every frame under way come out.
func (p *Pipeline) drain(ctx context.Context, f *flow) {
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	f.unfeed(ctx, true)
	if err := order(ctx, f.codec, func(c Codec) error { return c.Drain(ctx) }); err != nil {
		p.note(healing, restart, fmt.Errorf("%s did not finish what it had: %w", f.codec.is.Name(), err))
	}
}

// halted stops a device. One that does not stop is broken.
func halted[D io.Closer](ctx context.Context, d *device[D], stop func(D, context.Context) error) error {
	err := order(ctx, d, func(is D) error { return stop(is, ctx) })
	if err != nil {
		d.setBroken(true)
	}
	return err
}

// fail notes that a device of the flow cannot go on.
func (p *Pipeline) fail(f *flow, mends rung, err error) {
	if f.failed.CompareAndSwap(nil, &failure{mends, err}) { // one reason is enough
		p.call()
	}
}

// call makes watch look now.
func (p *Pipeline) call() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}
