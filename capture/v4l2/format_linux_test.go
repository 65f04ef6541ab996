package v4l2

import (
	"errors"
	"math"
	"testing"

	"golang.org/x/sys/unix"
)

func sample(planes int) Format {
	f := Format{
		FourCC: NV12, Width: 1920, Height: 1080, Field: FieldNone, NumPlanes: planes,
		Colorimetry: Colorimetry{Space: 3, Transfer: 1, Encoding: 2, Quantization: 1},
	}
	for i := range planes {
		f.Planes[i] = PlaneFormat{2048 + i, 2048*1080 + i}
	}
	return f
}

func TestFormatRoundTrip(t *testing.T) {
	c := single(sample(1))
	if got := c.format(); got != sample(1) {
		t.Errorf("single-planar: %+v, want %+v", got, sample(1))
	}
	for n := 1; n <= 8; n++ {
		c := mplane(sample(n))
		if got := c.format(); got != sample(n) {
			t.Errorf("%d planes: %+v, want %+v", n, got, sample(n))
		}
	}
	if c := mplane(Format{}); c.numPlanes != 1 {
		t.Errorf("0 planes are asked for as %d", c.numPlanes)
	}
}

func TestFormatOfAnOldDriver(t *testing.T) {
	c := single(sample(1))
	c.priv = 0
	if got := c.format().Colorimetry; got != (Colorimetry{Space: 3}) {
		t.Errorf("what follows priv was believed: %+v", got)
	}
}

func TestFormatOfNonsense(t *testing.T) {
	c := pixFormat{width: math.MaxUint32, height: math.MaxUint32, bytesPerLine: math.MaxUint32, sizeImage: math.MaxUint32}
	f := c.format()
	if f.Width < 0 || f.Height < 0 || f.Planes[0].BytesPerLine < 0 || f.Planes[0].SizeImage < 0 {
		t.Errorf("negative: %+v", f)
	}
	for _, n := range []int{-1, 9} {
		if _, err := null(t).TryFormat(VideoCaptureMPlane, Format{NumPlanes: n}); !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d planes: %v", n, err)
		}
	}
}

func TestSizeRange(t *testing.T) {
	for _, c := range []struct {
		typ  uint32
		size [6]uint32
		want SizeRange
	}{
		{rangeDiscrete, [6]uint32{640, 480, 9, 9, 9, 9}, SizeRange{640, 640, 0, 480, 480, 0}},
		{rangeContinuous, [6]uint32{16, 1920, 9, 8, 1080, 9}, SizeRange{16, 1920, 1, 8, 1080, 1}},
		{3, [6]uint32{32, 1920, 2, 16, 1080, 4}, SizeRange{32, 1920, 2, 16, 1080, 4}},
		{3, [6]uint32{32, math.MaxUint32, 0, 16, 1080, 0}, SizeRange{32, math.MaxInt32, 1, 16, 1080, 1}},
	} {
		e := frameSizeEnum{typ: c.typ, size: c.size}
		if got := e.sizeRange(); got != c.want {
			t.Errorf("type %d %v: %+v, want %+v", c.typ, c.size, got, c.want)
		}
	}
}

func TestIntervalRange(t *testing.T) {
	v := [3]Fraction{{1, 60}, {1, 5}, {1, 100}}
	e := frameIntervalEnum{typ: rangeDiscrete, interval: v}
	if got := e.intervalRange(); got != (IntervalRange{v[0], v[0], Fraction{}}) {
		t.Errorf("discrete: %+v", got)
	}
	e.typ = rangeContinuous
	if got := e.intervalRange(); got != (IntervalRange{v[0], v[1], v[2]}) {
		t.Errorf("continuous: %+v", got)
	}
}

func TestListIsBounded(t *testing.T) {
	d := &Device{path: "endless"}
	n := 0
	err := d.list("VIDIOC_ENUM_FMT", func(uint32) error { n++; return nil })
	if n != maxEntries || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

func TestListErrors(t *testing.T) {
	d := &Device{path: "x"}
	for _, c := range []struct {
		at   uint32
		errn unix.Errno
		fine bool
	}{
		{0, unix.EINVAL, true}, {3, unix.EINVAL, true}, {0, unix.ENOTTY, true}, {0, unix.ENODATA, true},
		{0, unix.ENODEV, false}, {3, unix.EIO, false}, {3, unix.ENOTTY, false},
	} {
		err := d.list("VIDIOC_ENUM_FMT", func(i uint32) error {
			if i == c.at {
				return c.errn
			}
			return nil
		})
		if c.fine != (err == nil) || err != nil && !errors.Is(err, c.errn) {
			t.Errorf("%v at entry %d gives %v", c.errn, c.at, err)
		}
	}
}
