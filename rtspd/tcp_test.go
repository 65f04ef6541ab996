package rtspd

import (
	"crypto/tls"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// tcpOption is an option of the socket below a connection.
func tcpOption(t testing.TB, nc net.Conn, option int) (value int) {
	t.Helper()
	if err := descriptor(nc).Control(func(fd uintptr) {
		var err error
		if value, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); err != nil {
			t.Errorf("option %d: %v", option, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return value
}

// unsent is what the kernel has taken and not sent yet.
func unsent(t testing.TB, nc net.Conn) (n int) {
	t.Helper()
	if err := descriptor(nc).Control(func(fd uintptr) {
		var err error
		if n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func checkFresh(t testing.TB, nc net.Conn) {
	t.Helper()
	if tcpOption(t, nc, unix.TCP_NODELAY) == 0 {
		t.Error("small packets wait for an acknowledgement")
	}
	if n := tcpOption(t, nc, unix.TCP_NOTSENT_LOWAT); n != unsentMost {
		t.Errorf("the kernel may hold %d bytes back", n)
	}
}

// Every connection that carries packets is told to send at once and to hold
// little.
func TestConnectionsAreKeptFresh(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "tls:127.0.0.1:0"} {
		t.Run(listen, func(t *testing.T) {
			l := newLabOn(t, listen)
			c := l.dial().setupTCP()
			c.play()
			checkFresh(t, l.srv.session(c.session).viewer.Load().out.conn)
		})
	}
	t.Run("connections for packets alone", func(t *testing.T) {
		l := newLab(t)
		c := l.dial().setupLanes()
		c.play()
		for _, lane := range l.srv.session(c.session).viewer.Load().lanes.each {
			checkFresh(t, lane.out.conn)
		}
	})
	t.Run("published elsewhere", func(t *testing.T) {
		s := newMediaServer(t)
		_, p := pushing(t, s, PushConfig{URL: s.url()}, hasty)
		awaitStatus(t, p, "streaming")
		checkFresh(t, p.live.Load().out.conn)
	})
}

// What a viewer sees first when it reads again after a stall is what the kernel
// held then: no more than the mark and two buffers, wherever its packets go.
func TestLittleIsOldAfterAStall(t *testing.T) {
	const buffer = 64 << 10 // of the kernel, begun below the mark
	for _, listen := range []string{"127.0.0.1:0", "tls:127.0.0.1:0"} {
		t.Run(listen, func(t *testing.T) {
			l := newLabOn(t, listen, patient)
			nc := l.srv.session(l.stall().session).viewer.Load().out.conn
			for range 20 { // more is not taken while nobody reads
				l.publish(true, 60_000)
				if n := unsent(t, nc); n > unsentMost+2*buffer {
					t.Errorf("%d bytes are held by the kernel, the mark is %d", n, unsentMost)
				}
			}
			if n := unsent(t, nc); n == 0 {
				t.Error("the kernel holds nothing: there was no stall")
			}
		})
	}
}

// A connection without a descriptor is served as well.
func TestKeepFreshWithoutADescriptor(t *testing.T) {
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	keepFresh(a)
	keepFresh(tls.Server(b, nil))
	if descriptor(a) != nil || descriptor(tls.Server(b, nil)) != nil {
		t.Error("a pipe has a descriptor")
	}
}

// What is copied is counted: once for all TCP viewers, for each viewer over TLS
// once more, and what SRTP and those who ask again for packets cost.
func TestCopiesAreCounted(t *testing.T) {
	const size = 900
	packet := uint64(12 + size)
	for _, c := range []struct {
		name    string
		listen  string
		viewers int
		join    func(*client) *client
		want    uint64
	}{
		{"by UDP", "127.0.0.1:0", 3, (*client).setupUDP, 0},
		{"interleaved", "127.0.0.1:0", 3, (*client).setupTCP, packet + 4},
		{"over TLS", "tls:127.0.0.1:0", 3, (*client).setupTCP, 4 * (packet + 4)},
		{"with feedback", "127.0.0.1:0", 3, (*client).setupAVPF, packet},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLabOn(t, c.listen)
			for range c.viewers {
				v := c.join(l.dial())
				v.play()
			}
			settled := func() bool { // all was written
				for _, id := range l.sessions() {
					if out := l.srv.session(id).viewer.Load().out; out != nil && !out.drained() {
						return false
					}
				}
				return true
			}
			await(t, "all is sent", settled)
			before := l.stream.Stats().Copied
			l.publish(false, size)
			await(t, "all is sent", settled)
			if got := l.stream.Stats().Copied - before; got != c.want {
				t.Errorf("%d bytes were copied, want %d", got, c.want)
			}
		})
	}
}
