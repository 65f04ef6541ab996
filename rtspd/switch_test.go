package rtspd

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/nettest"
)

// A small switch: 20 Mbit/s to the viewer, and room for 112 KB in all.
const (
	switchRate  = "20mbit"
	switchBurst = "16kb"
	switchQueue = "96kb"
)

// A key frame a second, of 8 Mbit/s at 30 frames/s.
const (
	switchKey   = 125_000 // bytes
	switchOther = 29_700
	switchUnits = 90
)

// The packets of a key frame overrun a small switch, unless they are paced.
func TestKeyFramesThroughASmallSwitch(t *testing.T) {
	lost := map[Pacing]float64{}
	for _, m := range []struct {
		name   string
		pacing Pacing
	}{{"off", PacingOff}, {"on", PacingOn}} {
		t.Run(m.name, func(t *testing.T) {
			lost[m.pacing] = throughSwitch(t, m.pacing)
			t.Logf("8 Mbit/s through %s with room for %s, pacing %s: %.2f %% of the packets are lost", switchRate, switchQueue, m.name, 100*lost[m.pacing])
		})
	}
	if lost[PacingOff] < 0.005 || lost[PacingOn] > lost[PacingOff]/2 { // nothing, on a machine that is not busy
		t.Errorf("%v of the packets are lost without pacing, %v with it", lost[PacingOff], lost[PacingOn])
	}
}

func throughSwitch(t *testing.T, pacing Pacing) (lost float64) {
	camera, viewer := nettest.Connect(t, 0, nettest.NewHost(t), nettest.NewHost(t))
	camera.Run(t, "tc", "qdisc", "add", "dev", camera.Name, "root", "tbf", "rate", switchRate, "burst", switchBurst, "limit", switchQueue)
	var l *lab
	var c *client
	camera.Do(t, func() {
		l = newLabOn(t, net.JoinHostPort(camera.IPv4.String(), "0"), func(_ *Config, s *StreamConfig) { s.Pacing = pacing })
	})
	viewer.Do(t, func() {
		c = l.dial()
		port := c.openUDP(viewer.IPv4.String())
		c.setup(fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1))
	})
	c.play()
	first := l.next() - 4 // of the unit that play publishes
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.awaitEnd()
	}()
	for i := range switchUnits {
		if i%30 == 0 {
			l.publishInTime(true, switchKey)
		} else {
			l.publishInTime(false, switchOther)
		}
	}
	sent := l.next() - first
	for { // until the viewer has seen the end
		select {
		case <-over:
			return float64(dropped(t, camera)) / float64(sent)
		default:
			l.publishInTime(false, 1)
		}
	}
}

// publishInTime publishes, and waits for the time of the next unit. A machine that
// is late with one is not given two at once, as no camera does: the next one comes
// an interval behind the last, and behind its last packet.
func (l *lab) publishInTime(key bool, size int) {
	next := time.Now().Add(time.Second / 30)
	u := l.publish(key, size)
	await(l.t, "the unit is sent", func() bool { return u.releases.Load() == 1 })
	time.Sleep(time.Until(next))
}

// next is the number of the next packet.
func (l *lab) next() uint16 {
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	return l.stream.packetizer.Next()
}

// awaitEnd reads up to the first packet of one byte.
func (c *client) awaitEnd() {
	buf := make([]byte, 1<<16)
	for {
		_ = c.udp[0].SetReadDeadline(time.Now().Add(patience))
		if size, err := c.udp[0].Read(buf); err != nil || size == 12+1 {
			return
		}
	}
}

// dropped is how many packets the switch had no room for, as it counted them: a
// viewer that does not run now loses others.
func dropped(t *testing.T, at *nettest.End) (n int) {
	t.Helper()
	var out []byte
	var err error
	at.Do(t, func() { out, err = exec.Command("tc", "-s", "qdisc", "show", "dev", at.Name).CombinedOutput() })
	_, counts, ok := strings.Cut(string(out), "(dropped ")
	if _, bad := fmt.Sscan(strings.ReplaceAll(counts, ",", " "), &n); err != nil || !ok || bad != nil {
		t.Fatalf("tc: %v\n%s", err, out)
	}
	return n
}
