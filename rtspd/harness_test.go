package rtspd

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lenslet/rtspd/wire"
)

// patience is how long a test waits for what must happen; a slow machine is no
// fault.
const patience = 20 * time.Second

// frameInterval is the distance of the units' timestamps.
const frameInterval = 33 * time.Millisecond

var (
	testSPS = []byte{0x67, 0x64, 0x00, 0x28, 0xac, 0x2b, 0x40, 0x28, 0x02, 0xdd, 0x80}
	testPPS = []byte{0x68, 0xee, 0x3c, 0x80}
)

// A fakeUnit counts its releases.
type fakeUnit struct {
	nalus    [][]byte
	key      bool
	at       time.Duration
	releases atomic.Int32
}

func (u *fakeUnit) NALUs() [][]byte          { return u.nalus }
func (u *fakeUnit) Key() bool                { return u.key }
func (u *fakeUnit) Timestamp() time.Duration { return u.at }

func (u *fakeUnit) Release() {
	if u.releases.Add(1) > 1 {
		panic("unit released twice")
	}
}

// slice is a NAL unit of the given type and size, whose content differs from
// number to number.
func slice(kind byte, number, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(number + i*7 + i>>8)
	}
	b[0] = 0x60 | kind
	return b
}

// fakeParameters has one name that can be set (bitrate, 1000 to 9000), one that
// is read-only (encoder), one that takes until its context ends (slow), and one
// that fails (broken).
type fakeParameters struct {
	mu      sync.Mutex
	bitrate int
	entered chan struct{} // gets a token when slow is set
}

func (p *fakeParameters) Get(names []string) ([]wire.Parameter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(names) == 0 {
		names = []string{"bitrate", "encoder"}
	}
	var got, unknown []wire.Parameter
	for _, n := range names {
		switch n {
		case "bitrate":
			got = append(got, wire.Parameter{Name: n, Value: strconv.Itoa(p.bitrate)})
		case "encoder":
			got = append(got, wire.Parameter{Name: n, Value: "fake"})
		default:
			unknown = append(unknown, wire.Parameter{Name: n})
		}
	}
	if unknown != nil {
		return nil, &ParameterError{Status: wire.ParameterNotUnderstood, Lines: unknown}
	}
	return got, nil
}

func (p *fakeParameters) Set(ctx context.Context, changes []wire.Parameter) error {
	refuse := func(s wire.Status, name, value string) error {
		return fmt.Errorf("fake: %w", &ParameterError{Status: s, Lines: []wire.Parameter{{Name: name, Value: value}}})
	}
	for _, c := range changes {
		switch n, err := strconv.Atoi(c.Value); c.Name {
		case "bitrate":
			if err != nil || n < 1000 || n > 9000 {
				return refuse(wire.InvalidRange, c.Name, "1000 to 9000")
			}
			p.mu.Lock()
			p.bitrate = n
			p.mu.Unlock()
		case "encoder":
			return refuse(wire.ParameterIsReadOnly, c.Name, "")
		case "slow":
			p.entered <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		case "broken":
			return fmt.Errorf("the codec does not answer")
		default:
			return refuse(wire.ParameterNotUnderstood, c.Name, "")
		}
	}
	return nil
}

// A lab is a server with one stream, main, that a test feeds.
type lab struct {
	t          testing.TB
	srv        *Server
	stream     *Stream
	parameters *fakeParameters
	addr       string      // of the listener
	url        string      // of the stream
	trust      *tls.Config // of the clients, over TLS
	asked      atomic.Int32
	clock      time.Duration // timestamp of the next unit
	published  []*fakeUnit
	halt       context.CancelFunc
	ended      chan struct{} // closed when Serve has returned
	served     error         // what it returned
}

type option func(*Config, *StreamConfig)

func newLab(t testing.TB, options ...option) *lab { return newLabOn(t, "127.0.0.1:0", options...) }

func newLabOn(t testing.TB, listen string, options ...option) *lab {
	t.Helper()
	return newLabWith(t, listen, nil, options...)
}

// newLabWith makes a lab that serves other streams too. listen is as for serve.
func newLabWith(t testing.TB, listen string, others []*Stream, options ...option) *lab {
	t.Helper()
	l := prepareLab(t, others, options...)
	l.serve(listen)
	return l
}

// prepareLab makes a lab that does not serve yet.
func prepareLab(t testing.TB, others []*Stream, options ...option) *lab {
	t.Helper()
	l := &lab{
		t: t, parameters: &fakeParameters{bitrate: 5000, entered: make(chan struct{}, 1)},
		clock: monotonic(), ended: make(chan struct{}),
	}
	cfg := Config{Log: slog.New(slog.DiscardHandler)}
	streamCfg := StreamConfig{Path: "main", Title: "a camera", Parameters: l.parameters, KeyFrame: func() { l.asked.Add(1) }}
	for _, o := range options {
		o(&cfg, &streamCfg)
	}
	l.stream = NewStream(streamCfg)
	var err error
	if l.srv, err = NewServer(cfg, append(others, l.stream)...); err != nil {
		t.Fatal(err)
	}
	return l
}

// serve lets the server run until the test ends; "tls:" in front of the address:
// over TLS.
func (l *lab) serve(listen string) {
	l.t.Helper()
	listener, err := net.Listen("tcp", strings.TrimPrefix(listen, "tls:"))
	if err != nil {
		l.t.Fatal(err)
	}
	l.addr = listener.Addr().String()
	l.url = "rtsp://" + l.addr + "/main"
	if listen != strings.TrimPrefix(listen, "tls:") {
		listener = l.overTLS(listener)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.halt = cancel
	go func() {
		defer close(l.ended)
		l.served = l.srv.Serve(ctx, listener)
	}()
	l.t.Cleanup(l.cleanup)
}

// stop ends the server and waits for it.
func (l *lab) stop() {
	l.t.Helper()
	l.halt()
	select {
	case <-l.ended:
	case <-time.After(patience):
		l.t.Fatal("the server does not stop")
	}
}

// cleanup checks what must hold at the end of every test.
func (l *lab) cleanup() {
	l.stop()
	if l.served != nil {
		l.t.Errorf("Serve: %v", l.served)
	}
	for i, u := range l.published {
		await(l.t, fmt.Sprintf("unit %d is released", i), func() bool { return u.releases.Load() == 1 })
	}
	if n := len(l.srv.sessions) + len(l.srv.byRTCP) + len(l.srv.conns) + len(l.stream.viewers) + len(l.srv.groups.open) + int(l.srv.lanes.open.Load()); n != 0 {
		l.t.Errorf("%d sessions, connections or viewers are left", n)
	}
	if _, is := l.t.(*testing.B); !is { // benchmarks have goroutines of their own
		goleak.VerifyNone(l.t)
	}
}

// publish publishes a unit with slices of the given sizes, in front of them the
// parameter sets if it is a key unit.
func (l *lab) publish(key bool, sizes ...int) *fakeUnit {
	u := l.unit(key, sizes...)
	l.stream.Publish(u)
	return u
}

func (l *lab) unit(key bool, sizes ...int) *fakeUnit {
	u := &fakeUnit{key: key, at: l.clock}
	kind := byte(1)
	if key {
		u.nalus, kind = append(u.nalus, testSPS, testPPS), 5
	}
	for i, n := range sizes {
		u.nalus = append(u.nalus, slice(kind, len(l.published)+i, n))
	}
	l.published = append(l.published, u)
	l.clock += frameInterval
	return u
}

// await waits for a condition.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// viewers counts those who play, and those of them who wait for a key frame.
func (l *lab) viewers() (playing, waiting int) {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	for _, v := range l.stream.viewers {
		if v.waiting {
			waiting++
		}
	}
	return len(l.stream.viewers), waiting
}

// awaitWaiting waits until that many viewers wait for a key frame.
func (l *lab) awaitWaiting(n int) {
	l.t.Helper()
	await(l.t, fmt.Sprintf("%d viewers wait for a key frame", n), func() bool {
		_, waiting := l.viewers()
		return waiting == n
	})
}

// sessions lists the ids of all sessions.
func (l *lab) sessions() []string {
	l.srv.mu.Lock()
	defer l.srv.mu.Unlock()
	var ids []string
	for id := range l.srv.sessions {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// sweepLater runs the clockwork as it will be due after d.
func (l *lab) sweepLater(d time.Duration) {
	l.srv.sweep(monotonic()+d, time.Now().Add(d))
}

// forgetAsking lets the next wish for a key frame be passed on at once.
func (l *lab) forgetAsking() {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	l.stream.asked = monotonic() - keyFrameShare
}

// rest runs f while the clockwork rests: its reports, and its looks at sessions,
// cost some objects.
func (l *lab) rest(f func()) {
	l.srv.mu.Lock()
	defer l.srv.mu.Unlock()
	f()
}

// rtcpAddresses counts the addresses that RTCP is expected from.
func (l *lab) rtcpAddresses() int {
	l.srv.mu.Lock()
	defer l.srv.mu.Unlock()
	return len(l.srv.byRTCP)
}
