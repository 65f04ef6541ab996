//go:build !virt

package encoder

import (
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// The service is fed before each step against a stream that stands still, at the
// latest a fifth of WatchdogSec= before it: so the longest step ends in time.
func TestStepsAreShorterThanTheWatchdog(t *testing.T) {
	unit, err := os.ReadFile("../systemd/lenslet.service")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^WatchdogSec=(\d+)$`).FindSubmatch(unit)
	if m == nil {
		t.Fatal("no WatchdogSec= in lenslet.service")
	}
	seconds, _ := strconv.Atoi(string(m[1]))
	longest := stopLimit + 2*closeLimit + startLimit + 5*lateGrace
	if left := time.Duration(seconds) * time.Second * 4 / 5; longest >= left {
		t.Errorf("a step takes up to %v, and the watchdog waits for %v at least", longest, left)
	}
}
