//go:build openh264 && cgo

package encoder

import (
	"errors"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// anonymous is the memory of this process that no file stands behind, in bytes.
func anonymous(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm") // proc_pid_statm(5): size resident shared ..., in pages
	if err != nil {
		t.Fatal(err)
	}
	var pages [2]int
	for i, f := range strings.Fields(string(b))[1:3] {
		if pages[i], err = strconv.Atoi(f); err != nil {
			t.Fatal(err)
		}
	}
	return (pages[0] - pages[1]) * os.Getpagesize()
}

// TestOpenH264GivesMemoryBack: opened by one thread after the other, as faults and
// changes of the size make it, the encoder leaves nothing in any of them.
func TestOpenH264GivesMemoryBack(t *testing.T) {
	const threads, most = 8, 4 << 20
	s := plain(640, 360)
	open := func() {
		c, err := NewOpenH264(slog.New(slog.DiscardHandler))
		if err == nil {
			_, err = c.Configure(yu12(640, 360), s)
			err = errors.Join(err, c.Close())
		}
		if err != nil {
			t.Error(err)
		}
	}
	open()
	before := anonymous(t)
	var turn sync.Mutex
	var had, all sync.WaitGroup
	had.Add(threads)
	for range threads {
		all.Go(func() {
			runtime.LockOSThread() // C's heap has a share for each thread
			defer runtime.UnlockOSThread()
			turn.Lock()
			open()
			turn.Unlock()
			had.Done()
			had.Wait() // so that nobody has the thread of another
		})
	}
	all.Wait()
	if after := anonymous(t); after > before+most {
		t.Errorf("%d MB, and %d MB after %d more encoders", before>>20, after>>20, threads)
	} else {
		t.Logf("%d KB, and %d KB after %d more encoders", before>>10, after>>10, threads)
	}
}
