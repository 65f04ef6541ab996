//go:build virt

package capture

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// setControl sets a control of a camera by its key, until the test ends.
func setControl(t *testing.T, c *Camera, key string, v int64) {
	t.Helper()
	id := controlID(t, c, key)
	if err := c.SetControl(id, v); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	t.Cleanup(func() {
		if err := c.SetControl(id, 0); err != nil {
			t.Error(err)
		}
	})
}

// A reader who holds all buffers loses frames, and is told how many.
func TestVirtDrops(t *testing.T) {
	c := openVirt(t, virtWebcam)
	format := started(t, c, yuyv(320, 180, 60))
	var held []*Frame
	for range format.Buffers {
		held = append(held, next(t, c))
	}
	if _, err := c.Next(time.Now().Add(300 * time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("all buffers held: %v", err)
	}
	before, last := c.Dropped(), held[len(held)-1].Sequence
	for _, f := range held {
		f.Release()
	}
	f := next(t, c)
	if got := c.Dropped() - before; got == 0 || uint32(got) != f.Sequence-last-1 {
		t.Errorf("%d dropped between frames %d and %d", got, last, f.Sequence)
	}
	f.Release()
}

func TestVirtDriverDropsBuffers(t *testing.T) {
	c := openVirt(t, virtWebcam)
	started(t, c, yuyv(320, 180, 60))
	setControl(t, c, "percentage_of_dropped_buffers", 60)
	f := next(t, c)
	last, before, missing := f.Sequence, c.Dropped(), uint64(0)
	f.Release()
	for range 20 {
		f := next(t, c)
		if f.Sequence > last { // vivid may give a number twice
			missing += uint64(f.Sequence - last - 1)
		}
		last = f.Sequence
		f.Release()
	}
	if got := c.Dropped() - before; got != missing || got == 0 {
		t.Errorf("%d dropped, the sequence numbers tell %d", got, missing)
	}
}

func TestVirtFaultyBuffers(t *testing.T) {
	c := openVirt(t, virtWebcam)
	started(t, c, yuyv(320, 180, 30))
	next(t, c).Release()
	if err := c.SetControl(controlID(t, c, "inject_v4l2_buf_flag_error"), 1); err != nil {
		t.Fatal(err)
	}
	before := c.Dropped()
	for deadline := soon(); ; {
		if time.Now().After(deadline) {
			t.Fatal("no faulty frame")
		}
		f := next(t, c)
		damaged := f.Damaged
		f.Release()
		if damaged {
			break
		}
	}
	if c.Dropped() == before {
		t.Error("the faulty frame was not counted")
	}
}

// After a fatal error of the device Next tells, Stop works, and it starts anew.
func TestVirtFatalError(t *testing.T) {
	c := openVirt(t, virtWebcam)
	configured(t, c, yuyv(320, 180, 60))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	next(t, c).Release()
	if err := c.SetControl(controlID(t, c, "inject_fatal_streaming_error"), 1); err != nil {
		t.Fatal(err)
	}
	err := error(nil)
	for deadline := soon(); err == nil; {
		var f *Frame
		if f, err = c.Next(deadline); err == nil {
			f.Release()
		}
	}
	if !errors.Is(err, unix.EIO) || !strings.HasPrefix(err.Error(), c.Name()+" gives no frames any more: ") {
		t.Errorf("after a fatal error: %v", err)
	}
	if err := c.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	next(t, c).Release()
}

// The device goes away while frames are lent: Next tells, the frames can still
// be given back, Stop and Close work, and the device is found again later.
func TestVirtUnplugged(t *testing.T) {
	const driver = "/sys/bus/platform/drivers/vivid/"
	c, err := OpenCamera(virtMulti, quiet())
	if err != nil {
		t.Fatal(err)
	}
	configured(t, c, yuyv(320, 180, 60))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	held := next(t, c)
	if err := os.WriteFile(driver+"unbind", []byte("vivid.0"), 0); err != nil {
		t.Fatal(err)
	}
	for err = error(nil); err == nil; {
		var f *Frame
		if f, err = c.Next(soon()); err == nil {
			f.Release()
		}
	}
	if !errors.Is(err, unix.ENODEV) {
		t.Errorf("the device is gone: %v", err)
	}
	held.Release()
	if err := c.Stop(context.Background()); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := os.WriteFile(driver+"bind", []byte("vivid.0"), 0); err != nil {
		t.Fatal(err)
	}
	for deadline := soon(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(virtMulti); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the device does not come back")
		}
	}
	c = openVirt(t, virtMulti)
	started(t, c, yuyv(320, 180, 60))
	next(t, c).Release()
}
