package encoder

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture"
)

// What a slate is: a picture that says that there is none, for decoders and
// recorders that would take a stream without pictures for a broken one.
const (
	slateEvery   = 500 * time.Millisecond // from one to the next
	slateGOP     = 10                     // who joins waits 5 s at most, and asks for a key frame before
	slateBitrate = 200_000                // bit/s at most; one still picture needs little
)

// A slate shows viewers that there is no signal, in the size that was sent, so
// that nobody's decoder has to change. It belongs to one goroutine.
type slate struct {
	p      *Pipeline
	codec  Codec // nil: nothing is shown
	of     Settings
	frame  capture.Frame
	failed bool // said, until the camera is back
}

// slates shows one whenever the stream stands still, until ctx ends.
func (p *Pipeline) slates(ctx context.Context) {
	s := slate{p: p}
	s.frame.DMABuf = -1
	s.frame.Init(func() {})
	defer s.close()
	tick := time.NewTicker(slateEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !p.standsStill() {
			s.close()
			s.failed = false
			continue
		}
		if err := s.show(); err != nil && !s.failed {
			s.failed = true
			p.cfg.Log.Warn("viewers cannot be shown that there is no signal", "error", err)
		}
	}
}

// standsStill tells whether viewers have waited for a picture so long that the
// queues are restarted, or there is no camera.
func (p *Pipeline) standsStill() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.health.state != healing && !absent(p.health.state) {
		return false
	}
	interval := max(p.settings.Rate.Interval(), p.thin.interval)
	return p.clock()-time.Duration(p.pictured.Load()) >= 2*silenceUnit(interval)
}

// show sends one picture, the first as a key frame.
func (s *slate) show() error {
	now := s.p.shown()
	if now.Width == 0 { // there was no camera yet
		now.Width, now.Height = 640, 360
	}
	now.Rate, now.GOP, now.Bitrate, now.Mode = capture.Rate{Num: int(time.Second / slateEvery), Den: 1}, slateGOP, slateBitrate, VBR
	if s.codec == nil || now != s.of {
		s.close()
		if err := s.open(now); err != nil {
			return err
		}
	}
	if s.p.keyframe.Swap(false) {
		_ = s.codec.ForceKeyFrame() // the next one comes by itself
	}
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	s.frame.Timestamp = time.Duration(t.Nano())
	s.frame.Lend()
	_, err := s.codec.Encode(&s.frame)
	return err
}

// shown are the settings, with the size of the pictures that were sent last, which the
// network may have made smaller.
func (p *Pipeline) shown() Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.settings
	if p.told.Width > 0 {
		s.Width, s.Height = p.told.Width, p.told.Height
	}
	return s
}

func (s *slate) open(of Settings) error {
	codec, err := s.p.cfg.OpenSlate()
	if err != nil {
		return err
	}
	format, data := capture.NoSignal(of.Width, of.Height)
	format.Rate = of.Rate
	if _, err = codec.Configure(format, of); err == nil {
		err = codec.Start(s.p.publishSlate, func(error) {})
	}
	if err != nil {
		_ = codec.Close() // it never ran
		return err
	}
	s.codec, s.of, s.frame.Data = codec, of, data
	s.p.cfg.Log.Info("viewers are shown that there is no signal")
	return nil
}

func (s *slate) close() {
	if s.codec == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	_ = s.codec.Stop(ctx) // what viewers still hold lies in memory of ours
	_ = s.codec.Close()
	s.codec, s.frame.Data = nil, nil
}

// publishSlate is the gate for slates, which no picture of the camera follows but
// a later key frame. It takes the unit over.
func (p *Pipeline) publishSlate(u *Unit) {
	p.gate.Lock()
	defer p.gate.Unlock()
	if !p.standsStill() {
		u.Release()
		return
	}
	p.slated = u.timestamp
	p.cfg.PublishSlate(u)
}

// follows tells whether viewers can decode a unit after what they were shown. The
// caller holds the gate.
func (p *Pipeline) follows(u *Unit) bool {
	if p.slated > 0 && (!u.key || u.timestamp <= p.slated) {
		p.RequestKeyFrame()
		return false
	}
	p.slated = 0
	return true
}
