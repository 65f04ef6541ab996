package rtspd

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A Push publishes a stream to another server by ANNOUNCE and RECORD (RFC 2326
// 10.3, 10.11), and begins again whenever that ends. The stream sees one more
// viewer: same packets, same bounds, and a slow server is moved on to a key
// frame.
type Push struct {
	stream *Stream
	udp    *udpPair
	cfg    PushConfig
	name   string // of this software, for User-Agent
	log    *slog.Logger
	to     target
	pushTimes
	live atomic.Pointer[publication] // the one that is under way, nil if there is none

	mu     sync.Mutex
	status string
}

// pushTimes are what tests shorten.
type pushTimes struct {
	first, most time.Duration // between two attempts: the first pause, which doubles up to the last
	steady      time.Duration // the first pause again after publishing for so long
	picture     time.Duration // of the wait for the first picture
	limit       time.Duration // of an answer
	farewell    time.Duration // of the answer to TEARDOWN
	stall       time.Duration // of a connection that takes no byte
}

// maxRedirects is how many redirects one attempt follows.
const maxRedirects = 5

// Push makes the server publish a stream of its own to another server while
// Serve runs. It is called before Serve. An error is one of PushConfig.Validate.
func (s *Server) Push(cfg PushConfig, stream *Stream) (*Push, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	to, err := parseTarget(cfg.URL)
	if err != nil {
		return nil, err
	}
	p := &Push{
		stream: stream, udp: s.udp, cfg: cfg, name: s.cfg.Name, log: s.cfg.Log, to: to, status: "off",
		pushTimes: usualTimes(),
	}
	p.stall = min(p.stall, s.cfg.StallTimeout)
	s.pushes = append(s.pushes, p)
	return p, nil
}

func usualTimes() pushTimes {
	return pushTimes{
		first: time.Second, most: time.Minute, steady: time.Minute, picture: 10 * time.Second, limit: 10 * time.Second, farewell: time.Second,
		stall: 10 * time.Second,
	}
}

// Status is "off" (also of nil), "connecting", "streaming" or "failed: " and
// the reason in words. What failed is tried again; the reason stays until it
// works.
func (p *Push) Status() string {
	if p == nil {
		return "off"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// say changes the status, and logs what is new.
func (p *Push) say(status string) {
	p.mu.Lock()
	same := p.status == status
	p.status = status
	p.mu.Unlock()
	if !same {
		p.log.Info("push", "server", p.to.address(), "status", status)
	}
}

// run publishes until ctx ends.
func (p *Push) run(ctx context.Context) {
	p.say("connecting")
	pause := time.Duration(0)
	for {
		streamed, err := p.attempt(ctx)
		if ctx.Err() != nil {
			p.say("off")
			return
		}
		p.say("failed: " + err.Error())
		pause = p.after(pause, streamed)
		select {
		case <-time.After(jittered(pause)):
		case <-ctx.Done():
		}
	}
}

// after is the pause that follows another one (0: none yet) and an attempt that
// lasted for so long.
func (t pushTimes) after(last, streamed time.Duration) time.Duration {
	if last == 0 || streamed >= t.steady {
		return t.first
	}
	return min(2*last, t.most)
}

// jittered is somewhere in the quarter below and the quarter above, so that
// cameras that lost the same server do not return in one moment.
func jittered(d time.Duration) time.Duration {
	return d - d/4 + rand.N(d/2+1)
}

// attempt publishes once, wherever redirects lead. It tells for how long
// pictures went out, and why no longer.
func (p *Push) attempt(ctx context.Context) (streamed time.Duration, _ error) {
	if err := p.awaitPicture(ctx); err != nil {
		return 0, err
	}
	to := p.to
	for range maxRedirects + 1 {
		c, err := p.dial(ctx, to)
		if err != nil {
			return streamed, err
		}
		lasted, err := c.publish(ctx)
		streamed += lasted
		var moved *movedError
		if !errors.As(err, &moved) {
			return streamed, err
		}
		if to, err = to.redirected(moved.location); err != nil {
			return streamed, err
		}
	}
	return streamed, errors.New("the server redirects again and again")
}

// awaitPicture waits for the parameter sets, without which nothing can be
// announced.
func (p *Push) awaitPicture(ctx context.Context) error {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for limit := time.Now().Add(p.picture); ; {
		if _, ok := p.stream.describe(p.name, netip.IPv4Unspecified()); ok && !p.stream.isRecalled() {
			return nil
		}
		if time.Now().After(limit) {
			return errors.New("the camera gives no picture")
		}
		p.stream.wantKeyFrame()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wantKeyFrame asks the codec for a key frame, unless it was asked a moment ago.
func (s *Stream) wantKeyFrame() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.askKeyFrame(monotonic())
}

// rtcpFrom takes an RTCP packet that came by UDP and is no viewer's.
func (p *Push) rtcpFrom(from netip.AddrPort, packet []byte) {
	if c := p.live.Load(); c != nil && c.viewer.Load().rtcpFrom() == from {
		c.feedback(packet)
	}
}
