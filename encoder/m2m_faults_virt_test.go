//go:build virt

package encoder

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

const driver = "/sys/bus/platform/drivers/vh264enc/"

// unbind takes the encoder away; it is back after the test, when every file
// of it is closed.
func unbind(t testing.TB) {
	t.Helper()
	t.Cleanup(func() {
		if err := os.WriteFile(driver+"bind", []byte("vh264enc"), 0o200); err != nil {
			t.Error(err)
		}
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat("/dev/video11"); err == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatal("the encoder does not come back")
			}
		}
	})
	if err := os.WriteFile(driver+"unbind", []byte("vh264enc"), 0o200); err != nil {
		t.Fatal(err)
	}
}

func TestVirtDamagedUnits(t *testing.T) {
	r := openM2MRig(t)
	s := plain(320, 180)
	s.GOP = 100_000
	r.configure(v4l2.YU12, s)
	parameter(t, "fail_every", "20")
	r.start()
	r.await(1)
	for i := range 4 {
		// 20 frames from one fault to the next, and a key frame soon after each
		if n := r.await(40); i > 0 && n > 20 {
			t.Errorf("%d units up to the key frame", n)
		}
	}
	r.stop()
	if c := r.codec.Counters(); c.Damaged < 4 || c.Encoded+c.Damaged > c.Imported {
		t.Errorf("%+v", c)
	}
}

func TestVirtStreamOnRefused(t *testing.T) {
	r := openM2MRig(t)
	r.configure(v4l2.YU12, plain(640, 360))
	t.Run("refused", func(t *testing.T) {
		parameter(t, "streamon_fail", "12")
		for range 3 {
			err := r.codec.Start(func(*Unit) { t.Error("a unit") }, func(err error) { t.Error(err) })
			if !errors.Is(err, unix.ENOMEM) {
				t.Fatalf("start: %v", err)
			}
		}
		if err := r.codec.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r.configure(v4l2.YU12, plain(320, 180)) // EBUSY if buffers were left
	r.start()
	if s := r.see(); s.sps.Width != 320 {
		t.Errorf("%+v", s)
	}
}

func TestVirtEncoderVanishes(t *testing.T) {
	r := openM2MRig(t)
	unbindLater := func() { unbind(t) }
	r.configure(v4l2.YU12, plain(320, 180))
	r.start()
	r.see()
	unbindLater()
	select {
	case err := <-r.failed:
		if !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EIO) {
			t.Errorf("failed with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("nobody was told")
	}
	r.stop()
	if n := r.fails.Load(); n != 1 {
		t.Errorf("failed was called %d times", n)
	}
	r.close()
}

func TestVirtStopWaitsForLoans(t *testing.T) {
	r := openM2MRig(t)
	r.configure(v4l2.YU12, plain(320, 180))
	r.start()
	u := r.next()
	r.stopFeeding()
	for len(r.units) > 0 {
		(<-r.units).Release()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for len(r.units) > 0 {
		(<-r.units).Release()
	}
	if err := r.codec.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("stop with a unit on loan: %v", err)
	}
	if nal := u.NALUs()[0]; nal[0]&31 != 7 {
		t.Errorf("the unit on loan begins with %x", nal[0])
	}
	u.Release()
	r.stop()
	r.configure(v4l2.YU12, plain(640, 360))
}

func TestVirtAllUnitsLent(t *testing.T) {
	r := openM2MRig(t)
	r.configure(v4l2.YU12, plain(320, 180))
	r.start()
	var held []*Unit
	for range unitBuffers {
		held = append(held, r.next())
	}
	before := r.denied.Load()
	for r.denied.Load() < before+10 { // frames come, and are dropped
		select {
		case err := <-r.failed:
			t.Fatal(err)
		case u := <-r.units:
			t.Fatalf("a fifth unit: %v", u)
		case <-time.After(5 * time.Millisecond):
		}
	}
	r.stopFeeding() // nothing is queued on either side
	for _, u := range held {
		u.Release()
	}
	r.see()
	r.quit, r.fed = make(chan struct{}), make(chan struct{})
	go r.feed()
	for range 10 {
		r.see()
	}
}

// A slow codec costs frames, but the camera goes on: two of its buffers at least
// are not the codec's.
func TestVirtSlowEncoder(t *testing.T) {
	r := openM2MRig(t)
	parameter(t, "latency_ms", "200")
	r.configure(v4l2.YU12, plain(320, 180))
	r.start()
	for range 8 {
		before := r.denied.Load()
		for end := time.Now().Add(patience); r.denied.Load() == before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the camera gives no frames")
			}
		}
		r.codec.mu.Lock()
		if most := r.format.Buffers - 2; r.codec.busy > most {
			t.Errorf("the codec holds %d frames, more than %d", r.codec.busy, most)
		}
		r.codec.mu.Unlock()
		r.see()
	}
}

// A codec that never answers must not keep Stop from ending.
func TestVirtHungEncoder(t *testing.T) {
	parameter(t, "hang_after", "5")
	parameter(t, "hang_mode", "0")
	r := openM2MRig(t)
	r.configure(v4l2.YU12, plain(320, 180))
	r.start()
	for range 5 {
		r.see()
	}
	before := r.denied.Load()
	for r.denied.Load() < before+5 {
		time.Sleep(5 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := r.codec.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("drain: %v", err)
	}
	r.stop()
}
