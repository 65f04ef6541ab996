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

// TestLinksThatVanish: who is away for 20 s plays on in the same session, who does not
// come back is forgotten, and a new address of the camera is as good as the old one.
func TestLinksThatVanish(t *testing.T) {
	const timeout = 10 * time.Second
	camera := nettest.NewHost(t)
	near, far := nettest.Connect(t, 40, camera, nettest.NewHost(t))
	_, gone := nettest.Connect(t, 41, camera, nettest.NewHost(t))
	gone.Run(t, "ip", "route", "add", "default", "dev", gone.Name)
	usual := serveSyntheticOn(t, near, "", func(*rtspd.Config, *rtspd.StreamConfig) {})
	s := serveSyntheticOn(t, near, "", func(c *rtspd.Config, _ *rtspd.StreamConfig) { c.SessionTimeout = timeout })
	back := map[string]*reporter{"udp": attend(t, far, usual, "udp"), "tcp": attend(t, far, usual, "tcp")}
	lost := attend(t, gone, s, "udp")
	for _, v := range back {
		v.units(30)
	}
	lost.units(30)
	for _, e := range []*nettest.End{far, gone} {
		e.Run(t, "ip", "link", "set", e.Name, "down")
	}
	time.Sleep(20 * time.Second)
	far.Run(t, "ip", "link", "set", far.Name, "up")
	for transport, v := range back {
		playsOn(t, usual, v, transport)
	}
	waitFor(t, 3*timeout, "who does not come back is forgotten", func() bool { return s.stream.Stats().Viewers == 0 })
	if !strings.Contains(s.log.String(), "no sign of life") {
		t.Errorf("the log says\n%s", s.log.String())
	}
	for _, transport := range []string{"udp", "tcp"} {
		attend(t, far, s, transport).units(10)
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

// playsOn wants more by the same session, from the same source.
func playsOn(t *testing.T, s *synthetic, v *reporter, transport string) {
	t.Helper()
	v.units(30)
	if res := v.do("GET_PARAMETER", s.url, "", "Session", v.session); res.Status != wire.OK {
		t.Errorf("%s: the session of who came back: %d", transport, res.Status)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.packets {
		if p.SSRC != v.packets[0].SSRC {
			t.Errorf("%s: another SSRC after the return", transport)
			break
		}
	}
}
