//go:build virt

package encoder

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"lenslet/capture"
	"lenslet/capture/v4l2"
	"lenslet/encoder/h264"
)

// pcmBits reads the only picture that the virtual encoder writes in its
// lossless mode: an IDR slice whose macroblocks are all I_PCM.
type pcmBits struct {
	b   []byte
	pos int
}

func (r *pcmBits) u(n int) int {
	v := 0
	for range n {
		v = v<<1 | int(r.b[r.pos/8]>>(7-r.pos%8))&1
		r.pos++
	}
	return v
}

func (r *pcmBits) ue() int {
	n := 0
	for r.u(1) == 0 {
		n++
	}
	return 1<<n - 1 + r.u(n)
}

// pcmPicture decodes an IDR unit to YU12 of w x h pixels.
func pcmPicture(t *testing.T, u *Unit, w, h int) []byte {
	t.Helper()
	nalus := u.NALUs()
	slice := nalus[len(nalus)-1]
	if h264.TypeOf(slice) != h264.TypeIDR {
		t.Fatalf("the unit ends with type %d", h264.TypeOf(slice))
	}
	r := &pcmBits{b: h264.Unescape(nil, slice[1:])}
	r.ue() // first_mb_in_slice
	r.ue() // slice_type
	r.ue() // pic_parameter_set_id
	r.u(8) // frame_num
	r.ue() // idr_pic_id
	r.u(2) // dec_ref_pic_marking
	r.ue() // slice_qp_delta
	r.ue() // disable_deblocking_filter_idc
	l, _ := newLayout(v4l2.YU12, w, h, w, h)
	out := make([]byte, l.size)
	across := (w + 15) / 16
	for mb := range across * ((h + 15) / 16) {
		if typ := r.ue(); typ != 25 {
			t.Fatalf("macroblock %d has type %d, not I_PCM", mb, typ)
		}
		r.pos = (r.pos + 7) &^ 7
		samples := r.b[r.pos/8:]
		r.pos += 384 * 8
		for p, n := range []int{16, 8, 8} {
			for y := range n {
				row := mb/across*n + y
				if row < l.planes[p].lines {
					line := l.line(out, p, row)
					copy(line[min(len(line), mb%across*n):], samples[y*n:y*n+n])
				}
			}
			samples = samples[n*n:]
		}
	}
	return out
}

// reference is what the picture of a frame must be.
func reference(t *testing.T, f capture.Format, frame []byte, w, h int) []byte {
	t.Helper()
	l, _ := newLayout(v4l2.YU12, w, h, w, h)
	c, err := newConverter(f, l)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, l.size)
	if err := c.convert(out, frame); err != nil {
		t.Fatal(err)
	}
	return out
}

// allKeys are settings under which each picture stands by itself.
func allKeys(w, h int) Settings {
	s := plain(w, h)
	s.GOP = 1
	return s
}

// Every byte of the frames of the camera is in the coded pictures.
func TestVirtPicturesOfTheCamera(t *testing.T) {
	parameter(t, "lossless", "1")
	r := openM2MRig(t)
	for _, c := range []struct {
		f    v4l2.FourCC
		w, h int
	}{{v4l2.YU12, 640, 360}, {v4l2.YU12, 642, 362}, {v4l2.NV12, 642, 362}, {v4l2.YV12, 320, 180}, {v4l2.YUYV, 642, 362}, {v4l2.UYVY, 320, 180}} {
		layout := r.configure(c.f, allKeys(c.w, c.h))
		if layout.Stride != r.format.Stride {
			f, err := r.cam.Configure(capture.Choice{FourCC: c.f, Width: c.w, Height: c.h, Rate: r.format.Rate, Stride: layout.Stride})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.codec.Configure(f, allKeys(c.w, c.h)); err != nil {
				t.Fatal(err)
			}
			r.format = f
		}
		r.startCodec()
		if err := r.cam.Start(); err != nil {
			t.Fatal(err)
		}
		imported := r.codec.Counters().Imported
		for i := range 3 {
			f, err := r.cam.Next(time.Now().Add(patience))
			if err != nil {
				t.Fatal(err)
			}
			want := reference(t, r.format, f.Data, c.w, c.h)
			if taken, err := r.codec.Encode(f); !taken || err != nil {
				t.Fatal(taken, err)
			}
			u := r.next()
			if !bytes.Equal(pcmPicture(t, u, c.w, c.h), want) {
				t.Errorf("%s %dx%d: picture %d differs from its frame", c.f, c.w, c.h, i)
			}
			u.Release()
		}
		if n := r.codec.Counters().Imported - imported; n != 3 {
			t.Errorf("%s %dx%d: %d of 3 frames were imported", c.f, c.w, c.h, n)
		}
		r.stop()
	}
}

// A memory is a source of frames without a camera.
type memory struct {
	format capture.Format
	frames []capture.Frame
	free   chan int
}

func newMemory(f capture.Format, fd int) *memory {
	m := &memory{format: f, frames: make([]capture.Frame, f.Buffers), free: make(chan int, f.Buffers)}
	for i := range m.frames {
		m.frames[i].Index, m.frames[i].DMABuf = i, fd
		m.frames[i].Init(func() { m.free <- i })
		m.free <- i
	}
	return m
}

func (m *memory) next(data []byte, at time.Duration) *capture.Frame {
	f := &m.frames[<-m.free]
	f.Lend()
	f.Data, f.Timestamp = data, at
	return f
}

// passOne encodes a frame and compares the picture and the time.
func (r *m2mRig) passOne(t *testing.T, m *memory, data []byte, w, h int, at time.Duration) {
	t.Helper()
	want := reference(t, m.format, data, w, h)
	if taken, err := r.codec.Encode(m.next(data, at)); !taken || err != nil {
		t.Fatal(taken, err)
	}
	u := r.next()
	defer u.Release()
	if u.Timestamp() != at {
		t.Errorf("a frame of %v came back as of %v", at, u.Timestamp())
	}
	if !bytes.Equal(pcmPicture(t, u, w, h), want) {
		t.Errorf("%s: the picture differs from its frame", m.format.FourCC)
	}
}

// Frames in ordinary memory, of a layout of their own, or larger than the
// picture, are copied.
func TestVirtPicturesFromMemory(t *testing.T) {
	parameter(t, "lossless", "1")
	rnd := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		name              string
		f                 v4l2.FourCC
		width, height     int // of the frames
		stride, size      int
		w, h              int // of the picture
		bplAlign, hgtHint string
	}{
		{"as the codec wants it, without descriptors", v4l2.YU12, 640, 360, 640, 640 * 540, 640, 360, "64", "2"},
		{"another stride", v4l2.YU12, 640, 360, 644, 644 * 540, 640, 360, "64", "2"},
		{"another height", v4l2.NV12, 640, 360, 640, 640 * 540, 640, 360, "64", "32"},
		{"larger than the picture", v4l2.YUYV, 656, 368, 1312, 1312 * 368, 642, 362, "64", "2"},
		{"a format to be converted", v4l2.RGB24, 640, 360, 1920, 1920 * 360, 640, 360, "1024", "2"},
		{"grey", v4l2.GREY, 320, 180, 320, 320 * 180, 320, 180, "64", "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parameter(t, "bpl_align", c.bplAlign)
			parameter(t, "height_align", c.hgtHint)
			r := newM2MRig(t)
			m := newMemory(capture.Format{FourCC: c.f, Width: c.width, Height: c.height, Stride: c.stride, Size: c.size, Buffers: 4}, -1)
			layout, err := r.codec.Configure(m.format, allKeys(c.w, c.h))
			if err != nil {
				t.Fatal(err)
			}
			r.startCodec()
			for i := range 3 {
				data := make([]byte, c.size)
				for j := range data {
					data[j] = byte(rnd.Uint32())
				}
				r.passOne(t, m, data, c.w, c.h, time.Hour+time.Duration(i)*33_333_333)
			}
			if got := r.codec.Counters(); got.Copied != 3 || got.Imported != 0 {
				t.Errorf("%+v; layout %+v", got, layout)
			}
			// a frame that is cut off is dropped, and does no harm
			if taken, err := r.codec.Encode(m.next(make([]byte, 100), time.Hour*2)); taken || err != nil {
				t.Errorf("a frame of 100 bytes: %v, %v", taken, err)
			}
			r.passOne(t, m, make([]byte, c.size), c.w, c.h, 3*time.Hour+1)
			if n := len(m.free); n != 4 {
				t.Errorf("%d of 4 frames came back", n)
			}
		})
	}
}

// When a descriptor cannot be imported, frames are copied for good.
func TestVirtImportFails(t *testing.T) {
	parameter(t, "lossless", "1")
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	r := newM2MRig(t)
	m := newMemory(capture.Format{FourCC: v4l2.YU12, Width: 640, Height: 360, Stride: 640, Size: 640 * 540, Buffers: 4}, int(file.Fd()))
	for run := range uint64(2) {
		if _, err := r.codec.Configure(m.format, allKeys(640, 360)); err != nil {
			t.Fatal(err)
		}
		r.startCodec()
		for i := range 3 {
			r.passOne(t, m, make([]byte, m.format.Size), 640, 360, time.Duration(i+1)*time.Second+999)
		}
		if got := r.codec.Counters(); got.Imported != 0 || got.Copied != 3*(run+1) {
			t.Errorf("run %d: %+v", run, got)
		}
		if r.codec.importing || !r.codec.noImport {
			t.Error("it would try again")
		}
		if err := r.codec.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVirtJPEG(t *testing.T) {
	parameter(t, "lossless", "1")
	picture := image.NewYCbCr(image.Rect(0, 0, 320, 180), image.YCbCrSubsampleRatio420)
	for i := range picture.Y {
		picture.Y[i] = byte(i / 320)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	r := newM2MRig(t)
	m := newMemory(capture.Format{FourCC: v4l2.MJPEG, Width: 320, Height: 180, Size: 100_000, Buffers: 4}, -1)
	if _, err := r.codec.Configure(m.format, allKeys(320, 180)); err != nil {
		t.Fatal(err)
	}
	r.startCodec()
	r.passOne(t, m, b.Bytes(), 320, 180, time.Second)
	if taken, err := r.codec.Encode(m.next(b.Bytes()[:b.Len()/2], time.Minute)); taken || err != nil {
		t.Errorf("half a picture: %v, %v", taken, err)
	}
	r.passOne(t, m, b.Bytes(), 320, 180, time.Hour)
}
