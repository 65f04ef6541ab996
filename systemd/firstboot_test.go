package systemd

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const firstBoot = "lenslet-firstboot.service"

// installedFirstBoot copies the unit to where the program that it starts exists.
func installedFirstBoot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	daemon := filepath.Join(dir, "lensletd")
	if err := os.WriteFile(daemon, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, firstBoot)
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(unit(t, firstBoot), "/usr/bin/lensletd", daemon)), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestFirstBootVerifies(t *testing.T) {
	if out := analyze(t, "verify", installedFirstBoot(t)); out != "" {
		t.Errorf("systemd-analyze verify is not silent:\n%s", out)
	}
}

// It mounts, and gives the computer its name: CAP_SYS_ADMIN has its price.
func TestFirstBootExposure(t *testing.T) {
	const most = 3.5
	out := analyze(t, "security", "--no-pager", "--offline=true", installedFirstBoot(t))
	m := regexp.MustCompile(`Overall exposure level for lenslet-firstboot\.service: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no exposure level in:\n%s", out)
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > most {
		t.Errorf("exposure level %s, want %.1f or less:\n%s", m[1], most, out)
	}
}

// What it makes is there before those begin that need it.
func TestFirstBootComesFirst(t *testing.T) {
	s := settings(t, firstBoot)
	before := strings.Fields(strings.Join(s["Before"], " "))
	for _, name := range []string{"network-pre.target", "wpa_supplicant@wlan0.service", "sshd.service", "lenslet.service"} {
		if !slices.Contains(before, name) {
			t.Errorf("not before %s", name)
		}
	}
	if !slices.Equal(s["Type"], []string{"oneshot"}) || s["Requires"] != nil || s["ProtectHostname"] != nil {
		t.Error("it ends before the others begin, needs no card, and names the computer")
	}
}

// Files, devices, the mount and the name.
func TestFirstBootLetsSystemCallsThrough(t *testing.T) {
	allowed := map[string]bool{}
	for _, filter := range settings(t, firstBoot)["SystemCallFilter"] {
		names, deny := strings.CutPrefix(filter, "~")
		syscalls(t, allowed, !deny, strings.Fields(names)...)
	}
	syscalls(t, allowed, true, "@default") // always let through, systemd.exec(5)
	for _, name := range strings.Fields("mount sethostname statfs statfs64 fsync fchown fchown32 fchmod fchmodat renameat unlinkat mkdirat pwrite64 getrandom ioctl poll mmap munmap clone futex") {
		if !allowed[name] {
			t.Errorf("%s is refused", name)
		}
	}
	for _, name := range []string{"ptrace", "bpf", "reboot", "init_module", "clock_settime", "io_uring_setup", "swapon"} {
		if allowed[name] {
			t.Errorf("%s is let through", name)
		}
	}
}
