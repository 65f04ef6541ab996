package main

import (
	"os/exec"
	"slices"
	"testing"
	"time"

	"lenslet/rtspd"
	"lenslet/rtspd/nettest"
)

// TestGStreamerTellsTransportWide: where packets have transport-wide numbers GStreamer
// reports about each of them, and the encoder follows as a link narrows.
func TestGStreamerTellsTransportWide(t *testing.T) {
	camera := nettest.NewHost(t)
	near, far := nettest.Connect(t, 45, camera, nettest.NewHost(t))
	shape(t, near, 10)
	s := serveSyntheticOn(t, near, near.IPv4.String(), func(_ *rtspd.Config, c *rtspd.StreamConfig) { c.Transport = true })
	var said buffer
	cmd := exec.Command("gst-launch-1.0", "rtspsrc", "location="+s.url, "protocols=udp", "!", "fakesink")
	cmd.Stdout, cmd.Stderr = &said, &said
	far.Do(t, func() {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	})
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended })
	began := time.Now()
	waitFor(t, time.Minute, "GStreamer reports about packets", func() bool { return s.stream.Stats().PacketReports >= 10 })
	t.Logf("%d reports in %v", s.stream.Stats().PacketReports, time.Since(began))
	waitFor(t, time.Minute, "the whole stream is sent", func() bool { return s.codec.Load() == syntheticRate })
	shape(t, near, 2)
	began = time.Now()
	waitFor(t, time.Minute, "the encoder follows", func() bool { return s.codec.Load() < 2_000_000 })
	t.Logf("%d bit/s after %v\n%s", s.codec.Load(), time.Since(began), said.String())
}

// Players that know no transport-wide numbers pass them over, and by SRTP these are
// what was signed.
func TestPlayersTakeTransportNumbers(t *testing.T) {
	url, _ := start(t, "-config", configFile(t, "transport_cc = true\nauth = \"none\"\n"), "-source", "pattern", "-set", "resolution=640x360", "-set", "framerate=25")
	for _, transport := range []string{"udp", "tcp"} {
		decode(t, url, transport, "-frames:v", "25")
	}
	secure, _ := startSecure(t, "transport_cc = true")
	gstPlays(t, "location="+secure+"?srtp", "tls-validation-flags=0", "protocols=udp+tls")
	v := dialViewer(t, url)
	v.play("udp")
	v.units(5)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.packets {
		if !slices.Equal(p.GetExtensionIDs(), []uint8{1}) {
			t.Fatalf("packet %d has the extensions %d", p.SequenceNumber, p.GetExtensionIDs())
		}
	}
}
