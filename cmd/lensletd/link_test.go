package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"golang.org/x/sys/unix"

	"lenslet/rtspd"
	"lenslet/rtspd/nettest"
	"lenslet/rtspd/rtp"
)

// A synthetic is a stream at exactly the bit rate that it is told, at 30 pictures
// a second, served on a host.
type synthetic struct {
	stream *rtspd.Stream
	url    string
	codec  atomic.Int64 // bit/s
	log    buffer
	mosaic mosaic
	mu     sync.Mutex
	made   []madeUnit
	least  atomic.Int64 // that the codec was told
	key    atomic.Bool  // the next picture is to be a key frame
}

const syntheticRate = 6_000_000

// A syntheticUnit is a picture of a synthetic.
type syntheticUnit struct {
	nalus [][]byte
	key   bool
	at    time.Duration
}

func (u *syntheticUnit) NALUs() [][]byte          { return u.nalus }
func (u *syntheticUnit) Key() bool                { return u.key }
func (u *syntheticUnit) Timestamp() time.Duration { return u.at }
func (u *syntheticUnit) Release()                 {}

// serveSynthetic serves one at an end of a link, until the test ends.
func serveSynthetic(t *testing.T, at *nettest.End) *synthetic {
	t.Helper()
	return serveSyntheticOn(t, at, at.IPv4.String(), func(*rtspd.Config, *rtspd.StreamConfig) {})
}

// serveSyntheticOn serves one at an address; "": at all.
func serveSyntheticOn(t *testing.T, at *nettest.End, host string, tune func(*rtspd.Config, *rtspd.StreamConfig)) *synthetic {
	t.Helper()
	s := &synthetic{}
	s.codec.Store(syntheticRate)
	s.least.Store(syntheticRate)
	cfg := rtspd.Config{Log: slog.New(slog.NewTextHandler(&s.log, nil))}
	stream := rtspd.StreamConfig{Path: "main", KeyFrame: func() { s.key.Store(true) }, Bitrate: func(bps int) {
		s.codec.Store(int64(bps))
		s.least.Store(min(s.least.Load(), int64(bps)))
	}}
	tune(&cfg, &stream)
	s.stream = rtspd.NewStream(stream)
	s.stream.Describe(30, syntheticRate)
	var listener net.Listener
	var server *rtspd.Server
	at.Do(t, func() {
		var err error
		if listener, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err == nil {
			server, err = rtspd.NewServer(cfg, s.stream)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	s.picture(0) // DESCRIBE needs its parameter sets
	s.url = fmt.Sprintf("rtsp://%v:%d/main", at.IPv4, listener.Addr().(*net.TCPAddr).Port)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		if err := server.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	all.Go(func() { s.publish(ctx) })
	t.Cleanup(func() { cancel(); all.Wait() })
	return s
}

// publish publishes pictures until ctx ends.
func (s *synthetic) publish(ctx context.Context) {
	tick := time.NewTicker(time.Second / 30)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.picture(n)
		}
	}
}

// picture publishes one, of which each 60th is a key frame.
func (s *synthetic) picture(n int) {
	u := &syntheticUnit{at: monotonic(), key: s.key.Swap(false) || n%60 == 0}
	if u.key {
		u.nalus = s.mosaic.sets()
	}
	u.nalus = append(u.nalus, s.mosaic.picture(u.key, int(s.codec.Load())/8/30))
	m := madeUnit{at: u.at}
	for _, n := range u.nalus {
		m.octets += len(n)
	}
	s.mu.Lock()
	s.made = append(s.made, m)
	s.mu.Unlock()
	s.stream.Publish(u)
}

// A madeUnit is a picture that was published.
type madeUnit struct {
	at     time.Duration
	octets int
}

func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // no Linux is without it
	return time.Duration(now.Nano())
}

// A reporter is a viewer that reports.
type reporter struct {
	*viewer
	every   time.Duration // between receiver reports
	discard int           // one packet in so many does not arrive; 0: all do
}

// attend plays a stream from the other end of a link, and reports every second.
func attend(t *testing.T, at *nettest.End, s *synthetic, transport string) *reporter {
	t.Helper()
	return attendEvery(t, at, s, transport, time.Second)
}

func attendEvery(t *testing.T, at *nettest.End, s *synthetic, transport string, every time.Duration) *reporter {
	t.Helper()
	w := &reporter{every: every}
	at.Do(t, func() {
		w.viewer = dialViewer(t, s.url)
		w.play(transport)
	})
	if transport == "udp" {
		ctx, cancel := context.WithCancel(context.Background())
		var done sync.WaitGroup
		done.Go(func() { w.report(ctx) })
		t.Cleanup(func() { cancel(); done.Wait() })
	}
	return w
}

// counts tells the packets that came, those missing between them, and the bytes.
func (v *viewer) counts() (came, lost, octets int, highest uint32) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.packets) == 0 {
		return 0, 0, 0, 0
	}
	first := uint32(v.packets[0].SequenceNumber)
	for i, p := range v.packets {
		if i == 0 {
			highest = first
		} else if step := int16(p.SequenceNumber - uint16(highest)); step > 0 {
			highest += uint32(step)
		}
		octets += v.sizes[i]
	}
	return len(v.packets), int(highest-first) + 1 - len(v.packets), octets, highest
}

// report sends receiver reports, 20 ms late.
func (w *reporter) report(ctx context.Context) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		came, lost, _, highest := w.counts()
		if came == 0 {
			continue
		}
		if w.discard > 0 {
			lost += came / w.discard
		}
		w.mu.Lock()
		r := rtcp.ReceptionReport{SSRC: w.packets[0].SSRC, LastSequenceNumber: highest, TotalLost: uint32(max(0, lost))}
		if n := len(w.reports); n > 0 {
			r.LastSenderReport = uint32(w.reports[n-1].NTPTime >> 16)
			r.Delay = uint32(rtp.NTP(time.Now())>>16) - r.LastSenderReport // one clock for both
		}
		w.mu.Unlock()
		time.Sleep(20 * time.Millisecond) // the way back
		w.sendControl(&rtcp.ReceiverReport{SSRC: 7, Reports: []rtcp.ReceptionReport{r}})
	}
}

// sendControl sends RTCP to where the server takes it.
func (w *reporter) sendControl(p rtcp.Packet) {
	b, err := rtcp.Marshal([]rtcp.Packet{p})
	if err == nil {
		_, err = w.udp[1].WriteToUDPAddrPort(b, w.control())
	}
	if err != nil && !errors.Is(err, unix.ENETUNREACH) && !errors.Is(err, unix.EHOSTUNREACH) {
		w.t.Errorf("report: %v", err)
	}
}

// control is where the server takes reports.
func (w *reporter) control() netip.AddrPort {
	_, ports, _ := strings.Cut(w.setUp, "server_port=")
	_, port, _ := strings.Cut(ports, "-")
	port, _, _ = strings.Cut(port, ";")
	n, _ := strconv.Atoi(port)
	return netip.AddrPortFrom(w.conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(), uint16(n))
}
