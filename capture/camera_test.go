package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestOpenCameraSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "video7")
	tests := []struct {
		path, want string
		is         error
	}{
		{none, "camera " + none + " cannot be opened: no such file or directory", fs.ErrNotExist},
		{file, "camera " + file + " is no V4L2 device: VIDIOC_QUERYCAP of " + file + ": inappropriate ioctl for device", unix.ENOTTY},
		{dir, "camera " + dir + " cannot be opened: is a directory", unix.EISDIR},
		{"/dev/null", "camera /dev/null is no V4L2 device: VIDIOC_QUERYCAP of /dev/null: inappropriate ioctl for device", unix.ENOTTY},
	}
	for _, tt := range tests {
		_, err := OpenCamera(tt.path, quiet())
		if err == nil || err.Error() != tt.want || !errors.Is(err, tt.is) {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

func TestNoCameraListsWhatWasLookedAt(t *testing.T) {
	tests := []struct {
		looked []Looked
		want   string
	}{
		{nil, "no camera found: there is no /dev/video node"},
		{[]Looked{{"/dev/video0", errors.New("(cam) is in use by another program: device or resource busy")}, {"/dev/video11", errors.New("(vh264enc) is a codec or a converter")}},
			"no camera found: /dev/video0 (cam) is in use by another program: device or resource busy; /dev/video11 (vh264enc) is a codec or a converter"},
	}
	for _, tt := range tests {
		if got := (&NoCamera{tt.looked}).Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestIll(t *testing.T) {
	node := func(err error) Looked { return Looked{"/dev/video0", fmt.Errorf("(cam): %w", err)} }
	kind := Looked{"/dev/video11", errors.New("(vh264enc) is a codec or a converter")}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{unix.EIO, true}, {unix.ENOMEM, true}, {unix.ETIME, true}, {unix.ETIMEDOUT, true}, {unix.EPROTO, true}, {unix.EMFILE, true},
		{unix.ENOENT, false}, {unix.ENODEV, false}, {unix.ENXIO, false}, {unix.EBUSY, false},
		{unix.EACCES, false}, {unix.EPERM, false}, {unix.ENOTTY, false}, {unix.EINVAL, false}, {unix.EISDIR, false},
		{errors.New("any"), false}, {nil, false},
		{&os.PathError{Op: "open", Path: "/dev/video0", Err: unix.EIO}, true},
		{&v4l2.OpError{Op: "VIDIOC_QUERYCAP", Device: "/dev/video0", Err: unix.ETIMEDOUT}, true},
		{errors.Join(unix.ENODEV, unix.EIO), true},
		{&NoCamera{}, false},
		{&NoCamera{[]Looked{kind, node(unix.EBUSY)}}, false},
		{fmt.Errorf("camera: %w", &NoCamera{[]Looked{kind, node(unix.EBUSY), node(unix.EIO)}}), true},
	} {
		if got := Ill(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestUsableFormats(t *testing.T) {
	for name, want := range map[string]bool{
		"YUYV": true, "UYVY": true, "YVYU": true, "VYUY": true, "NV12": true, "NV21": true, "YU12": true, "YV12": true,
		"RGB3": true, "BGR3": true, "GREY": true, "MJPG": true, "JPEG": true, "H264": true,
		"HEVC": false, "VP80": false, "RGGB": false, "BA81": false, "pBAA": false, "Y16": false, "NM12": false, "UVCH": false,
	} {
		if got := usable(v4l2.ParseFourCC(name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestBitsPerPixelOfWhatIsUsable(t *testing.T) {
	for name, want := range map[string]int{"H264": 0, "MJPG": 0, "JPEG": 0, "GREY": 8, "NV12": 12, "YV12": 12, "YUYV": 16, "VYUY": 16, "RGB3": 24} {
		if got := bitsPerPixel(v4l2.ParseFourCC(name)); got != want {
			t.Errorf("%s: %d bits, want %d", name, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	good := func(sequence uint32) v4l2.Buffer { return v4l2.Buffer{Sequence: sequence, BytesUsed: 100} }
	faulty := func(sequence uint32) v4l2.Buffer {
		return v4l2.Buffer{Sequence: sequence, BytesUsed: 50, Flags: v4l2.FlagError | v4l2.FlagMonotonic}
	}
	empty := func(sequence uint32) v4l2.Buffer { return v4l2.Buffer{Sequence: sequence} }
	emptyFaulty := func(sequence uint32) v4l2.Buffer { return v4l2.Buffer{Sequence: sequence, Flags: v4l2.FlagError} }
	tests := []struct {
		name    string
		buffers []v4l2.Buffer
		dropped uint64
		damaged int
	}{
		{"one after the other", []v4l2.Buffer{good(0), good(1), good(2)}, 0, 0},
		{"a driver that begins late", []v4l2.Buffer{good(77), good(78)}, 0, 0},
		{"a gap", []v4l2.Buffer{good(0), good(1), good(5), good(6)}, 3, 0},
		{"two gaps", []v4l2.Buffer{good(0), good(2), good(4)}, 2, 0},
		{"over the end of the numbers", []v4l2.Buffer{good(1<<32 - 2), good(1<<32 - 1), good(0), good(1)}, 0, 0},
		{"a gap over their end", []v4l2.Buffer{good(1<<32 - 2), good(1)}, 2, 0},
		{"a driver that does not count", []v4l2.Buffer{good(0), good(0), good(0)}, 0, 0},
		{"a driver that begins again", []v4l2.Buffer{good(500), good(501), good(0), good(1)}, 0, 0},
		{"faulty", []v4l2.Buffer{good(0), faulty(1), good(2)}, 1, 1},
		{"empty", []v4l2.Buffer{good(0), empty(1), good(2)}, 1, 1},
		{"empty and faulty counts once", []v4l2.Buffer{good(0), emptyFaulty(1), good(2)}, 1, 1},
		{"faulty after a gap", []v4l2.Buffer{good(0), faulty(3)}, 3, 1},
	}
	for _, tt := range tests {
		var y tally
		y.begin()
		damaged := 0
		for _, b := range tt.buffers {
			if y.damaged(b) {
				damaged++
			}
		}
		if got := y.dropped.Load(); got != tt.dropped || damaged != tt.damaged {
			t.Errorf("%s: %d dropped, %d damaged; want %d, %d", tt.name, got, damaged, tt.dropped, tt.damaged)
		}
	}
}

func TestTallyBeginsAgainWithTheStream(t *testing.T) {
	var y tally
	for _, first := range []uint32{0, 5, 9} {
		y.begin()
		y.damaged(v4l2.Buffer{Sequence: first, BytesUsed: 1})
		y.damaged(v4l2.Buffer{Sequence: first + 2, BytesUsed: 1})
	}
	if got := y.dropped.Load(); got != 3 {
		t.Errorf("%d dropped in three streams, want one in each", got)
	}
}

func TestErrorsSayThatADeviceIsInUse(t *testing.T) {
	c := &Camera{name: "cam (/dev/video0)"}
	err := c.explain(&v4l2.OpError{Op: "VIDIOC_S_FMT", Device: "/dev/video0", Err: unix.EBUSY})
	if !errors.Is(err, unix.EBUSY) || !strings.HasPrefix(err.Error(), "cam (/dev/video0) is in use by another program: VIDIOC_S_FMT") {
		t.Errorf("busy: %v", err)
	}
	err = c.explain(&v4l2.OpError{Op: "VIDIOC_S_FMT", Device: "/dev/video0", Err: unix.EINVAL})
	if !errors.Is(err, unix.EINVAL) || err.Error() != "cam (/dev/video0): VIDIOC_S_FMT of /dev/video0: invalid argument" {
		t.Errorf("invalid: %v", err)
	}
}
