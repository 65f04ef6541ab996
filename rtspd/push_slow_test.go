package rtspd

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// stalling lets the server take nothing after RECORD, until release is closed.
func (s *mediaServer) stalling(release chan struct{}) {
	s.odd["RECORD"] = func(c *mediaConn, r *wire.Request) {
		_ = c.nc.(*net.TCPConn).SetReadBuffer(64 << 10)
		c.good(r)
		<-release
	}
}

// fill publishes until the push is behind.
func (l *lab) fill() {
	l.t.Helper()
	l.awaitWaiting(1)
	l.publish(true, 1000)
	for i := 0; l.stream.Stats().Skips == 0; i++ {
		if i > 2000 {
			l.t.Fatal("the kernel takes everything")
		}
		l.publish(false, 60_000)
	}
}

// A server that does not keep up is moved on to a key frame, as any viewer is.
func TestPushToASlowServer(t *testing.T) {
	s, release := newMediaServer(t), make(chan struct{})
	s.stalling(release)
	times := hasty
	times.stall = time.Hour
	l, p := pushing(t, s, PushConfig{URL: s.url()}, times)
	awaitStatus(t, p, "streaming")
	l.fill()
	out := p.live.Load().out
	for range 20 {
		l.publish(true, 1000) // not while it takes nothing
	}
	close(release)
	await(t, "it is taken", out.drained)
	c := s.conn(0)
	l.publish(false, 1000)
	next := l.stream.packetizer.Next()
	l.publish(true, 1000)
	var last []byte
	await(t, "the key frame", func() bool {
		for _, f := range c.on(0) {
			if seq := uint16(f[2])<<8 | uint16(f[3]); seq == next {
				last = f
			}
		}
		return last != nil
	})
	if last[12]&0x1f != 24 {
		t.Errorf("goes on with a NAL unit of type %d", last[12]&0x1f)
	}
	if st := l.stream.Stats(); st.Skips != 1 || s.count() != 1 || p.Status() != "streaming" {
		t.Errorf("%d skips, %d connections, %s", st.Skips, s.count(), p.Status())
	}
}

func TestPushLeavesAStalledServer(t *testing.T) {
	s, release := newMediaServer(t), make(chan struct{})
	s.stalling(release)
	times := hasty
	times.stall = 200 * time.Millisecond
	times.first, times.most = time.Second, time.Second // for the status to be seen
	l, p := pushing(t, s, PushConfig{URL: s.url()}, times)
	t.Cleanup(func() { close(release) })
	awaitStatus(t, p, "streaming")
	l.awaitWaiting(1)
	l.publish(true, 1000)
	await(t, "the push is given up", func() bool {
		l.publish(true, 60_000) // what the kernel can still hold is filled too
		return strings.HasPrefix(p.Status(), "failed: the server takes nothing more")
	})
	s.conn(1)
}

// A stop does not wait for a server that takes nothing, nor for one that does
// not answer.
func TestPushStops(t *testing.T) {
	for _, fill := range []bool{true, false} {
		s, release := newMediaServer(t), make(chan struct{})
		s.stalling(release)
		times := usualTimes()
		l, p := pushing(t, s, PushConfig{URL: s.url()}, times)
		awaitStatus(t, p, "streaming")
		if fill {
			l.fill()
		}
		took := stopwatch()
		l.stop()
		if d := took(); d > 2*time.Second {
			t.Errorf("stopping took %v", d)
		}
		close(release)
		s.close()
	}
}

// Publishing allocates nothing for a push either.
func TestPushAllocatesNothing(t *testing.T) {
	for _, transport := range []string{"tcp", "udp"} {
		t.Run(transport, func(t *testing.T) {
			s, sink := newMediaServer(t), listenUDP(t)
			s.odd["SETUP"] = func(c *mediaConn, r *wire.Request) {
				ports := wire.PortRange{First: portOf(sink), Last: portOf(sink), OK: true}
				c.reply(r, wire.OK, "Session", "1", "Transport", r.Header.Get("Transport")+";server_port="+ports.String())
			}
			s.odd["RECORD"] = func(c *mediaConn, r *wire.Request) {
				c.good(r)
				_, _ = io.Copy(io.Discard, c.nc)
			}
			times := hasty
			times.farewell = time.Millisecond // nobody answers
			l, p := pushing(t, s, PushConfig{URL: s.url(), Transport: transport}, times)
			awaitStatus(t, p, "streaming")
			l.awaitWaiting(1)
			units := []*fakeUnit{l.unit(true, 40_000), l.unit(false, 40_000), l.unit(false, 900, 900)}
			publish := func() {
				for _, u := range units {
					u.releases.Store(0)
					u.at = monotonic()
					l.stream.Publish(u)
				}
				await(t, "all is sent", p.live.Load().out.drained)
			}
			for range 20 {
				publish()
			}
			before := l.stream.Stats()
			l.rest(func() {
				if n := allocations(50, publish); n > 0 {
					t.Errorf("%v allocations for %d units", n, 50*len(units))
				}
			})
			if after := l.stream.Stats(); after.Packets == before.Packets || after.Skips != before.Skips {
				t.Errorf("%+v after %+v", after, before)
			}
		})
	}
}
