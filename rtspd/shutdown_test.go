package rtspd

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// stopLimit is what a shutdown may take in any phase.
const stopLimit = 2 * time.Second

// stopsInTime ends the server and measures.
func (l *lab) stopsInTime() {
	l.t.Helper()
	took := stopwatch()
	l.stop()
	if d := took(); d >= stopLimit {
		l.t.Errorf("the shutdown took %v", d)
	}
}

func TestShutdownSaysByeToAll(t *testing.T) {
	l := newLab(t)
	var all []*client
	for i := range 6 {
		c := l.dial()
		if i%2 == 0 {
			c.setupUDP()
		} else {
			c.setupTCP()
		}
		c.play()
		all = append(all, c)
	}
	l.publish(false, 20_000)
	idle := l.dial()
	idle.must(200, "OPTIONS", "*", nil, "")
	l.stopsInTime()
	for i, c := range all {
		c.receive(7 - i) // each missed the ones before it
		c.media.equal(t, l.published[i:])
		c.senderReport()
		c.bye(c.media.ssrc)
		c.ended()
	}
	idle.ended()
	l.publish(true, 1000) // nobody is there; it comes back all the same
	if _, err := net.Dial("tcp", l.addr); err == nil {
		t.Error("the listener is open")
	}
}

func TestShutdownInAnyPhase(t *testing.T) {
	for _, c := range []struct {
		name  string
		enter func(l *lab) func() // gives what to check afterwards, or nil
	}{
		{"nobody", func(*lab) func() { return nil }},
		{"PLAY waits for its key frame", func(l *lab) func() {
			c := l.dial().setupUDP()
			c.write(c.request("PLAY", l.url, nil, ""))
			l.awaitWaiting(1)
			return func() {
				if r := c.response(); r.status != 200 {
					l.t.Errorf("PLAY: %d", r.status)
				}
				c.ended()
			}
		}},
		{"a slow viewer is stalled", func(l *lab) func() { l.stall(); return nil }},
		{"a request is half received", func(l *lab) func() {
			c := l.dial()
			c.must(200, "OPTIONS", "*", nil, "")
			c.write([]byte("SET_PARAMETER * RTSP/1.0\r\nCSeq: 2\r\nContent-Length: 10\r\n\r\nabc"))
			return c.ended
		}},
		{"a parameter is being set", func(l *lab) func() {
			c := l.dial()
			c.write(c.request("SET_PARAMETER", l.url, headers{"Content-Type", "text/parameters"}, "slow: 1\r\n"))
			<-l.parameters.entered
			return func() {
				if r := c.response(); r.status != 500 {
					l.t.Errorf("SET_PARAMETER: %d", r.status)
				}
			}
		}},
		{"somebody asks without an end", func(l *lab) func() {
			c := l.dial()
			done := make(chan struct{})
			begun := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = io.Copy(io.Discard, c.nc)
			}()
			go func() {
				request := c.request("OPTIONS", "*", nil, "")
				for i := 0; ; i++ {
					if _, err := c.nc.Write(request); err != nil {
						_ = c.nc.Close()
						return
					}
					if i == 100 {
						close(begun)
					}
				}
			}()
			<-begun
			return func() { <-done }
		}},
		{"units are published", func(l *lab) func() {
			l.dial().setupUDP().play()
			l.dial().setupTCP().play()
			done, end := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case <-end:
						return
					default:
						l.publish(true, 5000)
					}
				}
			}()
			return func() { close(end); <-done }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, patient)
			after := c.enter(l)
			l.stopsInTime()
			if after != nil {
				after()
			}
		})
	}
}

func TestRequestsDuringShutdown(t *testing.T) {
	l := newLab(t)
	c := l.dial()
	l.stop()
	ses := l.srv.newSession(l.stream, &conn{})
	if _, ok := l.srv.bind(ses, &viewer{}); ok {
		t.Error("a session began")
	}
	if l.srv.enter(&conn{}) {
		t.Error("a connection began")
	}
	c.ended()
}

// A lateListener accepts one more connection when it is closed.
type lateListener struct {
	net.Listener
	closed chan struct{} // closed by Close
	last   net.Conn
}

func (l *lateListener) Close() error {
	close(l.closed)
	return l.Listener.Close()
}

func (l *lateListener) Accept() (net.Conn, error) {
	<-l.closed
	if nc := l.last; nc != nil {
		l.last = nil
		return nc, nil
	}
	return nil, net.ErrClosed
}

// A connection that arrives with the shutdown is closed.
func TestConnectionDuringShutdown(t *testing.T) {
	defer goleak.VerifyNone(t)
	srv, err := NewServer(Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.Serve(ctx, &lateListener{listener, make(chan struct{}), near}); err != nil {
		t.Error(err)
	}
	_ = far.SetReadDeadline(time.Now().Add(patience))
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the connection is open: %v", err)
	}
}

// A signal that ends the context (signal.NotifyContext gives it a cause) is no
// error.
func TestServeEndedByASignal(t *testing.T) {
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGUSR1)
	defer stop()
	srv, err := NewServer(Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestServeEndsWhenAListenerFails(t *testing.T) {
	defer goleak.VerifyNone(t)
	srv, err := NewServer(Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var listeners [2]net.Listener
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	_ = listeners[0].Close()
	if err := srv.Serve(context.Background(), listeners[:]...); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := listeners[1].Accept(); err == nil {
		t.Error("the other listener is open")
	}
}

// A faultyListener fails a few times before it accepts.
type faultyListener struct {
	net.Listener
	failures int
}

func (l *faultyListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

func TestServeOutlivesFailuresToAccept(t *testing.T) {
	defer goleak.VerifyNone(t)
	srv, err := NewServer(Config{Name: "camera", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx, &faultyListener{listener, 2}) }()
	l := &lab{t: t, srv: srv, addr: listener.Addr().String()}
	c := l.dial()
	if r := c.must(200, "OPTIONS", "*", nil, ""); r.header["server"] != "camera" {
		t.Errorf("Server: %s", r.header["server"])
	}
	c.close()
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestPortsOfRTP(t *testing.T) {
	a, err := listenPair()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	b, err := listenPair()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for _, p := range []*udpPair{a, b} {
		rtp, rtcp := p.rtp.LocalAddr().(*net.UDPAddr).Port, p.rtcp.LocalAddr().(*net.UDPAddr).Port
		if rtp != p.port || rtp%2 != 0 || rtcp != rtp+1 {
			t.Errorf("RTP on %d, RTCP on %d", rtp, rtcp)
		}
	}
}
