package systemd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The trial's unit is one that systemd takes, and whatever goes wrong in it, on
// trial only, restarts the board.
func TestTrialUnit(t *testing.T) {
	dir := t.TempDir()
	daemon, file := filepath.Join(dir, "lensletd"), filepath.Join(dir, "lenslet-trial.service")
	text := strings.ReplaceAll(unit(t, "lenslet-trial.service"), "/usr/bin/lensletd", daemon)
	if err := os.WriteFile(daemon, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := analyze(t, "verify", file); out != "" {
		t.Errorf("systemd-analyze verify is not silent:\n%s", out)
	}
	analyze(t, "security", "--no-pager", "--offline=true", "--threshold=30", file)
	s := settings(t, "lenslet-trial.service")
	if !slices.Equal(s["FailureAction"], []string{"reboot"}) || s["TimeoutStartSec"] == nil || len(s["ExecCondition"]) != 1 {
		t.Error("a failed trial does not end in the system before, or one that is none restarts the board")
	}
	if !slices.Contains(s["After"], "lenslet.service") {
		t.Error("the trial does not wait for the camera")
	}
	if !slices.Contains(s["ReadWritePaths"], "-/var/lib/"+settings(t, "lenslet-update.service")["StateDirectory"][0]) {
		t.Error("the trial cannot leave its reason to the installer")
	}
}

// Nothing keeps the trial from its beginning: a unit whose dependency failed never
// becomes a failed one, and restarts nothing. What it needs it looks for by itself.
func TestTrialBegins(t *testing.T) {
	s := settings(t, "lenslet-trial.service")
	for key, values := range s {
		for _, start := range []string{"Requires", "Requisite", "BindsTo", "PartOf", "Assert", "DefaultDependencies", "StateDirectory"} {
			if strings.HasPrefix(key, start) {
				t.Errorf("%s=%q", key, values)
			}
		}
	}
	if c := s["ConditionPathExists"]; !slices.Equal(c, []string{"/proc/device-tree/chosen/bootloader/tryboot"}) {
		t.Errorf("ConditionPathExists=%q", c)
	}
	if mounts := s["ExecStartPre"]; !slices.Equal(mounts, []string{"/bin/mountpoint /boot/card", "/bin/mountpoint /data"}) {
		t.Errorf("ExecStartPre=%q", mounts)
	}
}
