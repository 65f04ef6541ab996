//go:build cgo

package capture

import (
	"errors"
	"runtime"
	"testing"
	"unsafe"

	go4vl "github.com/vladimirvivien/go4vl/v4l2"
	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// deep needs n KiB of stack.
//
//go:noinline
func deep(n int) byte {
	var frame [1 << 10]byte
	if n > 1 {
		frame[n] = deep(n - 1)
	}
	return frame[n%2]
}

// moved tells whether a variable below f has another address after f.
//
//go:noinline
func moved(f func()) bool {
	var x byte
	before := uintptr(unsafe.Pointer(&x))
	f()
	return uintptr(unsafe.Pointer(&x)) != before
}

func onNewStack(f func()) {
	done := make(chan struct{}) // closed by the goroutine at its end
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func TestSteady(t *testing.T) {
	grow := func() { deep(16) }
	shrink := func() {
		for range 4 {
			runtime.GC()
			runtime.Gosched()
		}
	}
	onNewStack(func() {
		steady(func() {
			if moved(grow) || moved(shrink) || moved(grow) {
				t.Error("the stack moved")
			}
		})
	})
	// what it guards against does happen
	onNewStack(func() {
		if !moved(func() { deep(100) }) {
			t.Error("a stack grew without moving; the test proves nothing")
		}
		if !moved(shrink) {
			t.Error("a stack shrank without moving; the test proves nothing")
		}
	})
}

func TestSizeGo4VL(t *testing.T) {
	size := go4vl.FrameSize{MinWidth: 16, MaxWidth: 1 << 31, StepWidth: 0, MinHeight: 8, MaxHeight: 1080, StepHeight: 4}
	for typ, want := range map[go4vl.FrameSizeType]v4l2.SizeRange{
		go4vl.FrameSizeTypeContinuous: {MinWidth: 16, MaxWidth: 1<<31 - 1, StepWidth: 1, MinHeight: 8, MaxHeight: 1080, StepHeight: 1},
		go4vl.FrameSizeTypeStepwise:   {MinWidth: 16, MaxWidth: 1<<31 - 1, StepWidth: 1, MinHeight: 8, MaxHeight: 1080, StepHeight: 4},
	} {
		if got := sizeGo4VL(go4vl.FrameSizeEnum{Type: typ, Size: size}); got != want {
			t.Errorf("type %d: %+v, want %+v", typ, got, want)
		}
	}
}

func TestEnds(t *testing.T) {
	for err, want := range map[error]bool{
		go4vl.ErrorBadArgument: true, go4vl.ErrorUnsupported: true, unix.ENODATA: true,
		go4vl.ErrorSystem: false, unix.EBUSY: false, errors.ErrUnsupported: false,
	} {
		if ends(err) != want {
			t.Errorf("%v: %v", err, !want)
		}
	}
}

func TestDescriptionIntervals(t *testing.T) {
	size := func(w int) v4l2.SizeRange {
		return v4l2.SizeRange{MinWidth: w, MaxWidth: w, MinHeight: 8, MaxHeight: 8}
	}
	second := []v4l2.IntervalRange{{Min: v4l2.Fraction{Num: 1, Den: 1}, Max: v4l2.Fraction{Num: 1, Den: 1}}}
	d := Description{Formats: []FormatDescription{
		{FormatDesc: v4l2.FormatDesc{FourCC: v4l2.YUYV}, Sizes: []SizeDescription{{size(16), nil}, {size(32), second}}},
	}}
	if got := d.intervals(v4l2.YUYV, size(32)); len(got) != 1 || got[0] != second[0] {
		t.Errorf("got %v", got)
	}
	if got := d.intervals(v4l2.NV12, size(32)); got != nil {
		t.Errorf("another format: %v", got)
	}
}
