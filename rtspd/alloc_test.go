package rtspd

import (
	"io"
	"math"
	"runtime"
	"testing"
)

// allocations counts the heap objects that all goroutines make while f runs so many
// times. An average over the runs would hide what only some of them make. Pools grow
// when a reader is slower than ever before, and then no more: of some rounds that
// with the fewest counts.
func allocations(times int, f func()) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	least := uint64(math.MaxUint64)
	for round := 0; round < 10 && least > 0; round++ {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			f()
		}
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return least
}

// Publishing allocates nothing once running, whoever watches.
func TestPublishAllocatesNothing(t *testing.T) {
	const times = 50
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
				if n := allocations(times, publish); n > 0 {
					t.Errorf("%d allocations for %d units, %d of them key frames", n, times*len(units), times)
				}
			})
			if after := l.stream.Stats(); (after.Units-before.Units)%(3*times) != 0 || after.Units == before.Units || after.Skips != before.Skips {
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
