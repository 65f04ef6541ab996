package encoder

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// memories is a reader for which what is in slow takes so many times as long.
func memories(slow []byte, factor time.Duration) func(dst, src []byte) time.Duration {
	return func(dst, src []byte) time.Duration {
		copy(dst, src)
		if &src[0] == &slow[0] {
			return factor * time.Duration(len(src))
		}
		return time.Duration(len(src))
	}
}

func TestReadingDecides(t *testing.T) {
	for _, c := range []struct {
		factors []time.Duration // of the units
		copies  bool
	}{
		{[]time.Duration{1, 1, 1, 1, 1}, false},
		{[]time.Duration{4, 4, 4, 4, 4}, false},
		{[]time.Duration{5, 5, 5, 5, 5}, true},
		{[]time.Duration{50, 50, 1, 1, 1}, false}, // disturbed twice
		{[]time.Duration{1, 1, 20, 20, 20}, true},
	} {
		var r reading
		unit := bytes.Repeat([]byte("u"), readLeast)
		for i, f := range c.factors {
			r.took = memories(unit, f)
			if r.try(unit[:readLeast-1]) || len(r.trials) != i {
				t.Errorf("%v: a unit that is too small counts", c.factors)
			}
			if decided := r.try(unit); decided != (i == readTrials-1) || decided != r.known {
				t.Errorf("%v: decided %v with unit %d", c.factors, decided, i)
			}
		}
		if r.copies != c.copies || r.a != nil {
			t.Errorf("%v: copies %v, %d bytes are kept", c.factors, r.copies, len(r.a))
		}
		if r.try(unit) {
			t.Error("decided again")
		}
	}
}

// The choice is said once, and what is slow is copied.
func TestChoiceOfACopyIsLogged(t *testing.T) {
	for factor, want := range map[time.Duration]string{
		1: "is fast to read: pictures are sent from where they lie", 10: "is slow to read on this board: each picture is copied once",
	} {
		var log strings.Builder
		unit := bytes.Repeat([]byte("u"), 2*readLeast)
		m := &M2M{log: slog.New(slog.NewTextHandler(&log, nil)), name: "codec", reading: reading{took: memories(unit, factor)}}
		m.copies.open()
		for range 3 * readTrials {
			m.judge(unit)
			if c := m.copyOf(unit); c != nil {
				if !bytes.Equal(c.data, unit) || &c.data[0] == &unit[0] {
					t.Error("it is no copy")
				}
				c.Release()
			}
		}
		if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), want) || !strings.Contains(log.String(), fmt.Sprintf("times_as_slow_as_ordinary=%d", factor)) {
			t.Errorf("factor %d: %s", factor, log.String())
		}
		if n := m.Counters().UnitsCopied; (n != 0) != (factor > readSlow) {
			t.Errorf("factor %d: %d units were copied", factor, n)
		}
	}
}

// Once decided, a unit costs no allocation, copied or not.
func TestCopyingAllocatesNothing(t *testing.T) {
	unit := bytes.Repeat([]byte("u"), 40_000)
	for _, factor := range []time.Duration{1, 10} {
		m := &M2M{log: slog.New(slog.DiscardHandler), reading: reading{took: memories(unit, factor)}}
		m.copies.open()
		pass := func() {
			m.judge(unit)
			if c := m.copyOf(unit); c != nil {
				m.fill(&c.Unit, c.data, 0)
				c.Release()
			}
		}
		for range readTrials + 1 {
			pass()
		}
		if n := testing.AllocsPerRun(100, pass); n != 0 {
			t.Errorf("factor %d: %v allocations", factor, n)
		}
	}
}

// Without a copy to spare the unit is sent from where it lies.
func TestNoCopyIsLeft(t *testing.T) {
	m := &M2M{reading: reading{known: true, copies: true}}
	m.copies.open()
	for range maxUnits {
		if m.copyOf([]byte("unit")) == nil {
			t.Fatal("too few copies")
		}
	}
	if m.copyOf([]byte("unit")) != nil || m.unitsCopied.Load() != maxUnits {
		t.Errorf("%d copies", m.unitsCopied.Load())
	}
}

func TestCopyTime(t *testing.T) {
	src, dst := []byte("bytes"), make([]byte, 5)
	if took := copyTime(dst, src); took < 0 || string(dst) != "bytes" {
		t.Errorf("%q in %v", dst, took)
	}
}
