package rtspd

import (
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/udp"
)

// BenchmarkPacing is the CPU that a unit costs each of 50 viewers with pacing off
// and on, taking turns; what wakes the timer is not in it.
func BenchmarkPacing(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const viewers = 50
	l := newLab(b)
	l.byHand()
	var all []*viewer
	for range viewers {
		sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		defer sink.Close()
		to := udp.NewDestination(sink.LocalAddr().(*net.UDPAddr).AddrPort())
		all = append(all, &viewer{rtpTo: to, rtcpTo: to})
		l.stream.join(all[len(all)-1], nil)
	}
	l.publish(true, 33_000)
	u := l.unit(false, 33_000) // 24 packets: 8 Mbit/s at 30 frames/s
	var took [2]time.Duration
	b.ReportAllocs()
	for b.Loop() {
		for i, pacing := range []Pacing{PacingOff, PacingOn} {
			l.stream.cfg.Pacing = pacing
			u.releases.Store(0)
			u.at = monotonic()
			from := cpuTime(b)
			l.stream.Publish(u)
			for l.step() {
			}
			took[i] += cpuTime(b) - from
		}
	}
	off, on := float64(took[0].Nanoseconds())/float64(b.N*viewers), float64(took[1].Nanoseconds())/float64(b.N*viewers)
	b.ReportMetric(off, "off-ns/viewer")
	b.ReportMetric(on, "on-ns/viewer")
	b.ReportMetric(on/off, "on/off")
	for _, v := range all {
		l.stream.remove(v, false)
	}
}

// cpuTime is what this thread has used: the machine may be busy.
func cpuTime(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}
