package main

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// sizes runs ffprobe on a stream and tells, while it runs, which picture sizes
// it decoded. complaints ends it and gives what it complained of.
func sizes(t *testing.T, url, transport string) (seen func(size string) bool, complaints func() string) {
	t.Helper()
	out, wait, end := endless(t, "ffprobe", "-v", "warning", "-rtsp_transport", transport,
		"-show_entries", "frame=width,height", "-of", "csv=p=0:s=x", url)
	found := &buffer{}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			_, _ = fmt.Fprintln(found, strings.TrimSuffix(lines.Text(), "x"))
		}
	}()
	return func(size string) bool { return strings.Contains(found.String(), size+"\n") }, func() string { end(); return wait() }
}

// resize walks through sizes with a UDP and a TCP viewer connected, and an
// ffprobe of each kind that must decode them all, without one complaint.
func resize(t *testing.T, url string, walk ...string) {
	t.Helper()
	watch := map[string]*viewer{}
	probes, complaints := map[string]func(string) bool{}, map[string]func() string{}
	for _, transport := range []string{"udp", "tcp"} {
		watch[transport] = dialViewer(t, url)
		watch[transport].play(transport)
		probes[transport], complaints[transport] = sizes(t, url, transport)
	}
	for _, size := range walk {
		watch["tcp"].set(wire.OK, "resolution: "+size)
		if got := watch["udp"].get("resolution"); got != size {
			t.Fatalf("the resolution is %s, not %s", got, size)
		}
		for transport, v := range watch {
			v.units(10)
			waitFor(t, 60*time.Second, "ffprobe decodes "+size+" over "+transport, func() bool { return probes[transport](size) })
		}
	}
	for transport, v := range watch {
		v.checkContinuity(10 * time.Second)
		v.checkParameterSets(len(walk))
		if got := v.get("viewers"); got != "4" {
			t.Errorf("%s: %s viewers at the end, want 4", transport, got)
		}
	}
	for transport, complaints := range complaints {
		if errs := complaints(); errs != "" {
			t.Errorf("ffprobe complains over %s:\n%s", transport, errs)
		}
	}
}

// checkParameterSets wants parameter sets in front of every key picture.
func (v *viewer) checkParameterSets(atLeast int) {
	v.t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	sets, keys := false, 0
	for i, h := range v.packets {
		switch v.nalus[i] {
		case 7:
			sets = true
		case 5:
			if !sets {
				v.t.Fatalf("packet %d: a key picture without parameter sets in front of it", i)
			}
			keys++
		}
		sets = sets && !h.Marker
	}
	if keys < atLeast {
		v.t.Errorf("%d key pictures, want %d or more", keys, atLeast)
	}
}

func TestResolutionChangesWhilePlayersPlay(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=15")
	resize(t, url, "640x360", "642x362", "320x240")
}

func TestRefusedChangesChangeNothing(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240")
	v := dialViewer(t, url)
	v.play("tcp")
	before := v.do("GET_PARAMETER", url, "resolution\r\nframerate\r\nbitrate\r\ngop\r\nbrightness\r\n").Body
	for _, c := range []struct {
		status wire.Status
		lines  []string
		body   string
	}{
		{wire.InvalidRange, []string{"resolution: 99999x2"}, "resolution: "},
		{wire.InvalidRange, []string{"resolution: 321x240"}, "even"},
		{wire.InvalidRange, []string{"resolution: wide"}, "1280x720"},
		{wire.InvalidRange, []string{"framerate: 0"}, "30000/1001"},
		{wire.InvalidRange, []string{"framerate: 100000"}, "framerate: "},
		{wire.InvalidRange, []string{"bitrate: -1"}, "bit/s"},
		{wire.InvalidRange, []string{"bitrate: 900000000"}, "bitrate: "},
		{wire.InvalidRange, []string{"brightness: 4000"}, "brightness: -"},
		{wire.InvalidRange, []string{"profile: best"}, "high"},
		{wire.InvalidRange, []string{"level: 9.9"}, "level: "},
		{wire.InvalidRange, []string{"keyframe: later"}, "now"},
		{wire.ParameterNotUnderstood, []string{"colour: red"}, "colour"},
		{wire.ParameterIsReadOnly, []string{"viewers: 3"}, "viewers"},
		{wire.ParameterIsReadOnly, []string{"latency: 0"}, "latency"},
		// all or nothing: the good ones must not come into force
		{wire.InvalidRange, []string{"bitrate: 700000", "gop: none"}, "gop"},
		{wire.ParameterNotUnderstood, []string{"gop: 9", "brightness: 5", "colour: red"}, "colour"},
		{wire.InvalidRange, []string{"brightness: 7", "resolution: 20000x20000"}, "resolution"},
	} {
		if body := v.set(c.status, c.lines...); !strings.Contains(body, c.body) {
			t.Errorf("%q: the body %q does not say %q", c.lines, body, c.body)
		}
		after := v.do("GET_PARAMETER", url, "resolution\r\nframerate\r\nbitrate\r\ngop\r\nbrightness\r\n").Body
		if string(after) != string(before) {
			t.Fatalf("%q changed\n%s into\n%s", c.lines, before, after)
		}
	}
	v.units(5)
	v.checkContinuity(5 * time.Second)
}

func TestChangesTakeEffectAtOnce(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=30", "-set", "gop=1000")
	v := dialViewer(t, url)
	v.play("udp")
	v.units(10)

	v.set(wire.OK, "gop: 7")
	v.units(30)
	if got := v.distances(); !got[7] {
		t.Errorf("key pictures come after %v pictures, want 7", got)
	}
	v.set(wire.OK, "gop: 1000")
	v.units(10)
	keys := v.keys()
	v.set(wire.OK, "keyframe: now")
	waitFor(t, 10*time.Second, "the key frame asked for", func() bool { return v.keys() > keys })

	v.set(wire.OK, "framerate: 10")
	v.units(5) // what was under way
	from := v.markers()
	waitFor(t, 20*time.Second, "pictures 100 ms apart", func() bool {
		d := v.leastStep(from)
		return d > 0 && d < 110*time.Millisecond // a busy camera leaves some out
	})
	v.units(5)
	if d := v.leastStep(from); d < 90*time.Millisecond {
		t.Errorf("pictures come every %v, want 100 ms", d)
	}
	v.set(wire.OK, "brightness: 20", "framerate: 30")
	if got := v.get("brightness"); got != "20" {
		t.Errorf("brightness is %s, not 20", got)
	}
	v.checkContinuity(5 * time.Second)
}

// TestHighBitrateAndANewResolution: what was taken while it ran is taken when the
// encoder begins anew, too.
func TestHighBitrateAndANewResolution(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=15")
	v := dialViewer(t, url)
	v.play("tcp")
	for _, c := range []struct{ bitrate, resolution string }{{"20000000", "640x360"}, {"60000000", "320x240"}, {"2000000", "642x362"}} {
		v.set(wire.OK, "bitrate: "+c.bitrate)
		v.set(wire.OK, "resolution: "+c.resolution)
		v.units(10)
		if got := v.get("bitrate") + " " + v.get("resolution") + " " + v.get("state"); got != c.bitrate+" "+c.resolution+" streaming" {
			t.Errorf("then it is %s", got)
		}
	}
	v.checkContinuity(5 * time.Second)
}

// keys counts the packets that begin a key picture.
func (v *viewer) keys() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, t := range v.nalus {
		if t == 5 {
			n++
		}
	}
	return n
}

// distances tells which numbers of pictures lie between key pictures.
func (v *viewer) distances() map[int]bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, since := map[int]bool{}, 0
	for i, h := range v.packets {
		if v.nalus[i] == 5 {
			found[since], since = true, 0
		}
		if h.Marker {
			since++
		}
	}
	return found
}

// leastStep is the shortest time between two pictures, the first of them behind so
// many others; 0: there are no two.
func (v *viewer) leastStep(behind int) (least time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var last uint32
	for _, h := range v.packets {
		if !h.Marker {
			continue
		}
		if behind--; behind < -1 {
			d := time.Duration(int32(h.Timestamp-last)) * time.Second / 90000
			if least == 0 || d < least {
				least = d
			}
		}
		last = h.Timestamp
	}
	return least
}

func TestReports(t *testing.T) {
	url, stop := start(t, "-source", "pattern", "-set", "resolution=320x240")
	for _, transport := range []string{"udp", "tcp"} {
		v := dialViewer(t, url)
		v.play(transport)
		v.units(3)
		waitFor(t, 10*time.Second, "a sender report", func() bool { v.mu.Lock(); defer v.mu.Unlock(); return len(v.reports) > 0 })
		v.mu.Lock()
		sr, first := v.reports[0], v.packets[0]
		v.mu.Unlock()
		wall := time.Unix(int64(sr.NTPTime>>32)-2208988800, 0)
		if d := time.Since(wall); d < 0 || d > time.Minute {
			t.Errorf("%s: the report's wall clock is %v", transport, wall)
		}
		if d := int32(sr.RTPTime - first.Timestamp); sr.SSRC != first.SSRC || d < 0 || d > 90000 {
			t.Errorf("%s: the report's RTP time is %d ticks after the first packet's", transport, d)
		}
		defer func() {
			select {
			case <-v.bye:
			case <-time.After(20 * time.Second):
				t.Errorf("%s: no BYE at the end", transport)
			}
		}()
	}
	stop()
}
