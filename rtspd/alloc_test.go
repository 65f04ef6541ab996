package rtspd

import (
	"io"
	"testing"
)

// Publishing allocates nothing once running, whoever watches.
func TestPublishAllocatesNothing(t *testing.T) {
	for _, c := range []struct {
		name     string
		udp, tcp int
		other    func(*client) *client
		option   option
	}{
		{"nobody", 0, 0, nil, uncounted}, {"by UDP", 3, 0, nil, uncounted}, {"interleaved", 0, 3, nil, uncounted}, {"both", 2, 2, nil, uncounted},
		{"by UDP, with feedback", 2, 1, (*client).setupAVPF, uncounted}, {"by multicast", 1, 1, (*client).setupMulticast, uncounted},
		{"by TCP of its own", 1, 1, (*client).setupLanes, uncounted},
		{"both, numbered", 2, 2, nil, counted}, {"by UDP, with feedback, numbered", 2, 1, (*client).setupAVPF, counted},
		{"by multicast, numbered", 1, 1, (*client).setupMulticast, counted},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, multicast(), c.option)
			for range c.udp {
				l.dial().setupUDP().play()
			}
			var outboxes []*outbox
			if c.other != nil {
				client := c.other(l.dial())
				client.play()
				if out := l.srv.session(client.session).viewer.Load().out; out != nil {
					outboxes = append(outboxes, out)
					br := client.lanes[0].br
					go func() { _, _ = io.Copy(io.Discard, br) }()
				}
			}
			for range c.tcp {
				client := l.dial().setupTCP()
				client.play()
				outboxes = append(outboxes, l.srv.session(client.session).viewer.Load().out)
				go func() { _, _ = io.Copy(io.Discard, client.nc) }()
			}
			units := []*fakeUnit{l.unit(true, 40_000), l.unit(false, 40_000), l.unit(false, 900, 900)}
			publish := func() {
				for _, u := range units {
					u.releases.Store(0)
					u.at = monotonic()
					l.stream.Publish(u)
				}
				for _, o := range outboxes { // so that none is behind
					await(t, "all is sent", o.drained)
				}
			}
			for range 20 {
				publish()
			}
			before := l.stream.Stats()
			l.rest(func() {
				if n := testing.AllocsPerRun(50, publish); n > 0 {
					t.Errorf("%v allocations for %d units", n, len(units))
				}
			})
			if after := l.stream.Stats(); after.Units-before.Units != 3*51 || after.Skips != before.Skips {
				t.Errorf("%+v after %+v", after, before)
			}
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, c := range []struct {
		name  string
		setup func(*client) *client
	}{{"udp", (*client).setupUDP}, {"tcp", (*client).setupTCP}} {
		b.Run(c.name, func(b *testing.B) {
			l := newLab(b)
			for range 10 {
				client := c.setup(l.dial())
				client.play()
				go func() { _, _ = io.Copy(io.Discard, client.nc) }()
			}
			u := l.unit(false, 40_000)
			b.ReportAllocs()
			for b.Loop() {
				u.releases.Store(0)
				u.at = monotonic()
				l.stream.Publish(u)
			}
		})
	}
}
