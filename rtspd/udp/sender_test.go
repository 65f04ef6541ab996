package udp

import (
	"errors"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/rtp"
)

// An answer is what the kernel says to one call: so many messages, or an errno.
type answer struct {
	sent  int
	errno unix.Errno
}

// script answers instead of the kernel, and takes all when it has no answer left.
func script(s *Sender, answers ...answer) {
	s.call = func(uintptr) {
		a := answer{sent: len(s.todo)}
		if len(answers) > 0 {
			a, answers = answers[0], answers[1:]
		}
		s.sent, s.errno = a.sent, a.errno
	}
}

// forGood is the same errno for each attempt, after other answers.
func forGood(e unix.Errno, before ...answer) []answer {
	return slices.Concat(before, slices.Repeat([]answer{{0, e}}, attempts))
}

// The plan of these is 2, 3 and 2 packets.
func seven() []int { return []int{20, 10, 900, 900, 900, 1000, 30} }

func TestKernelAnswers(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []answer
		sent    int
		err     error
		want    Counters
		whole   bool
	}{
		{"all at once", nil, 7, nil, Counters{Calls: 1, Segmented: 3, Packets: 7}, false},
		{"in two parts", []answer{{sent: 1}}, 7, nil, Counters{Calls: 2, Segmented: 3, Packets: 7}, false},
		{"interrupted", []answer{{0, unix.EINTR}, {0, unix.EINTR}}, 7, nil, Counters{Calls: 3, Segmented: 3, Packets: 7}, false},
		{"no room at all", []answer{{0, unix.EAGAIN}}, 0, nil, Counters{Calls: 1, Dropped: 7}, false},
		{"no room for the rest", []answer{{sent: 2}, {0, unix.EAGAIN}}, 5, nil, Counters{Calls: 2, Segmented: 2, Packets: 5, Dropped: 2}, false},
		{"no buffers", []answer{{0, unix.ENOBUFS}}, 0, nil, Counters{Calls: 1, Dropped: 7}, false},
		{"an earlier one refused", []answer{{0, unix.ECONNREFUSED}}, 7, nil, Counters{Calls: 2, Segmented: 3, Packets: 7, Reports: 1}, false},
		{"refused, and a signal", []answer{{0, unix.EINTR}, {0, unix.ECONNREFUSED}, {0, unix.EINTR}}, 7, nil, Counters{Calls: 4, Segmented: 3, Packets: 7, Reports: 1}, false},
		{"refused in each part", []answer{{0, unix.ECONNREFUSED}, {sent: 1}, {0, unix.ECONNREFUSED}}, 7, nil, Counters{Calls: 4, Segmented: 3, Packets: 7, Reports: 2}, false},
		{"all but refused for good", forGood(unix.ECONNREFUSED)[1:], 7, nil, Counters{Calls: attempts, Segmented: 3, Packets: 7, Reports: attempts - 1}, false},
		{"refused for good", forGood(unix.ECONNREFUSED), 0, unix.ECONNREFUSED, Counters{Calls: attempts, Dropped: 7, Reports: attempts - 1}, false},
		{"an earlier one too long", []answer{{0, unix.EMSGSIZE}}, 7, nil, Counters{Calls: 2, Segmented: 3, Packets: 7, Reports: 1}, false},
		{"no way", forGood(unix.ENETUNREACH, answer{sent: 1}), 2, unix.ENETUNREACH, Counters{Calls: 1 + attempts, Segmented: 1, Packets: 2, Dropped: 5, Reports: attempts - 1}, false},
		{"EIO", []answer{{0, unix.EIO}}, 7, nil, Counters{Calls: 2, Packets: 7, Fallbacks: 1}, true},
		{"EINVAL later", []answer{{sent: 1}, {0, unix.EINVAL}}, 7, nil, Counters{Calls: 3, Segmented: 1, Packets: 7, Fallbacks: 1}, true},
		{"too long in segments", forGood(unix.EMSGSIZE), 7, nil, Counters{Calls: attempts + 1, Packets: 7, Fallbacks: 1, Reports: attempts - 1}, true},
		{"too long alone", forGood(unix.EMSGSIZE, answer{0, unix.EIO}, answer{sent: 4}), 4, unix.EMSGSIZE, Counters{Calls: 2 + attempts, Packets: 4, Dropped: 3, Fallbacks: 1, Reports: attempts - 1}, true},
		{"no room after a fallback", []answer{{0, unix.EIO}, {0, unix.EAGAIN}}, 0, nil, Counters{Calls: 2, Dropped: 7, Fallbacks: 1}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSender(t, listen(t, "udp4", "127.0.0.1:0"))
			s.segments = true
			script(s, test.answers...)
			d := NewDestination(netip.MustParseAddrPort("127.0.0.1:9"))
			s.Plan(makePackets(seven()...))
			sent, err := s.Send(d)
			if sent != test.sent || !errors.Is(err, test.err) {
				t.Errorf("sent %d, error %v; want %d, %v", sent, err, test.sent, test.err)
			}
			if c := s.Counters(); c != test.want {
				t.Errorf("counters %+v\nwant     %+v", c, test.want)
			}
			if d.Segmented() == test.whole {
				t.Errorf("segmentation is tried: %v, want %v", d.Segmented(), !test.whole)
			}
		})
	}
}

// Where there was no way the next message is not tried as often, until there is one;
// that a packet was refused is never the next one's own.
func TestNoWayIsRemembered(t *testing.T) {
	s := newSender(t, listen(t, "udp4", "127.0.0.1:0"))
	d, other := NewDestination(netip.MustParseAddrPort("127.0.0.1:9")), NewDestination(netip.MustParseAddrPort("127.0.0.2:9"))
	s.Plan(makePackets(100))
	for i, step := range []struct {
		to      *Destination
		answers []answer
		calls   uint64
		err     error
	}{
		{d, forGood(unix.ENETUNREACH), attempts, unix.ENETUNREACH},
		{d, forGood(unix.ENETUNREACH), 2, unix.ENETUNREACH},
		{other, forGood(unix.ENETUNREACH)[1:], attempts, nil},
		{d, []answer{{0, unix.ECONNREFUSED}, {0, unix.EHOSTUNREACH}, {0, unix.EPERM}}, 4, nil},
		{d, forGood(unix.ECONNREFUSED), attempts, unix.ECONNREFUSED},
		{d, forGood(unix.ECONNREFUSED)[1:], attempts, nil},
		{d, forGood(unix.EPERM), attempts, unix.EPERM},
		{d, forGood(unix.EHOSTUNREACH), attempts, unix.EHOSTUNREACH},
		{d, []answer{{0, unix.EHOSTUNREACH}}, 2, nil},
		{d, forGood(unix.EHOSTUNREACH), attempts, unix.EHOSTUNREACH},
	} {
		script(s, step.answers...)
		before := s.Counters().Calls
		if _, err := s.Send(step.to); !errors.Is(err, step.err) || s.Counters().Calls-before != step.calls {
			t.Errorf("step %d: %d calls, error %v; want %d, %v", i, s.Counters().Calls-before, err, step.calls, step.err)
		}
	}
}

// Single packets do not fall back: the error is the caller's.
func TestSinglePacketFails(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EIO, unix.EINVAL, unix.EMSGSIZE} {
		s := newSender(t, listen(t, "udp4", "127.0.0.1:0"))
		script(s, forGood(errno)...)
		d := NewDestination(netip.MustParseAddrPort("127.0.0.1:9"))
		s.Plan(makePackets(100))
		if _, err := s.Send(d); !errors.Is(err, errno) || !d.Segmented() {
			t.Errorf("error %v, segmentation tried %v; want %v, true", err, d.Segmented(), errno)
		}
	}
}

func TestTooLarge(t *testing.T) {
	s := newSender(t, listen(t, "udp4", "127.0.0.1:0"))
	viewer := listen(t, "udp4", "127.0.0.1:0")
	packets := makePackets(100, 65508, 100)
	s.Plan(packets)
	sent, err := s.Send(NewDestination(addrOf(viewer)))
	if sent != 1 || !errors.Is(err, unix.EMSGSIZE) {
		t.Fatalf("sent %d, error %v; want 1 and EMSGSIZE", sent, err)
	}
	expect(t, viewer, packets[:1])
}

func TestWrongFamilyAndZone(t *testing.T) {
	for _, test := range []struct{ from, to string }{
		{"127.0.0.1:0", "[::1]:9"},
		{"[::1]:0", "[fe80::1%no-such-zone]:9"},
	} {
		s := newSender(t, listen(t, "udp", test.from))
		s.Plan(makePackets(100))
		if sent, err := s.Send(NewDestination(netip.MustParseAddrPort(test.to))); err == nil {
			t.Errorf("%s to %s: %d packets sent without an error", test.from, test.to, sent)
		}
	}
}

func TestZone(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[string]uint32{"": 0, "lo": uint32(lo.Index), "17": 17, "no-such-zone": noInterface} {
		a := netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(zone), 9)
		if d := NewDestination(a); d.inet6.Scope_id != want || d.AddrPort() != a {
			t.Errorf("zone %q: index %d, address %v; want %d, %v", zone, d.inet6.Scope_id, d.AddrPort(), want, a)
		}
	}
}

func TestClosed(t *testing.T) {
	c := listen(t, "udp4", "127.0.0.1:0")
	s := newSender(t, c)
	d := NewDestination(addrOf(c))
	s.Plan(makePackets(100, 100))
	done := make(chan error)
	go func() {
		for {
			if _, err := s.Send(d); err != nil {
				done <- err
				return
			}
		}
	}()
	for s.Counters().Packets < 100 {
		runtime.Gosched()
	}
	c.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("error %v, want net.ErrClosed", err)
	}
	if _, err := NewSender(c); !errors.Is(err, net.ErrClosed) {
		t.Errorf("NewSender on a closed socket: %v", err)
	}
}

func TestSendsNothing(t *testing.T) {
	s := newSender(t, listen(t, "udp4", "127.0.0.1:0"))
	d := NewDestination(netip.MustParseAddrPort("127.0.0.1:9"))
	send(t, s, d, 0)
	s.Plan(makePackets(0))
	send(t, s, d, 0)
	if c := s.Counters(); c != (Counters{}) {
		t.Errorf("counters %+v", c)
	}
}

func TestAllocatesNothing(t *testing.T) {
	viewers := []*net.UDPConn{listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0")}
	for _, segments := range []bool{true, false} {
		s := newSender(t, listen(t, "udp", "[::]:0"))
		s.segments = segments
		units := [][]rtp.Packet{unit(), makePackets(seven()...)}
		var to []*Destination
		for _, v := range viewers {
			to = append(to, NewDestination(addrOf(v)), NewDestination(addrOf(v)).From(netip.MustParseAddr("127.0.0.2")))
		}
		allocs := testing.AllocsPerRun(50, func() {
			for _, packets := range units {
				s.Plan(packets)
				for _, d := range to {
					if sent, err := s.Send(d); err != nil || sent == 0 {
						t.Fatalf("sent %d, error %v", sent, err)
					}
				}
			}
		})
		if allocs != 0 {
			t.Errorf("segments %v: %v allocations for a unit", segments, allocs)
		}
	}
}

// A unit of 24 packets, as of 1080p30 at 8 Mbit/s, to one destination.
func BenchmarkSend(b *testing.B) {
	for _, test := range []struct {
		name     string
		segments bool
	}{{"segmented", true}, {"single", false}} {
		b.Run(test.name, func(b *testing.B) {
			s := newSender(b, listen(b, "udp4", "127.0.0.1:0"))
			s.segments = test.segments
			d := NewDestination(addrOf(listen(b, "udp4", "127.0.0.1:0")))
			packets := makePackets(append(repeat(1400, 23), 500)...)
			s.Plan(packets)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Send(d); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(packets)), "ns/packet")
		})
	}
}

func BenchmarkPlan(b *testing.B) {
	var s Sender
	packets := unit()
	b.ReportAllocs()
	for b.Loop() {
		s.Plan(packets)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(packets)), "ns/packet")
}
