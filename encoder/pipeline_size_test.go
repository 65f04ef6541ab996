package encoder

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestHalvings(t *testing.T) {
	s := DefaultSettings()
	s.Width, s.Height = 1920, 1080 // 622 kbit/s at least; half of it 156, a quarter 39
	for _, test := range []struct{ bps, now, want int }{
		{2_000_000, 0, 0}, {625_000, 0, 0}, {620_000, 0, 1}, {160_000, 0, 1}, {150_000, 0, 2}, {1, 0, 2},
		{625_000, 1, 1}, {808_000, 1, 1}, {810_000, 1, 0}, {160_000, 2, 2}, {203_000, 2, 1}, {2_000_000, 2, 0}, {150_000, 1, 2},
	} {
		if got := s.halvings(test.bps, test.now); got != test.want {
			t.Errorf("%d bit/s, halved %d times: to be halved %d times, want %d", test.bps, test.now, got, test.want)
		}
	}
	for _, test := range []struct {
		width, height, n int
		want             string
	}{{1920, 1080, 1, "960x540"}, {1920, 1080, 2, "480x270"}, {1282, 722, 1, "640x360"}, {0, 0, 1, "0x0"}, {640, 480, 0, "640x480"}} {
		s.Width, s.Height = test.width, test.height
		if got := s.halved(test.n).size(); got != test.want {
			t.Errorf("%dx%d halved %d times is %s, want %s", test.width, test.height, test.n, got, test.want)
		}
	}
	s.Width, s.Height = 320, 180
	if got := s.halvings(1, 0); got != 1 {
		t.Errorf("320x180 is halved %d times", got)
	}
}

// settle lets the time go by in which the size stays as it is.
func (r *rig) settle() {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.resized = time.Now().Add(-sizeHold)
}

// The network may make the picture smaller, and larger again, and not more often than
// it should; what the owner set stays set.
func TestPipelineAdaptsResolution(t *testing.T) {
	var log bytes.Buffer
	r := newRigWith(t, func(_ *rig, c *PipelineConfig) {
		c.AdaptResolution, c.Log = true, slog.New(slog.NewTextHandler(&log, nil))
	})
	if err := r.set("resolution=1280x720", "framerate=30", "bitrate=2000000"); err != nil {
		t.Fatal(err)
	}
	check := func(when, now string, bitrate int) {
		t.Helper()
		r.goesOn(t)
		set, err := r.Get("resolution")
		s, _ := r.codec.inForce()
		if set != "1280x720" || err != nil || r.ResolutionNow() != now || s.size() != now || r.BitrateNow() != bitrate {
			t.Errorf("%s: set is %s (%v), sent is %s at %d bit/s, the codec has %+v", when, set, err, r.ResolutionNow(), r.BitrateNow(), s)
		}
		if set, err := r.Get("bitrate"); set != "2000000" || err != nil {
			t.Errorf("%s: the bit rate that is set is %s, %v", when, set, err)
		}
	}
	check("to begin with", "1280x720", 2_000_000)
	r.Adapt(300_000)
	check("fewer pictures are enough", "1280x720", 300_000)
	r.Adapt(250_000)
	check("too little", "640x360", 250_000)
	r.Adapt(2_000_000)
	check("a moment later", "640x360", 2_000_000)
	r.settle()
	r.Adapt(300_000)
	check("not enough more", "640x360", 300_000)
	if err := r.set("gop=30", "profile=main"); err != nil {
		t.Fatal(err)
	}
	check("the owner sets something", "640x360", 300_000)
	r.Adapt(400_000)
	check("enough more", "1280x720", 400_000)
	if n := strings.Count(log.String(), "the picture is made"); n != 2 {
		t.Errorf("the log says\n%s", log.String())
	}
	r.settle()
	r.Adapt(250_000)
	check("too little again", "640x360", 250_000)
	r.Adapt(2_000_000)
	check("enough, and told once", "640x360", 2_000_000)
	r.settle()
	r.wait(t, func() bool { return r.ResolutionNow() == "1280x720" })
	check("a while later", "1280x720", 2_000_000)
	r.settle()
	r.Adapt(250_000)
	check("too little once more", "640x360", 250_000)
	if err := r.set("resolution=640x480"); err != nil {
		t.Fatal(err)
	}
	if got := r.ResolutionNow(); got != "640x480" {
		t.Errorf("%s is sent when the owner set 640x480", got)
	}
}

// What cannot be had is not taken, and without leave nothing is.
func TestNoSmallerPicture(t *testing.T) {
	r := newRig(t)
	if err := r.set("resolution=1280x720"); err != nil {
		t.Fatal(err)
	}
	r.Adapt(100_000)
	if got := r.ResolutionNow(); got != "1280x720" {
		t.Errorf("%s is sent without leave", got)
	}
	var log bytes.Buffer
	r = newRigWith(t, func(_ *rig, c *PipelineConfig) {
		c.AdaptResolution, c.Log = true, slog.New(slog.NewTextHandler(&log, nil))
	})
	if err := r.set("resolution=1280x720"); err != nil {
		t.Fatal(err)
	}
	r.codec.mu.Lock()
	r.codec.refuse = 640
	r.codec.mu.Unlock()
	r.Adapt(100_000)
	if got := r.ResolutionNow(); got != "1280x720" {
		t.Errorf("%s is sent where the codec refuses half of it", got)
	}
	if said := log.String(); strings.Contains(said, "the picture is made") {
		t.Errorf("the log says\n%s", said)
	}
	r.goesOn(t)
}
