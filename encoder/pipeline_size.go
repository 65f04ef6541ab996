package encoder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// What a smaller picture is taken for.
const (
	halvingsMost = 2                // of both sides
	leastWidth   = 160              // pixels that are left at least
	leastHeight  = 90               // likewise
	fewRate      = 2                // the share of the frames per second that is left before the picture is made smaller
	roomToGrow   = 1.3              // times what a picture needs, before it is made larger again
	sizeHold     = 30 * time.Second // between two changes of the size
)

// size as people write it.
func (s Settings) size() string { return fmt.Sprintf("%dx%d", s.Width, s.Height) }

// halved are the settings with both sides halved n times, to even numbers.
func (s Settings) halved(n int) Settings {
	if n > 0 && s.Width > 0 {
		s.Width, s.Height = s.Width>>n&^1, s.Height>>n&^1
	}
	return s
}

// needs is the least bit rate at which pictures of this size are better than smaller
// ones, in bit/s.
func (s Settings) needs() float64 {
	return leastBits * float64(s.Width*s.Height) * s.Rate.Float() / fewRate
}

// halvings are how often both sides are to be halved at a bit rate, when they were so
// many times until now.
func (s Settings) halvings(bps, now int) int {
	n := 0
	for ; n < halvingsMost; n++ {
		least, next := s.halved(n).needs(), s.halved(n+1)
		if n < now {
			least *= roomToGrow
		}
		if float64(bps) >= least || next.Width < leastWidth || next.Height < leastHeight {
			break
		}
	}
	return n
}

// resize takes a smaller picture where the bit rate is too low for this one, and a
// larger one again where it is not. The caller holds changing.
func (p *Pipeline) resize(ctx context.Context, s Settings, bps int) {
	n := s.halvings(bps, p.halvings)
	if !p.cfg.AdaptResolution || n == p.halvings || !p.resized.IsZero() && time.Since(p.resized) < sizeHold {
		return
	}
	before := p.halvings
	p.resized = time.Now() // also of what cannot be had: it is asked for again later
	from, to := s.halved(before), s.halved(n)
	err := p.possible(ctx, from, to)
	if err == nil {
		if err = p.halt(ctx, true); err == nil {
			err = p.beginHalved(s, n)
		}
		if err != nil {
			p.cfg.Log.Warn("a picture of another size was refused half-way; going back", "error", err)
			n, err = before, p.beginHalved(s, before)
		}
		p.rest()
	}
	switch {
	case err != nil:
		p.cfg.Log.Debug("no picture of another size", "size", to.size(), "error", err)
	case n > before:
		p.cfg.Log.Info("the network carries little: the picture is made smaller", "size", to.size(), "from", from.size())
	case n < before:
		p.cfg.Log.Info("the network is less of a limit now: the picture is made larger", "size", to.size(), "from", from.size())
	}
}

// fitted are the settings as the network needs them now, to begin with.
func (p *Pipeline) fitted(s Settings) Settings {
	s.Bitrate = s.lowered(cmp.Or(p.wanted, s.Bitrate)).Bitrate
	return s.halved(p.halvings)
}

// filled takes over what source and codec made of settings, but for the size that is
// only made smaller for now.
func (p *Pipeline) filled(s, sent Settings) Settings {
	if p.halvings > 0 {
		sent.Width, sent.Height, sent.Rate = s.Width, s.Height, s.Rate
	}
	return sent
}

// beginHalved begins with both sides halved n times.
func (p *Pipeline) beginHalved(s Settings, n int) error {
	p.halvings = n
	return p.begin(context.Background(), s)
}

// ResolutionNow is the size of the pictures that are sent, as "640x360".
func (p *Pipeline) ResolutionNow() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flow == nil {
		return "unknown"
	}
	return p.told.size()
}

// smaller is a smaller picture to try after an error: the driver lacked memory,
// or a size on the way to a smaller one is not offered.
func smaller(asked, got Settings, err error, shrunk bool) (Settings, bool) {
	var op *v4l2.OpError
	var unknown *capture.NotOffered
	lacks := errors.As(err, &op) && op.Op == "VIDIOC_REQBUFS" && errors.Is(err, unix.ENOMEM)
	if !lacks && !(shrunk && errors.As(err, &unknown)) {
		return asked, false
	}
	for _, size := range [][2]int{{1920, 1080}, {1280, 720}, {640, 480}, {640, 360}, {320, 240}} {
		if size[0]*size[1] < got.Width*got.Height {
			asked.Width, asked.Height = size[0], size[1]
			return asked, true
		}
	}
	return asked, false
}
