//go:build virt

package capture

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// The devices of the virtual board (board/virt/README.md).
const (
	virtWebcam = "/dev/video0"  // vivid, single-planar
	virtMulti  = "/dev/video1"  // vivid, multi-planar
	virtHDMI   = "/dev/video2"  // vivid, sizes in a range
	virtCodec  = "/dev/video11" // vh264enc
)

// openVirt opens a camera until the test ends.
func openVirt(t testing.TB, path string) *Camera {
	t.Helper()
	c, err := OpenCamera(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// yuyv wishes what the encoder takes.
func yuyv(w, h, rate int) Wish {
	return Wish{Width: w, Height: h, Rate: Rate{rate, 1}, Import: []v4l2.FourCC{v4l2.YUYV}}
}

func controlID(t *testing.T, c *Camera, key string) uint32 {
	t.Helper()
	all, err := c.Controls()
	if err != nil {
		t.Fatal(err)
	}
	for _, control := range all {
		if control.Key() == key {
			return control.ID
		}
	}
	t.Fatalf("%s has no control %s", c.Name(), key)
	return 0
}

func TestVirtFramesComeInOrder(t *testing.T) {
	for _, path := range []string{virtWebcam, virtMulti, virtHDMI} {
		t.Run(path, func(t *testing.T) {
			c := openVirt(t, path)
			format := started(t, c, Wish{Width: 640, Height: 360, Rate: Rate{15, 1}, Import: []v4l2.FourCC{v4l2.YUYV}})
			if format.FourCC != v4l2.YUYV || format.Width != 640 || format.Height != 360 || format.Stride != 1280 || format.Size != 640*360*2 || format.Buffers < 4 {
				t.Errorf("format %+v", format)
			}
			fds := map[int]int{}
			var sequence uint32
			var last time.Duration
			for i := range 20 {
				f := next(t, c)
				// vivid counts by its clock: when it is late a number comes twice
				if i > 0 && (f.Sequence < sequence || f.Timestamp <= last) {
					t.Errorf("frame %d: sequence %d after %d, %v after %v", i, f.Sequence, sequence, f.Timestamp, last)
				}
				// vivid tells the end of the frame, which it gives out before
				if age := now() - f.Timestamp; age < -format.Rate.Interval() || age > 20*time.Second {
					t.Errorf("frame %d is %v old", i, age)
				}
				if len(f.Data) != format.Size || f.Damaged {
					t.Errorf("frame %d: %d bytes, damaged %v", i, len(f.Data), f.Damaged)
				}
				if fd, seen := fds[f.Index]; f.DMABuf < 0 || seen && fd != f.DMABuf {
					t.Errorf("buffer %d has the descriptors %d and %d", f.Index, fd, f.DMABuf)
				}
				fds[f.Index] = f.DMABuf
				sequence, last = f.Sequence, f.Timestamp
				f.Release()
			}
		})
	}
}

// The dmabuf of a frame holds the same bytes as its Data.
func TestVirtDMABuf(t *testing.T) {
	for _, path := range []string{virtWebcam, virtMulti} {
		c := openVirt(t, path)
		started(t, c, yuyv(320, 180, 30))
		f := next(t, c)
		mem, err := unix.Mmap(f.DMABuf, 0, len(f.Data), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(mem, f.Data) {
			t.Errorf("%s: the dmabuf holds something else", path)
		}
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
		f.Release()
	}
}

func TestVirtStopWaitsForLoans(t *testing.T) {
	c := openVirt(t, virtWebcam)
	configured(t, c, yuyv(320, 180, 60))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	f := next(t, c)
	was := bytes.Clone(f.Data)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := c.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Stop with a frame lent: %v", err)
	}
	if !bytes.Equal(was, f.Data) {
		t.Error("the frame changed while it was lent")
	}
	if _, err := c.Next(soon()); !errors.Is(err, ErrStopped) {
		t.Errorf("Next after Stop: %v", err)
	}
	if err := c.Start(); !errors.Is(err, errRunning) {
		t.Errorf("Start with a frame lent: %v", err)
	}
	if _, err := c.Configure(Choice{}); !errors.Is(err, errRunning) {
		t.Errorf("Configure with a frame lent: %v", err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- c.Stop(context.Background()) }()
	f.Release()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if c.queue.Len() != 0 {
		t.Errorf("%d buffers left", c.queue.Len())
	}
	// and again, without Configure
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	next(t, c).Release()
}

func TestVirtStopWakesTheReader(t *testing.T) {
	c := openVirt(t, virtWebcam)
	configured(t, c, yuyv(320, 180, 1)) // a frame a second: the reader waits
	for range 3 {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		end := make(chan error, 1)
		go func() {
			for {
				f, err := c.Next(time.Time{})
				if err != nil {
					end <- err
					return
				}
				f.Release()
			}
		}()
		if err := c.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := <-end; !errors.Is(err, ErrStopped) {
			t.Errorf("the reader got %v", err)
		}
	}
}

func TestVirtControls(t *testing.T) {
	c := openVirt(t, virtWebcam)
	started(t, c, yuyv(320, 180, 60))
	id := controlID(t, c, "brightness")
	if id != CIDBrightness {
		t.Errorf("brightness has the id %#x", id)
	}
	luma := func() int {
		f := next(t, c)
		defer f.Release()
		sum := 0
		for i := 0; i < len(f.Data); i += 2 {
			sum += int(f.Data[i])
		}
		return sum / (len(f.Data) / 2)
	}
	was, err := c.Control(id)
	if err != nil {
		t.Fatal(err)
	}
	before := luma()
	if err := c.SetControl(id, 250); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Control(id); got != 250 || err != nil {
		t.Errorf("brightness read back: %d, %v", got, err)
	}
	for deadline := soon(); luma() < before+10; {
		if time.Now().After(deadline) {
			t.Fatalf("the picture does not become brighter than %d", before)
		}
	}
	if err := c.SetControl(id, was); err != nil {
		t.Error(err)
	}
}

func TestVirtReconfigure(t *testing.T) {
	for _, path := range []string{virtWebcam, virtMulti} {
		c := openVirt(t, path)
		for _, s := range []size{nhd, hd, nhd} {
			format := configured(t, c, yuyv(s.w, s.h, 15))
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if format.Width != s.w || format.Height != s.h {
				t.Errorf("%s: %dx%d, want %v", path, format.Width, format.Height, s)
			}
			for range 3 {
				f := next(t, c)
				if len(f.Data) != s.area()*2 {
					t.Errorf("%s: a frame of %v has %d bytes", path, s, len(f.Data))
				}
				f.Release()
			}
			if err := c.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What the encoder wants for its import: lines longer than the picture.
func TestVirtStride(t *testing.T) {
	c := openVirt(t, virtWebcam)
	format, err := c.Configure(Choice{FourCC: v4l2.YUYV, Width: 640, Height: 360, Rate: Rate{15, 1}, Stride: 1536})
	if err != nil || format.Stride != 1536 || format.Size < 1536*360 {
		t.Errorf("asked for 1536 bytes per line: %+v, %v", format, err)
	}
}

func TestVirtBuffers(t *testing.T) {
	c := openVirt(t, virtWebcam)
	for asked, want := range map[int]int{0: cameraBuffers, 4: 4} {
		choice := Choice{FourCC: v4l2.YUYV, Width: 640, Height: 360, Rate: Rate{15, 1}, Buffers: asked}
		if format, err := c.Configure(choice); err != nil || format.Buffers != want {
			t.Errorf("asked for %d buffers: %+v, %v", asked, format, err)
		}
	}
}

func TestVirtRefusesAnotherSize(t *testing.T) {
	c := openVirt(t, virtWebcam)
	const want = "vivid (/dev/video0) does not offer 642x362; it offers 320x180, 640x360, 640x480, 1280x720, 1920x1080, 3840x2160"
	if _, err := c.Choices(yuyv(642, 362, 15)); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	var no *NotOffered
	if _, err := c.Configure(Choice{FourCC: v4l2.YUYV, Width: 642, Height: 362, Rate: Rate{15, 1}}); !errors.As(err, &no) {
		t.Errorf("Configure: %v", err)
	}
	if err := c.Start(); !errors.Is(err, errNoFormat) {
		t.Errorf("Start after a refusal: %v", err)
	}
	if _, err := c.Choices(Wish{Import: []v4l2.FourCC{v4l2.VP8}}); !errors.As(err, &no) || !strings.Contains(no.Offers, "YUYV, ") {
		t.Errorf("no format of use: %v", err)
	}
}

func TestVirtAnySizeOfARange(t *testing.T) {
	c := openVirt(t, virtHDMI)
	for _, s := range []size{{642, 362}, nhd} {
		started(t, c, yuyv(s.w, s.h, 15))
		f := next(t, c)
		if len(f.Data) < s.area()*2 {
			t.Errorf("a frame of %v has %d bytes", s, len(f.Data))
		}
		f.Release()
		if err := c.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVirtSetRate(t *testing.T) {
	c := openVirt(t, virtWebcam)
	if format := started(t, c, yuyv(320, 180, 10)); format.Rate != (Rate{10, 1}) {
		t.Errorf("rate %v, want 10", format.Rate)
	}
	if got, err := c.SetRate(Rate{50, 1}); errors.Is(err, unix.EBUSY) {
		return // it says so: the pipeline starts the camera again
	} else if err != nil || got != (Rate{50, 1}) {
		t.Fatalf("SetRate: %v, %v", got, err)
	}
	waitForRate(t, c, Rate{50, 1})
}

// waitForRate waits until ten frames come in the time that they should take,
// or a fifth more or less: others may be busy on this machine.
func waitForRate(t *testing.T, c *Camera, rate Rate) {
	t.Helper()
	want := rate.span(10)
	var took time.Duration
	for deadline := soon(); time.Now().Before(deadline); {
		first := next(t, c)
		begin := first.Timestamp
		first.Release()
		for range 10 {
			f := next(t, c)
			took = f.Timestamp - begin
			f.Release()
		}
		if took > want*4/5 && took < want*6/5 {
			return
		}
	}
	t.Errorf("ten frames take %v at %v/s", took, rate)
}

func TestVirtRate(t *testing.T) {
	for _, path := range []string{virtWebcam, virtMulti, virtHDMI} {
		c := openVirt(t, path)
		format := started(t, c, yuyv(640, 360, 15))
		if path != virtHDMI && format.Rate != (Rate{15, 1}) {
			t.Errorf("%s: rate %v, want 15", path, format.Rate)
		}
		waitForRate(t, c, format.Rate)
	}
}

func TestVirtNextAllocatesNothing(t *testing.T) {
	for _, path := range []string{virtWebcam, virtMulti} {
		c := openVirt(t, path)
		started(t, c, yuyv(320, 180, 60))
		next(t, c).Release()
		deadline := soon()
		if n := testing.AllocsPerRun(30, func() {
			f, err := c.Next(deadline)
			if err != nil {
				t.Fatal(err)
			}
			f.Release()
		}); n != 0 {
			t.Errorf("%s: %v allocations per frame", path, n)
		}
	}
}
