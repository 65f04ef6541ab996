package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lenslet/board/advert/avahitest"
)

func TestMulticastGroups(t *testing.T) {
	for setting, want := range map[string]string{
		"off":               "[]",
		"auto":              "[239.255.27.44:24632 [ff15::6c0a:1b2c]:24632]",
		"239.1.2.3:5004":    "[239.1.2.3:5004]",
		"[ff15::1:2]:65534": "[[ff15::1:2]:65534]",
		"":                  "", "on": "", "239.1.2.3": "", "239.1.2.3:5005": "", "239.1.2.3:0": "", "192.168.1.7:5004": "",
		"[ff15::1%eth0]:5004": "", "[::ffff:239.1.2.3]:5004": "", "group:5004": "",
	} {
		got, err := multicastGroups(setting, "0a1b2c")
		if err != nil && (want != "" || !strings.HasPrefix(err.Error(), "multicast ")) {
			t.Errorf("%q: %v", setting, err)
		}
		if err == nil && fmt.Sprint(got) != want {
			t.Errorf("%q: %v, not %s", setting, got, want)
		}
	}
}

func TestAutomaticGroupsDiffer(t *testing.T) {
	seen := map[netip.AddrPort]bool{}
	for _, serial := range []string{"000000", "000001", "000100", "ffffff", "0a1b2c", "0a1b2d", "0b1b2c"} {
		groups, err := multicastGroups("auto", serial)
		if err != nil || len(groups) != 2 || slices.ContainsFunc(groups, func(g netip.AddrPort) bool { return seen[g] || !g.Addr().IsMulticast() || g.Port()%2 != 0 }) {
			t.Errorf("%s: %v, %v", serial, groups, err)
		}
		seen[groups[0]], seen[groups[1]] = true, true
	}
}

func TestTransportMistakes(t *testing.T) {
	for text, want := range map[string]string{
		`rtspu = "8554"`:        "rtspu",
		`rtspu = ":x"`:          "rtspu",
		`multicast = "on"`:      "multicast",
		`multicast_ttl = 0`:     "multicast_ttl 0",
		`multicast_ttl = 256`:   "multicast_ttl 256",
		`multicast_ttl = "far"`: "",
		`pacing = "yes"`:        "pacing \"yes\"",
		`pacing_chunk = 7`:      "pacing_chunk 7",
		`pacing_chunk = 65`:     "pacing_chunk 65",
	} {
		_, err := parseFlags([]string{"-config", configFile(t, "name = \"x\"\n"+text+"\n")}, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "lenslet.toml:2: "+want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestPlayersByIPv6 has every player watch by UDP and in the connection, over
// IPv6.
func TestPlayersByIPv6(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			url, _ := start(t, "-listen", "[::1]:0", "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=25")
			if !strings.HasPrefix(url, "rtsp://[::1]:") {
				t.Fatalf("the URL is %s", url)
			}
			probe(t, url, transport, 320, 240, "25/1")
			decode(t, url, transport, "-frames:v", "50")
			gstPlays(t, "location="+url, "protocols="+transport)
		})
	}
}

// TestDatagramPort asks at the configured port; the rest is tested in rtspd.
func TestDatagramPort(t *testing.T) {
	free, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := free.LocalAddr().String()
	_ = free.Close()
	start(t, "-config", configFile(t, "rtspu = \""+at+"\"\n"), "-source", "pattern", "-set", "resolution=320x240")
	c, err := net.Dial("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	request := "DESCRIBE rtspu://" + at + "/main RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: a name of some length, as they are\r\n\r\n"
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	answer := make([]byte, 2000)
	n, err := c.Read(answer)
	if err != nil || !strings.HasPrefix(string(answer[:n]), "RTSP/1.0 401 ") || n > len(request) {
		t.Errorf("%v: %s", err, answer[:n])
	}
}

// A watcher is a player on a host, that ends by itself.
type watcher struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func watch(t *testing.T, at *avahitest.Port, name string, args ...string) *watcher {
	t.Helper()
	w := &watcher{cmd: at.Host.Command(name, args...)}
	w.cmd.Stdout, w.cmd.Stderr = &w.out, &w.out
	avahitest.Start(t, w.cmd)
	return w
}

// wait wants the player to end well.
func (w *watcher) wait(t *testing.T) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- w.cmd.Wait() }()
	select {
	case err := <-ended:
		if said := w.out.String(); (err != nil || strings.Contains(said, "ERROR")) && !gstPlayed(said) {
			t.Fatalf("%v: %v\n%s", w.cmd.Args, err, w.out.String())
		}
	case <-time.After(time.Minute):
		_ = w.cmd.Process.Kill()
		<-ended
		t.Fatalf("%v does not end\n%s", w.cmd.Args, w.out.String())
	}
}

// configFile writes a configuration.
func configFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lenslet.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// transmitted counts the bytes that left a host.
func transmitted(t *testing.T, at *avahitest.Port) int {
	t.Helper()
	out, err := at.Host.Command("cat", "/proc/net/dev").Output()
	_, counts, found := strings.Cut(string(out), at.Name+":")
	if fields := strings.Fields(counts); err == nil && found && len(fields) > 8 {
		n, err := strconv.Atoi(fields[8])
		if err == nil {
			return n
		}
	}
	t.Fatalf("%v\n%s", err, out)
	return 0
}

// TestPlayersShareAGroup has FFmpeg and GStreamer on two hosts watch one camera
// by multicast, alone and together: together they cost what one costs.
func TestPlayersShareAGroup(t *testing.T) {
	bin := program(t)
	for i, host := range []func(*avahitest.Port) netip.Addr{
		func(p *avahitest.Port) netip.Addr { return p.IPv4 },
		func(p *avahitest.Port) netip.Addr { return p.IPv6 },
	} {
		t.Run([]string{"IPv4", "IPv6"}[i], func(t *testing.T) {
			lan := avahitest.NewLAN(t, 91+i)
			here, one, two := lan.AddHost(t), lan.AddHost(t), lan.AddHost(t)
			for _, p := range []*avahitest.Port{here, one, two} {
				p.Host.IP(t, "route", "add", "224.0.0.0/4", "dev", p.Name)
			}
			c := startCamera(t, bin, here, "-config", configFile(t, "mdns = false\nmulticast = \"auto\"\nauth = \"none\"\n"), "-set", "framerate=25")
			waitFor(t, 20*time.Second, "the stream", func() bool { return strings.Contains(c.out.String(), "ffplay") })
			url := "rtsp://" + net.JoinHostPort(host(here).String(), "8554") + "/main"
			ffmpeg := func(at *avahitest.Port) *watcher {
				return watch(t, at, "ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-rtsp_transport", "udp_multicast", "-i", url,
					"-frames:v", "75", "-f", "null", "-")
			}
			gst := func(at *avahitest.Port, version string) *watcher {
				args := gstreamer(75, "location="+url, "protocols=udp-mcast", "default-rtsp-version="+version)
				return watch(t, at, args[0], args[1:]...)
			}
			cost := func(players ...*watcher) int {
				before := transmitted(t, here)
				for _, p := range players {
					p.wait(t)
				}
				return transmitted(t, here) - before
			}
			alone := max(cost(ffmpeg(one)), cost(gst(two, "1-0")))
			together := cost(ffmpeg(one), gst(two, "1-0"))
			t.Logf("%d bytes for one, %d for two", alone, together)
			if alone < 75*100 || together > alone*3/2 {
				t.Errorf("%d bytes for two, %d for one", together, alone)
			}
			gst(one, "2-0").wait(t)
		})
	}
}
