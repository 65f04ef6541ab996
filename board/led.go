package board

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
)

// A Sign is what the activity LED shows, told from afar.
type Sign int32

// The signs.
const (
	Starting  Sign = iota // the double beat of a heart
	Streaming             // steady light
	Fault                 // blinking
)

// trigger is the kernel's for the sign (Documentation/leds/leds-class.rst), which
// blinks by itself, whatever becomes of this process.
func (s Sign) trigger() string { return [...]string{"heartbeat", "default-on", "timer"}[s] }

// blink is how long a Fault is light, and then dark, in ms. Without permission to
// set it, it stays at the kernel's 500.
const blink = "100"

// A LED is the board's activity LED. It is taken over when Run begins, and has
// the trigger again that it had when Run ends.
//
// The nil LED shows nothing.
type LED struct {
	dir    string        // below /sys/class/leds
	memory string        // file for what it was, in case that nobody gives it back
	sign   atomic.Int32  // to be shown
	wake   chan struct{} // capacity 1: sign is another; never closed
}

// OpenLED finds the activity LED; nil: there is none, or it may not be written.
// memory is a file that tells, to the next process, what the LED was, if this one
// is killed.
func OpenLED(memory string) *LED { return OpenLEDIn("/", memory) }

// OpenLEDIn is OpenLED for the file system below root.
func OpenLEDIn(root, memory string) *LED {
	for _, name := range []string{"ACT", "led0"} { // of today's device trees, of those before Linux 6
		dir := filepath.Join(root, "sys/class/leds", name)
		f, err := os.OpenFile(filepath.Join(dir, "trigger"), os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		_ = f.Close() // nothing was written
		return &LED{dir: dir, memory: memory, wake: make(chan struct{}, 1)}
	}
	return nil
}

// Show has another sign shown. It never waits.
func (l *LED) Show(s Sign) {
	if l == nil || Sign(l.sign.Swap(int32(s))) == s {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run shows the signs, until ctx ends. A LED that does not do as it is told is no
// fault.
func (l *LED) Run(ctx context.Context) error {
	if l == nil {
		return nil
	}
	before := l.before()
	if l.memory != "" {
		_ = os.WriteFile(l.memory, []byte(before+"\n"), 0o600) // else it is lost when this process is killed
	}
	for {
		l.light(Sign(l.sign.Load()))
		select {
		case <-l.wake:
		case <-ctx.Done():
			l.write("trigger", before)
			if l.memory != "" {
				_ = os.Remove(l.memory) // a file that stays is heeded only while the LED shows a sign
			}
			return nil
		}
	}
}

// before is the trigger that the LED is to have in the end: its own, or what was
// noted where it still has that of a process which was killed.
func (l *LED) before() string {
	now := l.trigger()
	if !slices.Contains([]string{Starting.trigger(), Streaming.trigger(), Fault.trigger()}, now) {
		return now
	}
	if noted := read(filepath.Split(l.memory)); noted != "" {
		return noted
	}
	return now
}

// trigger is the one in brackets: "none timer [mmc0] heartbeat".
func (l *LED) trigger() string {
	_, rest, _ := strings.Cut(read(l.dir, "trigger"), "[")
	name, _, _ := strings.Cut(rest, "]")
	return name
}

func (l *LED) light(s Sign) {
	l.write("trigger", s.trigger())
	if s == Fault { // the kernel makes these files with the trigger
		l.write("delay_on", blink)
		l.write("delay_off", blink)
	}
}

// write never makes a file.
func (l *LED) write(name, text string) {
	f, err := os.OpenFile(filepath.Join(l.dir, name), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return
	}
	_, _ = f.WriteString(text) // a kernel without the trigger refuses it
	_ = f.Close()
}
