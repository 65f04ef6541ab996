package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// NAL units made by hand; their payload is the letter that follows.
const (
	code3  = "\x00\x00\x01"
	code4  = "\x00\x00\x00\x01"
	aud    = code4 + "\x09\xf0"
	sps    = code4 + "\x67SPS"
	pps    = code4 + "\x68PPS"
	sei    = code3 + "\x06SEI"
	idr    = code3 + "\x65\x88idr"   // first_mb_in_slice is 0
	idr2   = code3 + "\x65\x48more"  // it is not: another slice of the same picture
	slice  = code3 + "\x41\x9aslice" // first_mb_in_slice is 0
	slice2 = code3 + "\x41\x5amore"
	filler = code3 + "\x0c\xff\x80"
)

// clipOf is a clip with a key frame and n-1 others.
func clipOf(n int) string {
	clip := sps + pps + idr
	for i := 1; i < n; i++ {
		clip += slice + string(rune('a'+i%26))
	}
	return clip
}

func writeClip(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "clip.264")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// is tells a size and a rate of any SPS.
func is(w, h int, r Rate) func([]byte) (int, int, Rate, error) {
	return func([]byte) (int, int, Rate, error) { return w, h, r, nil }
}

func openTestClip(t *testing.T, content string, r Rate) *Clip {
	t.Helper()
	c, err := OpenClip(writeClip(t, content), is(160, 90, r))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSplitClip(t *testing.T) {
	tests := []struct {
		name string
		clip string
		want []string // the units, '!' before one that needs no other
	}{
		{"a picture each", sps + pps + idr + slice + slice, []string{"!" + sps + pps + idr, slice, slice}},
		{"several slices", sps + pps + idr + idr2 + idr2 + slice + slice2 + slice, []string{"!" + sps + pps + idr + idr2 + idr2, slice + slice2, slice}},
		{"SEI and AUD go before", aud + sps + pps + sei + idr + aud + slice + aud + sei + slice, []string{"!" + aud + sps + pps + sei + idr, aud + slice, aud + sei + slice}},
		{"filler goes behind", sps + pps + idr + filler + slice + filler, []string{"!" + sps + pps + idr + filler, slice + filler}},
		{"prefix NAL units go before", sps + pps + code3 + "\x6eabc" + idr + code3 + "\x6eabc" + slice, []string{"!" + sps + pps + code3 + "\x6eabc" + idr, code3 + "\x6eabc" + slice}},
		{"the end of a sequence goes behind", sps + pps + idr + code3 + "\x0a" + sps + pps + idr, []string{"!" + sps + pps + idr + code3 + "\x0a", "!" + sps + pps + idr}},
		{"parameter sets at the end belong to nothing", sps + pps + idr + slice + sps + pps, []string{"!" + sps + pps + idr, slice}},
		{"an IDR picture without them", idr + slice, []string{idr, slice}},
		{"zero bytes before and behind", "\x00\x00" + sps + pps + idr + "\x00\x00\x00" + slice + "\x00\x00", []string{"!" + sps + pps + idr, "\x00" + slice}},
		{"data partitions", sps + pps + idr + code3 + "\x22\x9aA" + code3 + "\x23\x9aB" + code3 + "\x24\x9aC" + slice, nil},
		{"no picture", sps + pps + sei, []string{}},
	}
	for _, tt := range tests {
		units, err := splitClip([]byte(tt.clip))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got []string
		for _, u := range units {
			mark := ""
			if u.sps && u.pps && u.idr {
				mark = "!"
			}
			got = append(got, mark+tt.clip[u.start:u.end])
		}
		if tt.want == nil { // the partitions of one picture
			if len(got) != 3 {
				t.Errorf("%s: %d units: %q", tt.name, len(got), got)
			}
			continue
		}
		if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestNextNAL(t *testing.T) {
	data := []byte("\x00\x00\x00\x01abc\x00\x00\x01d\x00\x00\x02e\x00\x00\x03\x01\x00\x00\x00\x00\x01f\x00\x00")
	var got []string
	for n, ok := nextNAL(data, 0); ok; n, ok = nextNAL(data, n.end) {
		got = append(got, fmt.Sprintf("%d %q", n.lead, data[n.start:n.end]))
	}
	want := []string{`0 "abc"`, `7 "d\x00\x00\x02e\x00\x00\x03\x01"`, `20 "f"`}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOpenClipRefuses(t *testing.T) {
	noH264 := ": it does not begin with an Annex B start code"
	tests := []struct {
		name, clip, want string
	}{
		{"empty", "", "the file is empty"},
		{"text", "once upon a time", noH264},
		{"text with a start code", "once upon a time" + clipOf(3), noH264},
		{"MP4", "\x00\x00\x00\x18ftypisom", noH264},
		{"zeros", strings.Repeat("\x00", 100), noH264},
		{"HEVC", code4 + "\x40\x01\x0c\x01", ": byte 4 begins no NAL unit of H.264 (0x40)"},
		{"forbidden bit", sps + code3 + "\xe5\x88", ": byte 11 begins no NAL unit of H.264 (0xe5)"},
		{"no SPS", pps + idr + slice, "there is no SPS in it"},
		{"no PPS", sps + idr + slice, "there is no PPS in it"},
		{"no IDR", sps + pps + slice + slice, "there is no IDR picture in it, where a loop could begin"},
		{"no picture", sps + pps, "there is no picture in it"},
		{"parameter sets elsewhere", sps + pps + slice + idr, "no IDR picture has SPS and PPS before it, so that a loop could begin there"},
		{"cut in a start code", clipOf(2) + code4, ": it ends, or has a gap, after the start code at byte"},
		{"cut in a slice", clipOf(2) + code4 + "\x41", ": it ends, or has a gap, in the NAL unit at byte"},
		{"cut in the SPS", code4 + "\x67", ": it ends, or has a gap, in the NAL unit at byte 4"},
		{"SPS that cannot be read", clipOf(2), "its SPS: too short"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := writeClip(t, tt.clip)
			_, err := OpenClip(path, func([]byte) (int, int, Rate, error) { return 0, 0, Rate{}, errors.New("too short") })
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v\nwant %s and the name of the file", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestOpenClipRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	huge := filepath.Join(dir, "huge")
	f, err := os.Create(huge)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(clipMaxBytes+1<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file or directory",
		dir:                        "it is no file",
		pipe:                       "it is no file",
		huge:                       "257 MiB are too long; the limit is 256 MiB",
	} {
		_, err := OpenClip(path, is(160, 90, Rate{}))
		if err == nil || err.Error() != "clip "+path+": "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := OpenClip(filepath.Join(dir, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
}

func TestClipLoops(t *testing.T) {
	lead := slice + slice // cannot be decoded: nothing before it
	loop := []string{sps + pps + idr, slice + "b", slice + "c"}
	c := openTestClip(t, lead+strings.Join(loop, ""), Rate{240, 1})
	started(t, c, wish(160, 90, 240))
	var first time.Duration
	for i := range 3 * len(loop) {
		f := next(t, c)
		if got := string(f.Data); got != loop[i%len(loop)] {
			t.Fatalf("frame %d is %q, want %q", i, got, loop[i%len(loop)])
		}
		if i == 0 {
			first = f.Timestamp
		}
		if int(f.Sequence) != i || f.Timestamp != first+(Rate{240, 1}).span(uint64(i)) {
			t.Errorf("frame %d: sequence %d, %v after the first", i, f.Sequence, f.Timestamp-first)
		}
		f.Release()
	}
}

func TestClipBeginsAgainWithAKeyFrame(t *testing.T) {
	c := openTestClip(t, clipOf(5), Rate{240, 1})
	for range 3 {
		configured(t, c, wish(160, 90, 240))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			f := next(t, c)
			if key := bytes.HasPrefix(f.Data, []byte(sps)); key != (i == 0) {
				t.Errorf("frame %d after Start: key frame %v", i, key)
			}
			f.Release()
		}
		if err := c.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// Frames that are lent have memory of their own, which is used again.
func TestClipReadsIntoFewBuffers(t *testing.T) {
	c := openTestClip(t, clipOf(2), Rate{240, 1})
	started(t, c, wish(160, 90, 240))
	a, b := next(t, c), next(t, c)
	if string(a.Data) != sps+pps+idr || string(b.Data) != slice+"b" {
		t.Errorf("%q and %q", a.Data, b.Data)
	}
	a.Release()
	b.Release()
	for range 3 * clipBuffers {
		next(t, c).Release() // each buffer has grown
	}
	if n := testing.AllocsPerRun(50, func() { next(t, c).Release() }); n != 0 {
		t.Errorf("%v allocations for a frame", n)
	}
}

// The memory of the process does not grow with the file.
func TestClipIsNotHeldInMemory(t *testing.T) {
	const pictures = 64
	large := strings.Repeat("x", 256<<10)
	path := writeClip(t, sps+pps+strings.Repeat(idr+large, pictures))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := OpenClip(path, is(160, 90, Rate{240, 1}))
	if err != nil {
		t.Fatal(err)
	}
	started(t, c, wish(160, 90, 240))
	for i := range pictures {
		f := next(t, c)
		if len(f.Data) < len(large) {
			t.Errorf("frame %d has %d bytes", i, len(f.Data))
		}
		f.Release()
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > (clipBuffers+2)*uint64(len(large)) {
		t.Errorf("%d bytes of memory for a clip of %d", n, pictures*len(large))
	}
}

// A file that somebody cuts off is an error, not a crash.
func TestClipThatBecomesShorter(t *testing.T) {
	path := writeClip(t, clipOf(3))
	c, err := OpenClip(path, is(160, 90, Rate{240, 1}))
	if err != nil {
		t.Fatal(err)
	}
	started(t, c, wish(160, 90, 240))
	next(t, c).Release()
	if err := os.Truncate(path, int64(len(sps+pps+idr)+3)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(time.Time{}); !errors.Is(err, errShrunk) || !strings.Contains(err.Error(), "clip.264") {
		t.Errorf("got %v", err)
	}
	c.at = 0
	next(t, c).Release() // what is still there

	f, size, err := openBounded(writeClip(t, strings.Repeat("x", 3*os.Getpagesize())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	sum := 0
	err = look(f, size, func(data []byte) error {
		if err := os.Truncate(f.Name(), 1); err != nil {
			t.Error(err)
		}
		for _, b := range data {
			sum += int(b)
		}
		return nil
	})
	if !errors.Is(err, errShrunk) {
		t.Errorf("a file that shrinks while it is opened: %v, sum %d", err, sum)
	}
}

func TestLookPassesPanicsOn(t *testing.T) {
	f, size, err := openBounded(writeClip(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	defer func() {
		if p := recover(); p != "mine" {
			t.Errorf("got %v", p)
		}
	}()
	_ = look(f, size, func([]byte) error { panic("mine") })
}

func TestClipChoices(t *testing.T) {
	c := openTestClip(t, clipOf(2), Rate{50, 2})
	own := "160x90 at 25/s as H264, which needs no encoder"
	tests := []struct {
		wish Wish
		want string
	}{
		{wish(160, 90, 25), own},
		{wish(0, 0, 0), own},
		{wish(640, 480, 25), own + "; a clip has its own size, 640x480 cannot be had"},
		{wish(160, 90, 30), own + "; a clip has its own rate, 30/s cannot be had"},
	}
	for _, tt := range tests {
		got, err := c.Choices(tt.wish)
		if err != nil || brief(got) != "H264 160x90@25" || got[0].Reason != tt.want {
			t.Errorf("got  %s, %v, %v\nwant %q", brief(got), got, err, tt.want)
		}
	}
	_, err := c.Choices(Wish{Import: []v4l2.FourCC{v4l2.YU12}})
	if want := "clip.264 does not offer a raw format; it offers H264"; err == nil || err.Error() != want {
		t.Errorf("H264 is not welcome: %v", err)
	}
}

func TestClipIsAsItIs(t *testing.T) {
	c := openTestClip(t, clipOf(3), Rate{25, 1})
	format := configured(t, c, wish(0, 0, 0))
	if want := (Format{FourCC: v4l2.H264, Width: 160, Height: 90, Size: len(sps + pps + idr), Rate: Rate{25, 1}, Buffers: clipBuffers}); format != want {
		t.Errorf("got %+v, want %+v", format, want)
	}
	var no *NotOffered
	for _, choice := range []Choice{
		{FourCC: v4l2.YU12, Width: 160, Height: 90, Rate: Rate{25, 1}},
		{FourCC: v4l2.H264, Width: 640, Height: 90, Rate: Rate{25, 1}},
		{FourCC: v4l2.H264, Width: 160, Height: 480, Rate: Rate{25, 1}},
		{FourCC: v4l2.H264, Width: 160, Height: 90, Rate: Rate{30, 1}},
		{},
	} {
		if _, err := c.Configure(choice); !errors.As(err, &no) {
			t.Errorf("Configure(%+v): %v", choice, err)
		}
	}
	if r, err := c.SetRate(Rate{50, 2}); r != (Rate{25, 1}) || err != nil {
		t.Errorf("its own rate: %v, %v", r, err)
	}
	for _, rate := range []Rate{{30, 1}, {}} {
		if r, err := c.SetRate(rate); r != (Rate{25, 1}) || !errors.As(err, &no) {
			t.Errorf("SetRate(%#v): %v, %v", rate, r, err)
		}
	}
	if all, err := c.Controls(); len(all) != 0 || err != nil {
		t.Errorf("controls: %v, %v", all, err)
	}
	if _, err := c.Control(CIDBrightness); !errors.Is(err, unix.EINVAL) {
		t.Errorf("Control: %v", err)
	}
	if err := c.SetControl(CIDBrightness, 1); !errors.Is(err, unix.EINVAL) {
		t.Errorf("SetControl: %v", err)
	}
	if c.Name() != "clip.264" || c.Dropped() != 0 {
		t.Errorf("name %q, dropped %d", c.Name(), c.Dropped())
	}
}

func TestClipRate(t *testing.T) {
	tests := []struct{ told, want Rate }{
		{Rate{30000, 1001}, Rate{30000, 1001}}, {Rate{240, 1}, Rate{240, 1}}, {Rate{1, 1}, Rate{1, 1}},
		{Rate{}, Rate{25, 1}}, {Rate{90000, 1}, Rate{25, 1}}, {Rate{1, 2}, Rate{25, 1}}, {Rate{-30, 1}, Rate{25, 1}}, {Rate{30, 0}, Rate{25, 1}},
	}
	for _, tt := range tests {
		c := openTestClip(t, clipOf(2), tt.told)
		if got := configured(t, c, wish(0, 0, 0)).Rate; got != tt.want {
			t.Errorf("an SPS that tells %#v: %v, want %v", tt.told, got, tt.want)
		}
	}
}

func TestClipHandsOutItsSPS(t *testing.T) {
	var got []byte
	_, err := OpenClip(writeClip(t, aud+sps+pps+idr), func(sps []byte) (int, int, Rate, error) {
		got = sps
		return 160, 90, Rate{}, nil
	})
	if err != nil || string(got) != "\x67SPS" {
		t.Errorf("got %q, %v", got, err)
	}
}

// A reader who comes much too late gets the frame that is next, not a burst.
func TestClipWaitsForItsReader(t *testing.T) {
	c := openTestClip(t, clipOf(10), Rate{240, 1})
	started(t, c, wish(160, 90, 240))
	next(t, c).Release()
	c.pace.epoch -= time.Hour
	before := now()
	f := next(t, c)
	defer f.Release()
	if f.Sequence != 1 || f.Timestamp < before {
		t.Errorf("sequence %d, %v old", f.Sequence, before-f.Timestamp)
	}
}

// However a file looks: units lie in it, in order, and each has a picture.
func FuzzSplitClip(f *testing.F) {
	f.Add([]byte(clipOf(3)))
	f.Add([]byte(aud + sps + pps + sei + idr + idr2 + filler + aud + slice + slice2))
	f.Add([]byte(code4 + code3 + "\x67" + code3))
	f.Fuzz(func(t *testing.T, data []byte) {
		units, err := splitClip(data)
		if err != nil {
			return
		}
		end := 0
		for i, u := range units {
			if u.start < end || u.end <= u.start || u.end > len(data) || !u.picture {
				t.Fatalf("unit %d at %d to %d after %d in %d bytes", i, u.start, u.end, end, len(data))
			}
			if startCode(data, u.start) > u.start+1 {
				t.Fatalf("unit %d does not begin with a start code", i)
			}
			end = u.end
		}
		if units, err = fromKey(units); err == nil && len(firstSPS(data, units[0])) < 2 {
			t.Fatal("the first unit has no SPS")
		}
	})
}
