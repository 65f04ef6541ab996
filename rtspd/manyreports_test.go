package rtspd

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"lenslet/rtspd/udp"
)

// A thousand sessions have one clockwork: they start no goroutine, each pass sends
// one report to each in one system call, and the lock is given back between some.
func TestReportsOfAThousandViewers(t *testing.T) {
	const viewers = 1000
	l := newLab(t)
	sink, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	await(t, "the server runs", func() bool { return l.dial().do("OPTIONS", l.url, nil, "").status == 200 })
	before := runtime.NumGoroutine()
	to := udp.NewDestination(sink.LocalAddr().(*net.UDPAddr).AddrPort())
	var all []*viewer
	for range viewers {
		v := &viewer{rtpTo: to, rtcpTo: to}
		l.stream.join(v, nil)
		all = append(all, v)
	}
	l.publish(true, 100)
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines more", n-before)
	}
	control := func() udp.Counters {
		l.stream.mu.Lock()
		defer l.stream.mu.Unlock()
		return l.stream.control.Counters()
	}
	first := control()
	now, wall := monotonic()+reportInterval, time.Now().Add(reportInterval)
	passes := 0
	for more := true; more; passes++ {
		reports := control().Calls
		more = l.stream.reportSome(now, wall)
		if n := control().Calls - reports; n > reportsAtOnce {
			t.Errorf("%d reports while the lock is held", n)
		}
	}
	sent := control()
	if n, calls := sent.Packets+sent.Dropped-first.Packets-first.Dropped, sent.Calls-first.Calls; n != viewers || calls != viewers {
		t.Errorf("%d reports in %d calls", n, calls)
	}
	if passes < viewers/reportsAtOnce {
		t.Errorf("%d passes", passes)
	}
	l.stream.report(now+reportInterval-1, wall) // too early
	if n := control().Calls - sent.Calls; n != 0 {
		t.Errorf("%d reports too early", n)
	}
	for _, v := range all {
		l.stream.remove(v, false)
	}
}

// BenchmarkReports is a pass over viewers who are all due.
func BenchmarkReports(b *testing.B) {
	l := newLab(b)
	to := udp.NewDestination(netip.MustParseAddrPort("127.0.0.1:9"))
	var all []*viewer
	for range 1000 {
		all = append(all, &viewer{rtpTo: to, rtcpTo: to})
		l.stream.join(all[len(all)-1], nil)
	}
	l.publish(true, 100)
	now := monotonic()
	for b.Loop() {
		now += reportInterval
		l.stream.report(now, time.Now())
	}
	for _, v := range all {
		l.stream.remove(v, false)
	}
}
