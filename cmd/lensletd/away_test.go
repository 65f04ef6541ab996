package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd"
	"lenslet/rtspd/nettest"
	"lenslet/rtspd/wire"
)

// TestLinksThatVanish: who comes back before the session's end plays on in the same
// session, who does not is forgotten, and a new address of the camera is as good as the
// old one.
func TestLinksThatVanish(t *testing.T) {
	const timeout = 10 * time.Second
	camera := nettest.NewHost(t)
	near, far := nettest.Connect(t, 40, camera, nettest.NewHost(t))
	_, gone := nettest.Connect(t, 41, camera, nettest.NewHost(t))
	gone.Run(t, "ip", "route", "add", "default", "dev", gone.Name)
	s := serveSyntheticOn(t, near, "", func(c *rtspd.Config, _ *rtspd.StreamConfig) { c.SessionTimeout = timeout })
	back, lost := attend(t, far, s, "udp"), attend(t, gone, s, "udp")
	back.units(30)
	lost.units(30)
	for _, e := range []*nettest.End{far, gone} {
		e.Run(t, "ip", "link", "set", e.Name, "down")
	}
	time.Sleep(timeout / 2)
	far.Run(t, "ip", "link", "set", far.Name, "up")
	back.units(30)
	if res := back.do("GET_PARAMETER", s.url, "", "Session", back.session); res.Status != wire.OK {
		t.Errorf("the session of who came back: %d", res.Status)
	}
	back.mu.Lock()
	for _, p := range back.packets {
		if p.SSRC != back.packets[0].SSRC {
			t.Error("another SSRC after the return")
			break
		}
	}
	back.mu.Unlock()
	waitFor(t, 3*timeout, "who does not come back is forgotten", func() bool { return s.stream.Stats().Viewers == 1 })
	if !strings.Contains(s.log.String(), "no sign of life") {
		t.Errorf("the log says\n%s", s.log.String())
	}

	near.Run(t, "ip", "addr", "del", near.IPv4.String()+"/24", "dev", near.Name)
	near.Run(t, "ip", "addr", "add", "10.98.40.77/24", "dev", near.Name)
	_, port, _ := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(s.url, "rtsp://"), "/main"))
	s.url = "rtsp://" + net.JoinHostPort("10.98.40.77", port) + "/main"
	for _, transport := range []string{"udp", "tcp"} {
		attend(t, far, s, transport).units(10)
	}
	waitFor(t, 3*timeout, "sessions by the old address end", func() bool { return s.stream.Stats().Viewers == 2 })
}
