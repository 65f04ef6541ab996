package rtspd

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// floodSize is how many come at once.
const floodSize = 1000

// A witness is two viewers, by TCP and by UDP, who get units all the time.
type witness struct {
	l        *lab
	tcp, udp *client
	recorded func()
	stop     chan struct{} // closed to end publishing
	done     sync.WaitGroup
	packets  [][]byte // by UDP
}

func newWitness(l *lab) *witness {
	l.t.Helper()
	w := &witness{l: l, tcp: l.dial().setupTCP(), udp: l.dial().setupUDP(), stop: make(chan struct{})}
	w.tcp.play()
	w.udp.play()
	w.recorded = w.tcp.record()
	w.done.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-w.stop:
				return
			case <-time.After(10 * time.Millisecond): // the camera's pace
				l.clock = max(l.clock, monotonic())
				l.publish(i%10 == 0, 2000)
			}
		}
	})
	return w
}

// collect reads what comes by UDP, until nothing comes any more.
func (w *witness) collect(ended <-chan struct{}) {
	buf := make([]byte, 1<<16)
	for {
		_ = w.udp.udp[0].SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := w.udp.udp[0].Read(buf)
		if err == nil {
			w.packets = append(w.packets, append([]byte{}, buf[:n]...))
			continue
		}
		select {
		case <-ended:
			return
		default:
		}
	}
}

// unharmed lets the flood go on, and wants every packet of every unit.
func (w *witness) unharmed(flood func()) {
	w.l.t.Helper()
	before := w.l.stream.Stats()
	ended := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() { w.collect(ended) })
	flood()
	close(w.stop)
	w.done.Wait()
	w.l.stop()
	close(ended)
	reading.Wait()
	w.recorded()
	if n := len(w.l.published); n < 20 {
		w.l.t.Fatalf("%d units during the flood: it was none", n)
	}
	w.tcp.receive(len(w.l.published))
	w.tcp.media.equal(w.l.t, w.l.published)
	for _, p := range w.packets {
		w.udp.media.push(w.l.t, p)
	}
	w.udp.media.equal(w.l.t, w.l.published[1:])
	if s := w.l.stream.Stats(); s.Skips != before.Skips {
		w.l.t.Errorf("%d units were left out", s.Skips-before.Skips)
	}
}

// A thousand connections that write a byte now and then, let in or not, cost a
// viewer nothing, and all of them end.
func TestSlowWritersHarmNobody(t *testing.T) {
	for name, limits := range map[string]Limits{
		"turned away": {},
		"let in":      {Connections: 2 * floodSize, ConnectionsPerAddress: 2 * floodSize},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(c *Config, _ *StreamConfig) { c.Limits, c.RequestTimeout = limits, time.Second })
			var ended atomic.Int32
			newWitness(l).unharmed(func() {
				var all sync.WaitGroup
				for range floodSize {
					all.Go(func() {
						if l.writeSlowly() {
							ended.Add(1)
						}
					})
				}
				all.Wait()
			})
			if n := ended.Load(); n != floodSize {
				t.Errorf("%d of %d slow writers were cut off", n, floodSize)
			}
		})
	}
}

// writeSlowly writes a request byte by byte, until the server ends it.
func (l *lab) writeSlowly() (cutOff bool) {
	nc, err := net.Dial("tcp", l.addr)
	if err != nil {
		return false
	}
	defer nc.Close()
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = nc.SetReadDeadline(time.Now().Add(patience))
		for br := bufio.NewReader(nc); err == nil; {
			_, err = br.ReadByte()
		}
	}()
	request := []byte("OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: ")
	for i := 0; ; i++ {
		b := byte('x')
		if i < len(request) {
			b = request[i]
		}
		_, _ = nc.Write([]byte{b}) // what comes back tells
		select {
		case <-over:
			ne, ok := err.(net.Error)
			return !ok || !ne.Timeout()
		case <-time.After(50 * time.Millisecond): // how slow it is
		}
	}
}

// A thousand sessions that are set up and never played cost a viewer nothing,
// and their number is bounded.
func TestHalfOpenSetupsHarmNobody(t *testing.T) {
	t.Run("UDP", func(t *testing.T) {
		harmlessSetups(t, func(port int) string {
			return fmt.Sprintf("1.0\r\nTransport: RTP/AVP;unicast;client_port=%d-%d", port, port+1)
		})
	})
	t.Run("TCP of its own", func(t *testing.T) { // to which nobody connects
		harmlessSetups(t, func(int) string { return "2.0\r\nTransport: " + ownTCP })
	})
}

// harmlessSetups is a flood of what ask asks for, from its version on.
func harmlessSetups(t *testing.T, ask func(port int) string) {
	l := newLab(t)
	most := l.srv.cfg.Limits.SessionsPerAddress
	var made, refused atomic.Int32
	newWitness(l).unharmed(func() {
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				for i := worker; i < floodSize; i += 8 {
					switch l.setupAndLeave(ask(40000 + 2*i)) {
					case 200:
						made.Add(1)
					case 503:
						refused.Add(1)
					}
				}
			})
		}
		all.Wait()
		if n := len(l.sessions()); n > most+8 {
			t.Errorf("%d sessions, at most %d from one address", n, most)
		}
		l.srv.mu.Lock()
		for _, ses := range l.srv.sessions {
			if v := ses.viewer.Load(); v.lanes != nil || v.rtcpFrom().Port() > 40000 {
				ses.seen.Store(int64(monotonic() - time.Hour))
			}
		}
		l.srv.mu.Unlock()
		await(t, "the half-open sessions end", func() bool { return len(l.sessions()) == 2 })
	})
	if m, r := int(made.Load()), int(refused.Load()); m < most-2 || r == 0 || m+r != floodSize {
		t.Errorf("%d sessions were made and %d refused, of %d", m, r, floodSize)
	}
}

// setupAndLeave is SETUP without PLAY, of a version and with a transport, and
// gives the status.
func (l *lab) setupAndLeave(ask string) int {
	nc, err := net.Dial("tcp", l.addr)
	if err != nil {
		return 0
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(nc, "SETUP %s/trackID=0 RTSP/%s\r\nCSeq: 1\r\n\r\n", l.url, ask)
	r, err := readResponse(bufio.NewReader(nc))
	if err != nil {
		return 0
	}
	return r.status
}
