//go:build openh264 && cgo

package encoder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lenslet/capture"
	"lenslet/capture/v4l2"
	"lenslet/encoder/h264"
)

// A softRig is a software encoder and frames for it.
type softRig struct {
	t      testing.TB
	codec  *OpenH264
	format capture.Format
	frame  capture.Frame
	back   int // frames that came back
	n      int
	stream []byte // Annex B, of all units
	units  []seenUnit
	keep   []*Unit // lent, if hold is set
	hold   bool
	rnd    *rand.Rand
	noise  []byte
	slope  []byte
}

type seenUnit struct {
	key  bool
	size int
	time time.Duration
}

func newSoftRig(t testing.TB, f capture.Format, s Settings) *softRig {
	t.Helper()
	c, err := NewOpenH264(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := &softRig{t: t, codec: c.(*OpenH264), rnd: rand.New(rand.NewPCG(1, 1))}
	r.frame.DMABuf = -1
	r.frame.Init(func() { r.back++ })
	t.Cleanup(func() {
		if err := errors.Join(r.codec.Stop(context.Background()), r.codec.Close()); err != nil {
			t.Error(err)
		}
	})
	r.begin(f, s)
	return r
}

// begin configures and starts.
func (r *softRig) begin(f capture.Format, s Settings) {
	r.t.Helper()
	r.format = f
	r.frame.Data = make([]byte, f.Size)
	r.noise, r.slope = noise(f.Size+10_000), make([]byte, f.Size+10_000)
	for i := range r.noise {
		r.noise[i] &= 63
		r.slope[i] = byte(i)
	}
	if _, err := r.codec.Configure(f, s); err != nil {
		r.t.Fatal(err)
	}
	if err := r.codec.Start(r.deliver, func(err error) { r.t.Error(err) }); err != nil {
		r.t.Fatal(err)
	}
}

func (r *softRig) deliver(u *Unit) {
	s := seenUnit{key: u.Key(), time: u.Timestamp()}
	for _, nal := range u.NALUs() {
		r.stream = append(append(r.stream, 0, 0, 0, 1), nal...)
		s.size += len(nal)
	}
	r.units = append(r.units, s)
	if r.hold {
		r.keep = append(r.keep, u)
	} else {
		u.Release()
	}
}

// encode encodes n pictures that move; harder ones are noisy.
func (r *softRig) encode(n int, hard bool) {
	r.t.Helper()
	for range n {
		if r.n++; hard {
			copy(r.frame.Data, r.noise[r.rnd.IntN(len(r.noise)-len(r.frame.Data)):])
		} else {
			copy(r.frame.Data, r.slope[3*r.n:])
		}
		r.frame.Timestamp = time.Hour + time.Duration(r.n)*33_333_333
		r.frame.Lend()
		if taken, err := r.codec.Encode(&r.frame); err != nil || !taken {
			r.t.Fatalf("frame %d: %v, %v", r.n, taken, err)
		}
	}
}

func yu12(w, h int) capture.Format {
	return capture.Format{FourCC: v4l2.YU12, Width: w, Height: h, Stride: w, Size: w * h * 3 / 2, Buffers: 4}
}

// decode has FFmpeg decode a stream, and tells size and number of its frames.
func decode(t *testing.T, stream []byte) string {
	t.Helper()
	cmd := exec.Command("ffprobe", "-v", "error", "-f", "h264", "-count_frames", "-show_entries",
		"stream=width,height,nb_read_frames", "-of", "csv=p=0", "-i", "-")
	cmd.Stdin = bytes.NewReader(stream)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("ffprobe: %v: %s", err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func TestOpenH264DecodesWithFFmpeg(t *testing.T) {
	for _, c := range []struct {
		w, h    int
		profile Profile
		idc     uint8
	}{{640, 360, ConstrainedBaseline, 66}, {642, 362, High, 100}, {320, 180, Main, 77}, {1280, 720, Baseline, 66}} {
		s := plain(c.w, c.h)
		s.GOP, s.Profile = 10, c.profile
		r := newSoftRig(t, yu12(c.w, c.h), s)
		r.encode(25, false)
		for i, u := range r.units {
			if u.key != (i%10 == 0) || u.time != time.Hour+time.Duration(i+1)*33_333_333 {
				t.Errorf("unit %d: %+v", i, u)
			}
		}
		if got, want := decode(t, r.stream), fmt.Sprintf("%d,%d,25", c.w, c.h); got != want {
			t.Errorf("FFmpeg sees %s, want %s", got, want)
		}
		sps := 0
		for _, nal := range h264.Split(nil, r.stream) {
			if h264.TypeOf(nal) != h264.TypeSPS {
				continue
			}
			sps++
			if got, err := h264.ParseSPS(nal); err != nil || got.ID != 0 || got.Profile != c.idc || got.Level > 40 {
				t.Errorf("%+v, %v", got, err)
			}
		}
		if sps != 3 {
			t.Errorf("%d parameter sets for 3 key frames", sps)
		}
		if got := r.codec.Counters(); got != (Counters{Imported: 25, Encoded: 25}) || r.back != 25 {
			t.Errorf("%+v, %d frames came back", got, r.back)
		}
	}
}

// The decoded picture must be that of the frame, whatever its format.
func TestOpenH264ConvertsFormats(t *testing.T) {
	for f, bytesPerPixel := range map[v4l2.FourCC]int{v4l2.YU12: 1, v4l2.YV12: 1, v4l2.NV12: 1, v4l2.YUYV: 2, v4l2.GREY: 1} {
		format := capture.Format{FourCC: f, Width: 320, Height: 180, Stride: 320*bytesPerPixel + 32, Buffers: 4}
		format.Size = format.Stride * format.Height * 3 / 2
		s := plain(320, 180)
		s.Bitrate = 8_000_000
		r := newSoftRig(t, format, s)
		from, _ := layoutOf(format, 320, 180)
		for p := range from.n { // a soft slope, other in each component
			for y := range from.planes[p].lines {
				line := from.line(r.frame.Data, p, y)
				for x := range line {
					line[x] = byte(64 + 30*p + y/4 + 20*(x%2))
				}
			}
		}
		to, _ := newLayout(v4l2.YU12, 320, 180, 320, 180)
		conv, err := newConverter(format, to)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, to.size)
		if err := conv.convert(want, r.frame.Data); err != nil {
			t.Fatal(err)
		}
		r.frame.Timestamp = 1
		for range 4 {
			r.frame.Lend()
			if taken, err := r.codec.Encode(&r.frame); !taken || err != nil {
				t.Fatal(taken, err)
			}
		}
		cmd := exec.Command("ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
		cmd.Stdin = bytes.NewReader(r.stream)
		out, err := cmd.Output()
		if err != nil || len(out) != 4*len(want) {
			t.Fatalf("%s: %d bytes decoded, %v", f, len(out), err)
		}
		got := out[3*len(want):]
		for p := range to.planes {
			if d := distance(&to, p, got, want); d > 3 {
				t.Errorf("%s: component %d differs by %.1f in the mean", f, p, d)
			}
		}
		if c := r.codec.Counters(); c.Imported+c.Copied != 4 || (c.Copied == 0) != (f == v4l2.YU12 || f == v4l2.YV12) {
			t.Errorf("%s: %+v", f, c)
		}
	}
}

// distance is the mean difference of a component.
func distance(l *layout, p int, a, b []byte) float64 {
	sum, n := 0, 0
	for y := range l.planes[p].lines {
		la, lb := l.line(a, p, y), l.line(b, p, y)
		for x := range la {
			sum += max(int(la[x])-int(lb[x]), int(lb[x])-int(la[x]))
			n++
		}
	}
	return float64(sum) / float64(n)
}

func TestOpenH264FollowsTheBitrate(t *testing.T) {
	for _, mode := range []Mode{VBR, CBR} {
		s := plain(320, 180)
		s.Mode, s.Bitrate = mode, 2_000_000
		r := newSoftRig(t, yu12(320, 180), s)
		for _, bitrate := range []int{2_000_000, 1_000_000, 1_500_000} {
			s.Bitrate = bitrate
			if err := r.codec.Set(s); err != nil {
				t.Fatal(err)
			}
			r.encode(45, true)
			r.units = nil
			r.encode(60, true)
			bytes := 0
			for _, u := range r.units {
				bytes += u.size
			}
			if got := bytes * 8 / 60 * 30; got < bitrate*8/10 || got > bitrate*12/10 {
				t.Errorf("%s: asked for %d bit/s, got %d", mode, bitrate, got)
			}
		}
	}
}

func TestOpenH264KeyFrames(t *testing.T) {
	s := plain(320, 180)
	s.GOP = 1000
	r := newSoftRig(t, yu12(320, 180), s)
	r.encode(7, false)
	if err := r.codec.ForceKeyFrame(); err != nil {
		t.Fatal(err)
	}
	r.encode(7, true)
	s.GOP = 5
	if err := r.codec.Set(s); err != nil {
		t.Fatal(err)
	}
	r.encode(20, false)
	var keys []int
	for i, u := range r.units {
		if u.key {
			keys = append(keys, i)
		}
	}
	if len(keys) < 5 || keys[0] != 0 || keys[1] != 7 || keys[len(keys)-1]-keys[len(keys)-2] != 5 {
		t.Errorf("key frames at %v", keys)
	}
	if got := decode(t, r.stream); got != "320,180,34" {
		t.Errorf("FFmpeg sees %s", got)
	}
}

func TestOpenH264ConfiguresAgain(t *testing.T) {
	s := plain(640, 360)
	r := newSoftRig(t, yu12(640, 360), s)
	for _, size := range [][2]int{{1280, 720}, {642, 362}, {640, 360}} {
		r.encode(3, false)
		if _, err := r.codec.Configure(yu12(640, 360), s); err == nil {
			t.Error("configured while it runs")
		}
		if err := r.codec.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.frame.Lend()
		if taken, err := r.codec.Encode(&r.frame); taken || err != nil {
			t.Errorf("stopped: %v, %v", taken, err)
		}
		r.stream = nil
		r.begin(yu12(size[0], size[1]), plain(size[0], size[1]))
		r.encode(3, false)
		if got, want := decode(t, r.stream), fmt.Sprintf("%d,%d,3", size[0], size[1]); got != want {
			t.Errorf("FFmpeg sees %s, want %s", got, want)
		}
	}
}

// After Stop and Start alone the stream begins with a key frame again.
func TestOpenH264Restart(t *testing.T) {
	r := newSoftRig(t, yu12(320, 180), plain(320, 180))
	r.encode(3, false)
	if err := r.codec.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := r.codec.Start(r.deliver, nil); err != nil {
		t.Fatal(err)
	}
	r.encode(1, false)
	if !r.units[3].key {
		t.Error("the first unit is no key frame")
	}
}

func TestOpenH264UnitsLent(t *testing.T) {
	r := newSoftRig(t, yu12(320, 180), plain(320, 180))
	r.hold = true
	r.encode(maxUnits, false)
	r.frame.Lend()
	if taken, err := r.codec.Encode(&r.frame); taken || err != nil {
		t.Errorf("all units are lent: %v, %v", taken, err)
	}
	first := bytes.Join(r.keep[0].NALUs(), nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := r.codec.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop with units on loan: %v", err)
	}
	if !bytes.Equal(first, bytes.Join(r.keep[0].NALUs(), nil)) {
		t.Error("the bytes of a unit on loan changed")
	}
	for _, u := range r.keep {
		u.Release()
	}
	if r.back != maxUnits+1 {
		t.Errorf("%d of %d frames came back", r.back, maxUnits+1)
	}
}

func TestOpenH264Refuses(t *testing.T) {
	r := newSoftRig(t, yu12(320, 180), plain(320, 180))
	cases := []struct {
		name    string
		change  func(*Settings)
		accepts string
	}{
		{"framerate", func(s *Settings) { s.Rate.Num, s.Level = 61, 52 }, "1 to 60"},
		{"resolution", func(s *Settings) { s.Width = 14 }, "16 to 3840"},
		{"resolution", func(s *Settings) { s.Width, s.Level = 3842, 52 }, "16 to 3840"},
		{"level", func(s *Settings) { s.Level = 60 }, "5.2"},
		{"bitrate", func(s *Settings) { s.Bitrate = -1 }, "above 0"},
	}
	for _, c := range cases {
		s := plain(640, 360)
		c.change(&s)
		checkRefused(t, r.codec.Check(s), c.name, c.accepts)
	}
	s := plain(320, 180)
	s.Profile = High
	checkRefused(t, r.codec.Set(s), "profile", "while it runs")
	if got := r.codec.Settings(); got != plain(320, 180) {
		t.Errorf("after a refusal: %+v", got)
	}
	r.frame.Lend()
	r.frame.Data = r.frame.Data[:100]
	if taken, err := r.codec.Encode(&r.frame); taken || err != nil {
		t.Errorf("a frame of 100 bytes: %v, %v", taken, err)
	}
}

func TestOpenH264AllocatesNothing(t *testing.T) {
	for _, f := range []v4l2.FourCC{v4l2.YU12, v4l2.YUYV} {
		format := capture.Format{FourCC: f, Width: 320, Height: 180, Stride: 640, Size: 640 * 270, Buffers: 4}
		r := newSoftRig(t, format, plain(320, 180))
		r.codec.deliver = func(u *Unit) { u.Release() }
		if n := testing.AllocsPerRun(60, func() {
			r.frame.Lend()
			if taken, _ := r.codec.Encode(&r.frame); !taken {
				t.Error("a frame was dropped")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a frame", f, n)
		}
	}
}

func TestOpenH264Choices(t *testing.T) {
	if complexity(1) >= complexity(4) {
		t.Error("more processors must allow more work")
	}
	if rateControl(CBR) == rateControl(VBR) {
		t.Error("both modes are the same")
	}
	if s := plain(640, 360); peak(s) != 2*s.Bitrate {
		t.Errorf("peak %d", peak(s))
	}
}

// BenchmarkOpenH264 shows what a picture of the test pattern costs.
func BenchmarkOpenH264(b *testing.B) {
	source := capture.NewPattern()
	f, err := source.Configure(capture.Choice{FourCC: v4l2.YU12, Width: 1280, Height: 720, Rate: capture.Rate{Num: 30, Den: 1}})
	if err != nil {
		b.Fatal(err)
	}
	r := newSoftRig(b, f, plain(1280, 720))
	r.codec.deliver = func(u *Unit) { u.Release() }
	if err := source.Start(); err != nil {
		b.Fatal(err)
	}
	frame, err := source.Next(time.Now().Add(time.Minute))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		frame.Retain()
		if _, err := r.codec.Encode(frame); err != nil {
			b.Fatal(err)
		}
	}
	frame.Release()
	if err := source.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
}
