package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"regexp"
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
	least  atomic.Int64 // that the codec was told
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
	return serveSyntheticOn(t, at, at.IPv4.String(), func(*rtspd.Config) {})
}

// serveSyntheticOn serves one at an address; "": at all.
func serveSyntheticOn(t *testing.T, at *nettest.End, host string, tune func(*rtspd.Config)) *synthetic {
	t.Helper()
	s := &synthetic{}
	s.codec.Store(syntheticRate)
	s.least.Store(syntheticRate)
	s.stream = rtspd.NewStream(rtspd.StreamConfig{Path: "main", KeyFrame: func() {}, Bitrate: func(bps int) {
		s.codec.Store(int64(bps))
		s.least.Store(min(s.least.Load(), int64(bps)))
	}})
	s.stream.Describe(30, syntheticRate)
	var listener net.Listener
	var server *rtspd.Server
	at.Do(t, func() {
		var err error
		if listener, err = net.Listen("tcp", net.JoinHostPort(host, "0")); err == nil {
			cfg := rtspd.Config{Log: slog.New(slog.NewTextHandler(&s.log, nil))}
			tune(&cfg)
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

// picture publishes one, of which each 60th is a key frame of twice the size.
func (s *synthetic) picture(n int) {
	const gop = 60
	size := int(s.codec.Load()) / 8 / 30 * gop / (gop + 1)
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // no Linux is without it
	u := &syntheticUnit{at: time.Duration(now.Nano()), key: n%gop == 0}
	kind := byte(0x41)
	if u.key {
		size, kind = 2*size, 0x65
		u.nalus = [][]byte{{0x67, 0x64, 0, 0x28, 0xac, 0x2b, 0x40, 0x28, 0x02, 0xdd, 0x80}, {0x68, 0xee, 0x3c, 0x80}}
	}
	slice := make([]byte, size)
	slice[0] = kind
	u.nalus = append(u.nalus, slice)
	s.stream.Publish(u)
}

// A reporter is a viewer that reports every second.
type reporter struct {
	*viewer
	discard int // one packet in so many does not arrive; 0: all do
}

// attend plays a stream from the other end of a link.
func attend(t *testing.T, at *nettest.End, s *synthetic, transport string) *reporter {
	t.Helper()
	w := &reporter{}
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

// report sends a receiver report every second, 20 ms late.
func (w *reporter) report(ctx context.Context) {
	tick := time.NewTicker(time.Second)
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
		b, err := (&rtcp.ReceiverReport{SSRC: 7, Reports: []rtcp.ReceptionReport{r}}).Marshal()
		if err == nil {
			_, err = w.udp[1].WriteToUDPAddrPort(b, w.control())
		}
		if err != nil && !errors.Is(err, unix.ENETUNREACH) && !errors.Is(err, unix.EHOSTUNREACH) {
			w.t.Errorf("report: %v", err)
		}
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

// A linkSecond is one of a run.
type linkSecond struct {
	sent, codec, link float64 // Mbit/s
	came, lost        int
	queue             float64 // kB
}

// A linkRun is a viewer alone with its stream, behind a link that narrows.
type linkRun struct {
	name    string
	s       *synthetic
	w       *reporter
	near    *nettest.End
	seconds []linkSecond
}

// shape sets the bit rate of a link, with a queue of 100 kB.
func shape(t *testing.T, at *nettest.End, mbit int) {
	at.Run(t, "tc", "qdisc", "replace", "dev", at.Name, "root", "handle", "1:", "tbf", "rate", fmt.Sprintf("%dmbit", mbit), "burst", "16k", "limit", "100k")
}

var backlog = regexp.MustCompile(`backlog (\d+)(K?)b`)

// queued is what waits in front of a link, in kB.
func queued(t *testing.T, at *nettest.End) (kB float64) {
	at.Do(t, func() {
		out, err := exec.Command("tc", "-s", "qdisc", "show", "dev", at.Name).Output()
		m := backlog.FindSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("tc: %v\n%s", err, out)
		}
		n, _ := strconv.Atoi(string(m[1]))
		if kB = float64(n) / 1000; len(m[2]) > 0 {
			kB = float64(n)
		}
	})
	return kB
}

// Seconds of TestLinks.
const (
	linkNarrows = 4
	linkWidens  = 29
	linkEnds    = 61
)

// TestLinks: links of 10 Mbit/s narrow to 2 and widen again under streams of 6
// Mbit/s; what is sent follows, by UDP and TCP.
func TestLinks(t *testing.T) {
	const attempts = 3 // a machine that has no time for the encoder tells nothing about links
	for i := range attempts {
		starved := false
		t.Run(fmt.Sprint(i), func(t *testing.T) { starved = links(t, i == attempts-1) })
		if !starved {
			break
		}
	}
}

// links runs everything once. True: the machine was too busy, and nothing was checked.
func links(t *testing.T, last bool) (starved bool) {
	camera := nettest.NewHost(t)
	var runs []*linkRun
	for i, transport := range []string{"udp", "tcp"} {
		near, far := nettest.Connect(t, 10+i, camera, nettest.NewHost(t))
		shape(t, near, 10)
		s := serveSynthetic(t, near)
		runs = append(runs, &linkRun{name: transport, s: s, w: attend(t, far, s, transport), near: near})
	}
	crowd, slow := serveCrowd(t, camera)
	lossy := serveLossy(t, camera)
	for _, r := range runs {
		waitFor(t, time.Minute, "the whole stream is sent", func() bool { return r.s.codec.Load() == syntheticRate })
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	link := 10
	for second := range linkEnds {
		switch second {
		case linkNarrows:
			link = 2
		case linkWidens:
			link = 10
		}
		if second == linkNarrows || second == linkWidens {
			for _, r := range runs {
				shape(t, r.near, link)
			}
			shape(t, slow, link)
		}
		before := make([]uint64, len(runs))
		for i, r := range runs {
			before[i] = r.s.stream.Stats().Bytes
		}
		<-tick.C
		for i, r := range runs {
			came, lost, _, _ := r.w.counts()
			r.seconds = append(r.seconds, linkSecond{
				sent: float64(r.s.stream.Stats().Bytes-before[i]) * 8 / 1e6, codec: float64(r.s.codec.Load()) / 1e6, link: float64(link),
				came: came, lost: lost, queue: queued(t, r.near),
			})
		}
	}
	for _, r := range runs {
		starved = starved || r.starved()
	}
	if starved && !last {
		return true
	}
	for _, r := range runs {
		r.check(t)
		r.draw(t)
	}
	crowd(t)
	lossy(t)
	return false
}

// starved tells whether the stream was not published as fast as the codec was told.
func (r *linkRun) starved() bool {
	seconds := 0
	for i := 1; i < len(r.seconds); i++ {
		if least := min(r.seconds[i-1].codec, r.seconds[i].codec); r.seconds[i].sent < 0.7*least && r.name == "udp" {
			seconds++
		}
	}
	return seconds > 2
}

// check holds a run against what is promised.
func (r *linkRun) check(t *testing.T) {
	for i, s := range r.seconds {
		t.Logf("%s %2d s: link %2.0f, codec %.2f, sent %.2f Mbit/s, %d came, %d lost, queue %.0f kB", r.name, i, s.link, s.codec, s.sent, s.came, s.lost, s.queue)
	}
	settled := linkNarrows + 2 // reports come every second
	if sent := r.seconds[settled].sent; sent > 2 {
		t.Errorf("%s: %.2f Mbit/s are sent by a link of 2", r.name, sent)
	}
	if r.name == "tcp" {
		settled += 2 // what is given up shows behind what is under way
	}
	a, b := r.seconds[settled], r.seconds[settled+20]
	if came, lost := b.came-a.came, b.lost-a.lost; lost*100 > came {
		t.Errorf("%s: in the 20 s after, %d packets are lost, and %d come", r.name, lost, came)
	}
	if got := r.seconds[linkWidens+30].codec; got < 0.9*syntheticRate/1e6 {
		t.Errorf("%s: %.2f Mbit/s 30 s after the link widened", r.name, got)
	}
	said := r.s.log.String()
	if n := strings.Count(said, "bitrate lowered"); n == 0 || n > 2 || strings.Count(said, "bitrate raised") != n { // the beginning may be bumpy
		t.Errorf("%s: the log says\n%s", r.name, said)
	}
}

func (r *linkRun) draw(t *testing.T) {
	var link, codec, sent, queue, loss []float64
	before := 0
	for _, s := range r.seconds {
		link, codec, sent, queue = append(link, s.link), append(codec, s.codec), append(sent, s.sent), append(queue, s.queue)
		loss = append(loss, float64(s.lost-before))
		before = s.lost
	}
	draw(t, "link_"+r.name+".svg",
		panel{"Mbit/s", []curve{{"link", "gray", link}, {"sent", "blue", sent}, {"encoder", "red", codec}}},
		panel{"queue in front of the link, kB", []curve{{"queue", "green", queue}}},
		panel{"packets lost", []curve{{"lost", "red", loss}}})
}
