package main

import (
	"strings"
	"testing"
	"time"
)

// A bundle goes to the camera, and into the slots that are not in use; the board
// restarts into them, on trial. Who watches meanwhile misses nothing.
func TestUpdate(t *testing.T) {
	u := startUpdatable(t, "password")
	file, root := u.bundle("good", "lenslet-test", "2.0", "ours", 3<<20)
	out, _ := client(t, 2*time.Minute, u.ctl, "update", u.as(u.adminCredentials), file)
	for _, want := range []string{"sending 10", "sending 100 %", "installing 2.0", "the camera restarts into version 2.0, on trial"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	u.installed(root)
}
