package encoder

import (
	"context"
	"errors"
	"fmt"
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
	Source   Source
	Encoder  Codec          // for raw frames; nil: the source must give H.264
	Passing  Codec          // for sources that give H.264
	Settings Settings       // to begin with; a width of 0 leaves the size to the source
	Publish  func(*Unit)    // takes each unit over
	Changed  func(Settings) // is told the settings in force, after each change; may be nil
	Log      *slog.Logger
}

// A Pipeline joins a source and a codec, and changes both while they run.
//
// The journey of a frame: feed takes it from the source and gives it to the
// codec; the codec delivers a unit to Publish. The journey of a change: Set
// (parameters.go) validates it; change makes it, in the running codec where that
// is possible, else by halt, which lets every frame under way come out, and
// begin with the new settings. Where that fails it begins with the old ones.
type Pipeline struct {
	cfg      PipelineConfig
	controls []v4l2.Control // of the source

	changing sync.Mutex // one change at a time; also held while it starts and ends

	mu       sync.Mutex // guards what is in force
	settings Settings
	format   capture.Format
	choice   capture.Choice
	codec    Codec // nil: halted
	feeding  chan struct{}
	thin     thinner

	halting  atomic.Bool
	keyframe atomic.Bool // asked for, not yet passed to the codec
	captured atomic.Uint64
	skipped  atomic.Uint64 // frames that the codec had no room for, or that were faulty
	failure  chan error    // capacity 1: the first failure counts; never closed
}

// haltLimit bounds how long a change waits for what is under way.
const haltLimit = 5 * time.Second

// NewPipeline takes the source and the codecs over; Run closes them.
func NewPipeline(cfg PipelineConfig) *Pipeline {
	p := &Pipeline{cfg: cfg, settings: cfg.Settings, failure: make(chan error, 1)}
	controls, err := cfg.Source.Controls()
	if err != nil {
		cfg.Log.Warn("the camera's controls cannot be listed", "camera", cfg.Source.Name(), "error", err)
	}
	p.controls = controls
	return p
}

// Run streams until ctx ends, and gives the devices back. The error says what
// failed before.
func (p *Pipeline) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, p.Close()) }()
	p.changing.Lock()
	err = p.begin(p.settings)
	p.changing.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.failure:
		return err
	}
}

// Close gives the devices of a pipeline back that was not run.
func (p *Pipeline) Close() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	err := p.halt(false)
	err = errors.Join(err, p.cfg.Source.Close())
	for _, c := range []Codec{p.cfg.Encoder, p.cfg.Passing} {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// begin configures source and codec for the settings, and starts both.
func (p *Pipeline) begin(s Settings) error {
	codec, format, choice, err := p.prepare(&s)
	if err != nil {
		return err
	}
	return p.start(codec, s, format, choice)
}

// prepare configures the best choice that works, and fills in what the settings
// left open.
func (p *Pipeline) prepare(s *Settings) (codec Codec, format capture.Format, choice capture.Choice, err error) {
	choices, err := p.cfg.Source.Choices(p.wish(*s))
	if err != nil {
		return nil, format, choice, err
	}
	for _, choice = range choices {
		if codec, format, err = p.configure(choice, s); err == nil {
			return codec, format, choice, nil
		}
		p.cfg.Log.Debug("format not usable", "choice", choice.Reason, "error", err)
	}
	return nil, format, choice, err
}

// start lets configured source and codec run.
func (p *Pipeline) start(codec Codec, s Settings, format capture.Format, choice capture.Choice) error {
	p.mu.Lock()
	p.settings, p.format, p.choice, p.codec = s, format, choice, codec
	p.thin.set(format.Rate, s.Rate)
	p.feeding = make(chan struct{})
	p.mu.Unlock()
	p.halting.Store(false)
	p.tell(s)
	err := codec.Start(p.cfg.Publish, p.fail)
	if err == nil {
		if err = p.cfg.Source.Start(); err != nil {
			err = errors.Join(err, codec.Stop(context.Background()))
		}
	}
	if err != nil {
		p.mu.Lock()
		p.codec = nil
		p.mu.Unlock()
		return err
	}
	p.cfg.Log.Info("streaming", "camera", p.cfg.Source.Name(), "encoder", codec.Name(),
		"size", fmt.Sprintf("%dx%d", s.Width, s.Height), "rate", s.Rate, "bitrate", s.Bitrate, "why", choice.Reason)
	go p.feed(codec, p.feeding)
	return nil
}

// A Plan says what a pipeline would open.
type Plan struct {
	Camera, Encoder string
	Settings        Settings
	Why             string // this format
}

// Plan configures the devices as Run would, without starting them.
func (p *Pipeline) Plan() (Plan, error) {
	p.changing.Lock()
	defer p.changing.Unlock()
	s := p.Settings()
	codec, _, choice, err := p.prepare(&s)
	if err != nil {
		return Plan{}, err
	}
	return Plan{p.cfg.Source.Name(), codec.Name(), s, choice.Reason}, nil
}

// tell passes on what is in force, without a bit rate that nobody knows.
func (p *Pipeline) tell(s Settings) {
	if p.passing() {
		s.Bitrate = 0
	}
	if p.cfg.Changed != nil {
		p.cfg.Changed(s)
	}
}

// passing tells whether the source does the encoding.
func (p *Pipeline) passing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.codec != nil && p.codec == p.cfg.Passing
}

// wish is what the settings ask of the source.
func (p *Pipeline) wish(s Settings) capture.Wish {
	w := capture.Wish{Width: s.Width, Height: s.Height, Rate: s.Rate, PassH264: p.cfg.Passing != nil}
	if p.cfg.Encoder != nil {
		w.Import, w.Convert = p.cfg.Encoder.Imports(), p.cfg.Encoder.Converts()
	}
	return w
}

// configure sets one choice, and fills in what the settings left open. Where
// the codec wants other lines than the source gives, the source is asked for
// the codec's, so that nothing need be copied.
func (p *Pipeline) configure(choice capture.Choice, s *Settings) (Codec, capture.Format, error) {
	format, err := p.cfg.Source.Configure(choice)
	if err != nil {
		return nil, format, err
	}
	codec := p.cfg.Encoder
	if format.FourCC == v4l2.H264 {
		codec = p.cfg.Passing
	}
	s.Width, s.Height = format.Width, format.Height
	// Coded pictures need each other: none of them can be left out.
	if format.Rate.Num > 0 && (codec == p.cfg.Passing || format.Rate.Float() < s.Rate.Float()) {
		s.Rate = format.Rate
	}
	layout, err := codec.Configure(format, *s)
	if err == nil && format.Stride != layout.Stride && codec != p.cfg.Passing {
		choice.Stride = layout.Stride
		if format, err = p.cfg.Source.Configure(choice); err == nil {
			_, err = codec.Configure(format, *s)
		}
	}
	if err == nil && codec != p.cfg.Passing {
		*s = codec.Settings()
	}
	return codec, format, err
}

// halt stops feeding, lets every frame under way come out if drain is set, and
// stops codec and source.
func (p *Pipeline) halt(drain bool) error {
	p.mu.Lock()
	codec, feeding := p.codec, p.feeding
	p.codec = nil
	p.mu.Unlock()
	if codec == nil {
		return nil
	}
	p.halting.Store(true)
	<-feeding
	ctx, cancel := context.WithTimeout(context.Background(), haltLimit)
	defer cancel()
	if drain {
		if err := codec.Drain(ctx); err != nil {
			p.cfg.Log.Warn("the encoder did not finish what it had", "encoder", codec.Name(), "error", err)
		}
	}
	err := codec.Stop(ctx)
	return errors.Join(err, p.cfg.Source.Stop(ctx))
}

// fail notes that the pipeline cannot go on.
func (p *Pipeline) fail(err error) {
	select {
	case p.failure <- err:
	default: // one reason is enough
	}
}
