package udp

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what this thread has used: the machine may be busy.
func cpuTime(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// BenchmarkFanOut compares, taking turns, one sendmmsg for each viewer, as Send does
// it, to one for all of them, each message with its own address; and viewers with a
// source address to those without. What has arrived is read in between, and not
// counted.
func BenchmarkFanOut(b *testing.B) {
	for _, viewers := range []int{50, 100} {
		b.Run(fmt.Sprint(viewers), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var plain, sourced []*Destination
			var drains []func()
			for range viewers {
				c := listen(b, "udp4", "127.0.0.1:0")
				drains = append(drains, drain(b, c))
				plain = append(plain, NewDestination(addrOf(c)))
				sourced = append(sourced, NewDestination(addrOf(c)).From(netip.MustParseAddr("127.0.0.1")))
			}
			s := newSender(b, listen(b, "udp", "[::]:0"))
			s.Plan(makePackets(append(repeat(1400, 23), 500)...))
			all := together(s, viewers)
			ways := []struct {
				name string
				run  func()
				took time.Duration
			}{
				{name: "each", run: func() { sendEach(b, s, plain) }},
				{name: "together", run: func() { sendTogether(b, s, all, plain) }},
				{name: "source", run: func() { sendEach(b, s, sourced) }},
			}
			b.ReportAllocs()
			for b.Loop() {
				for i := range ways {
					from := cpuTime(b)
					ways[i].run()
					ways[i].took += cpuTime(b) - from
					for _, d := range drains {
						d()
					}
				}
			}
			for _, w := range ways {
				b.ReportMetric(float64(w.took.Nanoseconds())/float64(b.N*viewers), w.name+"-ns/viewer")
			}
		})
	}
}

// drain reads all that is there.
func drain(b *testing.B, c *net.UDPConn) func() {
	raw, err := c.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 2048)
	all := func(fd uintptr) {
		for err := error(nil); err == nil; {
			_, err = unix.Read(int(fd), buf)
		}
	}
	return func() {
		if err := raw.Control(all); err != nil {
			b.Fatal(err)
		}
	}
}

func sendEach(b *testing.B, s *Sender, to []*Destination) {
	for _, d := range to {
		if _, err := s.Send(d); err != nil {
			b.Fatal(err)
		}
	}
}

// together is the sender's plan for so many viewers, who share the iovecs.
func together(s *Sender, viewers int) *plan {
	all, one := &plan{}, s.runs
	all.reset(viewers * len(one.messages))
	for range viewers {
		all.messages = append(all.messages, one.messages...)
		all.counts = append(all.counts, one.counts...)
		all.controls = append(all.controls, one.controls...)
	}
	return all
}

func sendTogether(b *testing.B, s *Sender, all *plan, to []*Destination) {
	n := len(s.runs.messages)
	for i, d := range to {
		part := plan{all.messages[i*n:][:n], all.counts[i*n:][:n], all.controls[i*n:][:n]}
		part.address(d, 0, s.family)
	}
	for s.todo = all.messages; len(s.todo) > 0; s.todo = s.todo[s.sent:] {
		if err := s.conn.Control(s.call); err != nil || s.sent == 0 {
			b.Fatal(err, s.errno)
		}
	}
}
