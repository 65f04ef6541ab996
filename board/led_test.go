package board

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const triggers = "none timer heartbeat default-on [mmc0]\n"

// ledText is a file of the LED.
func ledText(t *testing.T, root, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "sys/class/leds", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func await(t *testing.T, root, name, want string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ledText(t, root, name) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is %q, want %q", name, ledText(t, root, name), want)
		}
	}
}

// lit runs the LED until stop.
func lit(t *testing.T, l *LED) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestLEDShowsHowItIs(t *testing.T) {
	for _, board := range []string{"zerow", "pi3b"} { // ACT, led0
		root := recorded(t, board)
		name := map[string]string{"zerow": "ACT", "pi3b": "led0"}[board]
		put(t, root, "sys/class/leds/"+name+"/delay_on", "500\n")
		put(t, root, "sys/class/leds/"+name+"/delay_off", "500\n")
		l := OpenLEDIn(root, filepath.Join(t.TempDir(), "led"))
		stop := lit(t, l)
		await(t, root, name+"/trigger", "heartbeat")
		l.Show(Streaming)
		await(t, root, name+"/trigger", "default-on")
		l.Show(Fault)
		await(t, root, name+"/delay_off", "100")
		if got := ledText(t, root, name+"/trigger") + ledText(t, root, name+"/delay_on"); got != "timer100" {
			t.Errorf("a fault is %q", got)
		}
		l.Show(Streaming)
		await(t, root, name+"/trigger", "default-on")
		stop()
		if got := ledText(t, root, name+"/trigger"); got != "mmc0" {
			t.Errorf("in the end the trigger is %q", got)
		}
	}
}

// What a killed process left on is given back by the next one.
func TestLEDIsGivenBackAfterAKill(t *testing.T) {
	root, memory := t.TempDir(), filepath.Join(t.TempDir(), "led")
	put(t, root, "sys/class/leds/ACT/trigger", "none timer heartbeat [default-on] mmc0\n")
	if err := os.WriteFile(memory, []byte("mmc0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := lit(t, OpenLEDIn(root, memory))
	await(t, root, "ACT/trigger", "heartbeat")
	stop()
	if got := ledText(t, root, "ACT/trigger"); got != "mmc0" {
		t.Errorf("the trigger is %q", got)
	}
	if _, err := os.Stat(memory); !os.IsNotExist(err) {
		t.Errorf("the note stays: %v", err)
	}
}

// A trigger that somebody else chose since then wins over the note; one of ours
// without a note was the owner's.
func TestLEDBefore(t *testing.T) {
	for _, test := range []struct{ now, note, want string }{
		{triggers, "", "mmc0"},
		{triggers, "cpu\n", "mmc0"},
		{"none [timer] mmc0\n", "cpu\n", "cpu"},
		{"none [timer] mmc0\n", "", "timer"},
		{"[none] timer mmc0\n", "cpu\n", "none"},
	} {
		root, memory := t.TempDir(), filepath.Join(t.TempDir(), "led")
		put(t, root, "sys/class/leds/ACT/trigger", test.now)
		if test.note != "" {
			if err := os.WriteFile(memory, []byte(test.note), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := OpenLEDIn(root, memory).before(); got != test.want {
			t.Errorf("%q with the note %q: %q", test.now, test.note, got)
		}
	}
}

// Where there is no LED, or it is not ours, nothing is shown, and nothing wrong.
func TestNoLED(t *testing.T) {
	root := t.TempDir()
	l := OpenLEDIn(root, "")
	if l != nil {
		t.Fatal("a LED of nothing")
	}
	l.Show(Fault)
	lit(t, l)()

	put(t, root, "sys/class/leds/ACT/trigger/not-a-file", "")
	if OpenLEDIn(root, "") != nil {
		t.Error("a LED that cannot be written")
	}
}

// No file is made that the kernel did not make: a LED without the trigger timer.
func TestLEDMakesNoFile(t *testing.T) {
	root := t.TempDir()
	put(t, root, "sys/class/leds/ACT/trigger", triggers)
	l := OpenLEDIn(root, filepath.Join(root, "missing", "led"))
	l.Show(Fault)
	stop := lit(t, l)
	await(t, root, "ACT/trigger", "timer")
	stop()
	all, err := filepath.Glob(filepath.Join(root, "sys/class/leds/ACT/*"))
	if err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}
