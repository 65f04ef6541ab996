package rtspd

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lenslet/rtspd/nettest"
)

// unsent is what the kernel still holds of what went by the server's port of RTP.
func (l *lab) unsent() (bytes int) {
	l.t.Helper()
	raw, err := l.srv.udp.rtp.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { bytes, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return bytes
}

// A slow link behind a small buffer of the socket's has no room for a key frame, whose
// packets are counted as refused. The viewer is paced from the next unit on, without a
// report, and nothing is refused any more.
func TestWhereThereIsNoRoomIsPaced(t *testing.T) {
	camera, viewer := nettest.Connect(t, 0, nettest.NewHost(t), nettest.NewHost(t))
	camera.Run(t, "tc", "qdisc", "add", "dev", camera.Name, "root", "tbf", "rate", "4mbit", "burst", "16kb", "limit", "4mb")
	logs := &logBuffer{}
	var l *lab
	var c *client
	camera.Do(t, func() {
		l = newLabOn(t, net.JoinHostPort(camera.IPv4.String(), "0"), func(c *Config, _ *StreamConfig) { c.Log = slog.New(slog.NewTextHandler(logs, nil)) })
	})
	if err := l.srv.udp.rtp.SetWriteBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	l.byHand()
	viewer.Do(t, func() {
		c = l.dial()
		port := c.openUDP(viewer.IPv4.String())
		c.setup(fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1))
	})
	c.play()
	l.publish(true, 1_000_000) // 2 s of the link
	full := l.stream.Stats()
	if full.Refused == 0 || full.Paced != 0 || full.PacedViewers != 1 {
		t.Errorf("a key frame without room: %+v", full)
	}
	drained := func() bool { return l.unsent() == 0 }
	await(t, "the socket is empty", drained)
	l.publish(true, 200_000)
	for l.step() {
		await(t, "the chunk has left", drained)
	}
	if st := l.stream.Stats(); st.Refused != full.Refused || st.Paced < 144 {
		t.Errorf("a key frame in chunks: %+v", st)
	}
	l.sweepLater(0)
	logs.mu.Lock()
	defer logs.mu.Unlock()
	if !strings.Contains(logs.b.String(), "packets to a viewer are paced") {
		t.Errorf("the log says %q", logs.b.String())
	}
}

// The log tells where the kernel grants less than what sysctl.d sets.
func TestWhatTheKernelHolds(t *testing.T) {
	logs := &logBuffer{}
	l := newLab(t, func(c *Config, _ *StreamConfig) { c.Log = slog.New(slog.NewTextHandler(logs, nil)) })
	b, err := os.ReadFile("/proc/sys/net/core/wmem_max")
	if err != nil {
		t.Fatal(err)
	}
	var most int
	if _, err := fmt.Sscan(string(b), &most); err != nil {
		t.Fatal(err)
	}
	if n, want := granted(l.srv.udp.rtp), min(most, udpSendBuffer); n != want {
		t.Errorf("%d bytes are granted, not %d", n, want)
	}
	logs.mu.Lock()
	said := strings.Count(logs.b.String(), "net.core.wmem_max grants less")
	logs.mu.Unlock()
	if (said == 1) != (most < udpSendBuffer) || said > 1 {
		t.Errorf("of %d bytes the log says %q", most, logs.b.String())
	}
	conf, err := os.ReadFile("../systemd/50-lenslet.conf")
	if want := fmt.Sprintf("\nnet.core.wmem_max = %d\n", udpSendBuffer); err != nil || !strings.HasSuffix(string(conf), want) {
		t.Errorf("sysctl.d has %q (%v), want%s", conf, err, want)
	}
}
