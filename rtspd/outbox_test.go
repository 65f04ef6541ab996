package rtspd

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/rtp"
)

// tcpPair is a connection whose near end takes little that is not read.
func tcpPair(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	near, far = b.(*net.TCPConn), a.(*net.TCPConn)
	_ = near.SetWriteBuffer(64 << 10)
	_ = far.SetReadBuffer(64 << 10)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// running gives what ends an outbox.
func running(o *outbox) (end func(grace time.Duration)) {
	return func(grace time.Duration) {
		o.finish(time.Now().Add(grace))
		o.wait()
		o.drop()
	}
}

// framedOf is a framed unit with one packet.
func framedOf(p *framedPool, captured time.Duration, payload []byte) *framed {
	f := p.get(0, captured)
	f.fill([]rtp.Packet{{Header: make([]byte, rtp.HeaderSize), Payload: payload}}, 0)
	return f
}

func newPool() *framedPool { return &framedPool{took: &latencies{}} }

func TestFramedLayout(t *testing.T) {
	p := newPool()
	f := p.get(6, time.Second)
	f.fill([]rtp.Packet{{Header: []byte("head"), Payload: []byte("payload")}, {Header: []byte("x")}, {Header: make([]byte, 200), Payload: make([]byte, 100)}}, 0)
	want := append([]byte("$\x06\x00\x0bheadpayload$\x06\x00\x01x$\x06\x01\x2c"), make([]byte, 300)...)
	if !bytes.Equal(f.data, want) {
		t.Errorf("%q", f.data)
	}
	if f.channel != 6 || f.captured != time.Second {
		t.Errorf("channel %d, captured %v", f.channel, f.captured)
	}
}

func TestFramedGoesBackWithTheLastRelease(t *testing.T) {
	p := newPool()
	f := p.get(0, 0)
	f.retain()
	f.release()
	if len(p.free) != 0 {
		t.Fatal("it went back while it had an owner")
	}
	f.release()
	if len(p.free) != 1 || p.get(1, 2) != f || len(p.free) != 0 {
		t.Error("it is not used again")
	}
}

func TestFramedReleasedTwice(t *testing.T) {
	f := newPool().get(0, 0)
	f.release()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f.release()
}

func TestPoolKeepsFew(t *testing.T) {
	p := newPool()
	var all []*framed
	for range 3 * poolKept {
		all = append(all, p.get(0, 0))
	}
	for _, f := range all {
		f.release()
	}
	if len(p.free) != poolKept {
		t.Errorf("%d are kept", len(p.free))
	}
}

// Everything arrives whole and in order, whoever writes it.
func TestOutboxKeepsTheOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		pair func(t *testing.T) (near, far net.Conn)
	}{
		{"direct writes", func(t *testing.T) (net.Conn, net.Conn) { a, b := tcpPair(t); return a, b }},
		{"a connection without a descriptor", func(*testing.T) (net.Conn, net.Conn) { return net.Pipe() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			near, far := c.pair(t)
			o, p := newOutbox(near, patience), newPool()
			end := running(o)
			var want bytes.Buffer
			var got []byte
			var reader sync.WaitGroup
			reader.Go(func() { got, _ = io.ReadAll(far) })
			for i := range 200 {
				if i%3 == 0 {
					answer := strings.Repeat("a", i)
					want.WriteString(answer)
					o.send([]byte(answer))
					continue
				}
				f := framedOf(p, 0, slice(1, i, 5000))
				want.Write(f.data)
				for !o.ready(len(f.data), 0) {
					t.Error("not ready")
				}
				o.sendUnit(f)
				f.release()
			}
			end(patience)
			_ = near.Close()
			reader.Wait()
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%d bytes came, %d were sent", len(got), want.Len())
			}
			if o.bytes != 0 || o.answers != 0 || len(o.waiting) != 0 {
				t.Errorf("%d bytes, %d of answers are left", o.bytes, o.answers)
			}
		})
	}
}

// stays tells whether something goes on waiting: the outbox has had its turn, and the
// kernel takes nothing and sends nothing.
func stays(t *testing.T, o *outbox) bool {
	t.Helper()
	poll := func() (writable bool, held int) {
		_ = descriptor(o.conn).Control(func(fd uintptr) {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			_, _ = unix.Poll(fds, 0)
			writable = fds[0].Revents != 0
		})
		return writable, unsent(t, o.conn)
	}
	for calm := 0; calm < 10; {
		before, held := poll()
		time.Sleep(time.Millisecond)
		after, still := poll()
		switch {
		case o.drained():
			return false
		case before || after || held != still: // it is on its way
			calm = 0
		default:
			calm++
		}
	}
	return true
}

// stuck fills a connection that nobody reads until something waits.
func stuck(t *testing.T, o *outbox, p *framedPool) {
	t.Helper()
	for i := 0; !stays(t, o); i++ {
		f := framedOf(p, 0, make([]byte, 60_000))
		o.sendUnit(f)
		f.release()
		if i > 1000 {
			t.Fatal("the kernel takes everything")
		}
	}
}

func TestOutboxBounds(t *testing.T) {
	near, _ := tcpPair(t)
	o, p := newOutbox(near, patience), newPool()
	end := running(o)
	stuck(t, o, p)
	if !o.ready(1000, outboxAge) {
		t.Error("not ready though the oldest unit is young enough")
	}
	units := 0
	for ; o.ready(60_000, 0); units++ {
		f := framedOf(p, 0, make([]byte, 60_000-16))
		o.sendUnit(f)
		f.release()
	}
	if units < outboxBytes/60_000-2 || units > outboxBytes/60_000 {
		t.Errorf("%d units of 60,000 bytes wait", units)
	}
	if len(o.waiting) != 1 || o.bytes > 60_016 {
		t.Errorf("%d units (%d bytes) wait after they were dropped", len(o.waiting), o.bytes)
	}
	if o.ready(1, outboxAge+1) {
		t.Error("ready though the oldest unit is too old")
	}
	if !o.ready(outboxBytes-60_016, 0) {
		t.Error("no room where units were dropped")
	}
	end(0)
	if n := len(p.free); n == 0 {
		t.Error("units are lost")
	}
	if f := framedOf(p, 0, nil); true {
		if o.sendUnit(f) || f.owners.Load() != 1 { // too late: it comes back
			t.Errorf("it was taken, or has %d owners", f.owners.Load())
		}
	}
}

// Answers are not dropped with the units around them.
func TestDroppingUnitsKeepsAnswers(t *testing.T) {
	near, far := tcpPair(t)
	o, p := newOutbox(near, patience), newPool()
	end := running(o)
	stuck(t, o, p)
	o.send([]byte("first answer;"))
	f := framedOf(p, 0, bytes.Repeat([]byte("U"), 1000))
	o.sendUnit(f)
	f.release()
	o.send([]byte("second answer"))
	if o.ready(1, time.Hour) {
		t.Fatal("ready")
	}
	var got []byte
	var reader sync.WaitGroup
	reader.Go(func() { got, _ = io.ReadAll(far) })
	end(patience)
	reader.Wait()
	if !bytes.HasSuffix(got, []byte("\x00first answer;second answer")) {
		t.Errorf("the end is %q", got[max(0, len(got)-40):])
	}
}

// Who asks on and on without reading the answers is cut off.
func TestAnswersAreBounded(t *testing.T) {
	near, _ := tcpPair(t)
	o := newOutbox(near, patience)
	end := running(o)
	answer := make([]byte, 10_000)
	await(t, "the connection is closed", func() bool {
		o.send(answer)
		return near.SetReadDeadline(time.Time{}) != nil
	})
	o.mu.Lock()
	if o.answers > answersBytes+len(answer) {
		t.Errorf("%d bytes of answers wait", o.answers)
	}
	o.mu.Unlock()
	end(0)
}

// A connection that takes nothing is closed; one that takes little is not, unless the
// machine stood still and it took nothing either.
func TestStalledConnectionIsClosed(t *testing.T) {
	for range 3 {
		if takesLittle(t) {
			return
		}
	}
	t.Error("the machine stood still each time")
}

// takesLittle reads slowly for longer than the limit, and then no more. False: the
// machine stood still.
func takesLittle(t *testing.T) bool {
	t.Helper()
	const limit = 2 * time.Second
	near, far := tcpPair(t)
	o := newOutbox(near, limit)
	end := running(o)
	defer end(0)
	o.send(make([]byte, 16<<20)) // far more than the kernel takes
	buf := make([]byte, 256<<10)
	for begun := time.Now(); time.Since(begun) < limit+limit/4; {
		last := time.Now()
		time.Sleep(100 * time.Millisecond)
		_, err := io.ReadFull(far, buf)
		if pause := time.Since(last); err != nil && pause > limit/2 {
			return false
		} else if err != nil {
			t.Fatalf("a slow reader was cut off behind %v: %v", pause, err)
		}
	}
	await(t, "the connection is closed", func() bool { return near.SetReadDeadline(time.Time{}) != nil })
	return true
}

// Of a unit that a broken connection does not take nobody is told that it was sent.
func TestUnitsOfABrokenConnectionAreNotSent(t *testing.T) {
	l := newLab(t)
	c := l.dial().setupTCP()
	c.play()
	c.receive(1)
	v := l.srv.session(c.session).viewer.Load()
	if err := v.out.conn.(*net.TCPConn).CloseWrite(); err != nil { // EPIPE from now on
		t.Fatal(err)
	}
	before := l.stream.Stats()
	u := l.publish(false, 3000)
	if after := l.stream.Stats(); after.Packets != before.Packets || after.Refused != before.Refused+3 || u.releases.Load() != 1 {
		t.Errorf("%+v after %+v", after, before)
	}
}

func TestOutboxOfABrokenConnection(t *testing.T) {
	near, far := tcpPair(t)
	o, p := newOutbox(near, patience), newPool()
	end := running(o)
	_ = far.Close()
	for range 100 {
		o.send([]byte("answer"))
		f := framedOf(p, 0, make([]byte, 10_000))
		if o.ready(len(f.data), 0) {
			o.sendUnit(f)
		}
		f.release()
	}
	end(time.Second)
	for range p.free {
		if f := p.get(0, 0); f.owners.Load() != 1 {
			t.Error("a unit has other owners")
		}
	}
}

func TestLateUnitsCountForTheLatency(t *testing.T) {
	near, far := net.Pipe()
	o, p := newOutbox(near, patience), newPool()
	end := running(o)
	f := framedOf(p, monotonic()-time.Minute, []byte("late"))
	o.sendUnit(f)
	f.release()
	if _, err := io.ReadFull(far, make([]byte, 4+rtp.HeaderSize+4)); err != nil {
		t.Fatal(err)
	}
	end(patience)
	if p50, _, ok := p.took.percentiles(monotonic()); !ok || p50 < time.Minute {
		t.Errorf("latency %v", p50)
	}
}

func TestPercentiles(t *testing.T) {
	var l latencies
	if _, _, ok := l.percentiles(0); ok {
		t.Error("percentiles of nothing")
	}
	for i := range 100 {
		l.add(time.Minute, time.Minute-time.Duration(i+1)*time.Millisecond)
	}
	if p50, p99, ok := l.percentiles(time.Minute + latencyWindow); !ok || p50 != 50*time.Millisecond || p99 != 99*time.Millisecond {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
	if _, _, ok := l.percentiles(time.Minute + latencyWindow + 1); ok {
		t.Error("old samples count")
	}
	for range 3 * latencySamples {
		l.add(time.Hour, time.Hour-time.Second)
	}
	if p50, p99, _ := l.percentiles(time.Hour); p50 != time.Second || p99 != time.Second {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
}
