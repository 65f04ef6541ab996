//go:build virt

package encoder

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"lenslet/capture/v4l2"
)

// The choice is made with real buffers; either way the units are whole, and
// their buffers come back.
func TestVirtChoosesHowUnitsAreRead(t *testing.T) {
	for _, c := range []struct {
		name string
		took func(dst, src []byte) time.Duration // nil: measured
		want string
	}{
		{"measured", nil, "the encoder's memory is "},
		{"fast", func(_, src []byte) time.Duration { return time.Duration(len(src)) }, "is fast to read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := openM2MRig(t)
			var log lines
			r.codec.log = slog.New(slog.NewTextHandler(&log, nil))
			if c.took != nil {
				r.codec.reading.took = c.took
			}
			r.configure(v4l2.YU12, plain(1280, 720))
			r.start()
			for i := range 40 {
				if s := r.see(); i == 0 && !s.key {
					t.Errorf("the first unit: %+v", s)
				}
			}
			r.stop()
			if n := strings.Count(log.String(), "the encoder's memory is "); n != 1 || !strings.Contains(log.String(), c.want) {
				t.Errorf("it was said %d times: %s", n, log.String())
			}
			t.Log(log.String())
		})
	}
	t.Run("copied", func(t *testing.T) {
		r := openM2MRig(t)
		r.codec.reading = reading{known: true, copies: true}
		r.configure(v4l2.YU12, plain(1280, 720))
		r.start()
		for range 40 {
			r.see()
		}
		r.stop()
		if n := r.codec.Counters(); n.UnitsCopied < 40 || n.Encoded < 40 {
			t.Errorf("%+v", n)
		}
	})
}

// lines collect a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
