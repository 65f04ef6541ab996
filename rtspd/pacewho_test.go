package rtspd

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// Reports that show loss let a viewer be paced, for a minute, and the log is told
// once.
func TestLossIsPaced(t *testing.T) {
	logs := &logBuffer{}
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.Log = slog.New(slog.NewTextHandler(logs, nil)) })
	c, other := l.dial().setupUDP(), l.dial().setupUDP()
	c.play()
	other.play()
	v := l.srv.session(c.session).viewer.Load()
	c.receive(1)
	reports := uint32(0)
	report := func(lost uint32) {
		reports++
		c.sendReport(marshal(t, &rtcp.ReceiverReport{SSRC: 7, Reports: []rtcp.ReceptionReport{{
			SSRC: c.media.ssrc, TotalLost: lost, LastSequenceNumber: uint32(c.media.next), Jitter: reports,
		}}}))
		await(t, "the report is read", func() bool {
			l.stream.mu.Lock()
			defer l.stream.mu.Unlock()
			return v.last.Jitter == reports
		})
	}
	report(0)
	if n := l.stream.Stats().PacedViewers; n != 0 {
		t.Errorf("%d viewers are paced without loss", n)
	}
	report(3)
	report(3)
	if n := l.stream.Stats().PacedViewers; n != 1 {
		t.Errorf("%d viewers are paced", n)
	}
	for range 3 {
		l.sweepLater(0)
	}
	logs.mu.Lock()
	n := strings.Count(logs.b.String(), "its reports show loss")
	logs.mu.Unlock()
	if n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	l.publish(false, threeChunks)
	c.receive(3)
	other.receive(2)
	if st := l.stream.Stats(); st.Paced != 40 {
		t.Errorf("%+v", st)
	}
	l.stream.mu.Lock()
	defer l.stream.mu.Unlock()
	for after, want := range map[time.Duration]bool{paceCalm - 1: true, paceCalm: false} {
		if got := l.stream.paces(v, v.lossAt+after); got != want {
			t.Errorf("paced %v after a loss: %v", after, got)
		}
	}
}

// What one member of a group loses lets the group be paced.
func TestLossInAGroupIsPaced(t *testing.T) {
	l := newLab(t, multicast())
	c := l.dial().setupMulticast()
	c.play()
	c.receive(1)
	for i, lost := range []uint32{0, 5} {
		c.tellGroup(&rtcp.ReceiverReport{SSRC: 7, Reports: []rtcp.ReceptionReport{{
			SSRC: c.media.ssrc, TotalLost: lost, LastSequenceNumber: uint32(c.media.next), Jitter: uint32(i + 1),
		}}})
		await(t, "the report is read", func() bool { return l.stream.Stats().Jitter == time.Duration(i+1)*time.Second/90_000 })
		if n := l.stream.Stats().PacedViewers; n != i {
			t.Errorf("%d lost: %d viewers are paced", lost, n)
		}
	}
}

func TestWireless(t *testing.T) {
	sys := t.TempDir()
	for _, dir := range []string{"wlan0/phy80211", "old0/wireless", "eth0/device"} {
		if err := os.MkdirAll(filepath.Join(sys, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"wlan0": true, "old0": true, "eth0": false, "": false, "gone": false} {
		if got := wireless(sys, name); got != want {
			t.Errorf("%q is wireless: %v", name, got)
		}
	}
}

func TestWhoIsPaced(t *testing.T) {
	for pacing, want := range map[Pacing][3]bool{PacingAuto: {false, true, false}, PacingOn: {true, true, false}, PacingOff: {}} {
		s := NewStream(StreamConfig{Pacing: pacing})
		for i, v := range []*viewer{{}, {air: true}, {air: true, out: newOutbox(nil, 0)}} {
			if got := s.paces(v, 0); got != want[i] {
				t.Errorf("pacing %d, viewer %d: %v", pacing, i, got)
			}
		}
	}
}

// Who is paced pays for all of a key frame, not for its first chunk alone.
func TestPacedKeyFramesArePaidFor(t *testing.T) {
	for name, setup := range map[string]func(*lab) *client{
		"plain": func(l *lab) *client { return l.dial().setupUDP() },
		"SRTP": func(l *lab) *client {
			c := l.dial()
			c.describeSRTP(l.url + "?srtp")
			return c.setupSAVPF()
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newSecureLab(t, paced)
			l.byHand()
			l.publish(true, 100)
			c := setup(l)
			c.play()
			v := l.srv.session(c.session).viewer.Load()
			l.stream.mu.Lock()
			v.thin.wanted, v.thin.bps = true, 440_000 // 55 kB a second
			l.stream.mu.Unlock()
			for i, want := range []bool{true, false, true} {
				before := l.stream.Stats().Packets
				l.publish(true, threeChunks)
				for l.step() {
				}
				l.clock += 600 * time.Millisecond
				if sent := l.stream.Stats().Packets > before; sent != want {
					t.Errorf("key frame %d: sent is %v", i, sent)
				}
			}
		})
	}
}
