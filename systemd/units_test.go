package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// analyze runs systemd-analyze, of Debian's package systemd.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// installed copies the units to where the program that they start exists.
func installed(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	daemon := filepath.Join(dir, "lensletd")
	if err := os.WriteFile(daemon, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range units() {
		text := strings.ReplaceAll(unit(t, name), "/usr/bin/lensletd", daemon)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func units() []string {
	return []string{"lenslet.service", "lenslet.socket", "lenslet-update.service", "lenslet-update.path", "lenslet-update.timer"}
}

func unit(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settings are a unit's values by key, in order.
func settings(t *testing.T, name string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for line := range strings.Lines(unit(t, name)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[key] = append(all[key], value)
		}
	}
	return all
}

func TestUnitsVerify(t *testing.T) {
	args, dir := []string{"verify"}, installed(t)
	for _, name := range units() {
		args = append(args, filepath.Join(dir, name))
	}
	if out := analyze(t, args...); out != "" {
		t.Errorf("systemd-analyze verify is not silent:\n%s", out)
	}
}

func TestServiceExposure(t *testing.T) {
	dir := installed(t)
	// The one is for whoever the network sends; the other is root's, but asks others
	// for what it needs.
	for name, most := range map[string]float64{"lenslet.service": 1.5, "lenslet-update.service": 3} {
		out := analyze(t, "security", "--no-pager", "--offline=true", filepath.Join(dir, name))
		m := regexp.MustCompile(`Overall exposure level for ` + name + `: ([0-9.]+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no exposure level in:\n%s", out)
		}
		if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > most {
			t.Errorf("exposure level of %s %s, want %.1f or less:\n%s", name, m[1], most, out)
		}
	}
}

// What the sandbox must leave open, or there is no stream.
func TestServiceLeavesOpen(t *testing.T) {
	s := settings(t, "lenslet.service")
	if !slices.Contains(s["DeviceAllow"], "char-video4linux rw") || s["PrivateDevices"] != nil {
		t.Error("cameras and codecs cannot be opened")
	}
	if before := "modprobe@videodev.service"; !slices.Contains(s["Wants"], before) || !slices.Contains(s["After"], before) {
		t.Error("a camera that comes first after the service has started cannot be opened")
	}
	if !slices.Contains(s["SupplementaryGroups"], "video") {
		t.Error("the device nodes belong to the group video")
	}
	for _, family := range []string{"AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX"} {
		if !slices.Contains(strings.Fields(s["RestrictAddressFamilies"][0]), family) {
			t.Errorf("%s cannot be used", family)
		}
	}
	// A user namespace holds no capability over the host's ports.
	if s["PrivateUsers"][0] == "yes" && !slices.Contains(s["Requires"], "lenslet.socket") {
		t.Error("nobody opens port 554")
	}
	if ports := settings(t, "lenslet.socket")["ListenStream"]; !slices.Equal(ports, []string{"554"}) {
		t.Errorf("lenslet.socket opens %q, want 554", ports)
	}
}

func TestServiceNeverEnds(t *testing.T) {
	s := settings(t, "lenslet.service")
	for key, want := range map[string]string{
		"Type": "notify", "NotifyAccess": "main", "Restart": "always", "StartLimitIntervalSec": "0",
		"DynamicUser": "yes", "StateDirectory": "lenslet", "ConfigurationDirectory": "lenslet",
	} {
		if !slices.Equal(s[key], []string{want}) {
			t.Errorf("%s=%q, want %s", key, s[key], want)
		}
	}
	if s["WatchdogSec"] == nil || s["RestartPreventExitStatus"] != nil {
		t.Error("a daemon that hangs or crashes must be started again")
	}
}

// A computer that has other things to do is never started anew; that is for an image
// that has not.
func TestServiceDoesNotReboot(t *testing.T) {
	if s := settings(t, "lenslet.service"); s["ExecStopPost"] != nil || s["FailureAction"] != nil || s["StartLimitAction"] != nil || s["SuccessAction"] != nil {
		t.Error("lenslet.service has a say in whether the computer runs")
	}
	if limit := settings(t, "lenslet.socket")["TriggerLimitIntervalSec"]; !slices.Equal(limit, []string{"0"}) {
		t.Error("viewers that wait while the daemon fails to start would end the socket")
	}
}

// The activity LED's trigger is all of sysfs that the daemon may write, and no
// other way leads to the firmware.
func TestServiceLightsTheLED(t *testing.T) {
	s := settings(t, "lenslet.service")
	command := s["ExecStartPre"]
	if len(command) != 1 || !strings.HasPrefix(command[0], "+-/bin/sh -c '") {
		t.Fatalf("ExecStartPre=%q", command)
	}
	script := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(command[0], "+-/bin/sh -c '"), "'"), "$$", "$")
	dir := t.TempDir()
	leds := filepath.Join(dir, "leds")
	for name, tool := range map[string]string{"bin/chgrp": "chgrp", "bin/chmod": "chmod", "leds/ACT/trigger": "", "leds/PWR/trigger": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho "+tool+" \"$@\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("/bin/sh", "-c", strings.ReplaceAll(script, "/sys/class/leds", leds))
	cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin")}
	file := filepath.Join(leds, "ACT/trigger")
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "chgrp video "+file+"\nchmod g+w "+file+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	if got := s["ReadWritePaths"]; !slices.Equal(got, []string{"-/sys/class/leds/ACT -/sys/class/leds/led0"}) {
		t.Errorf("ReadWritePaths=%q", got)
	}
	if slices.ContainsFunc(s["DeviceAllow"], func(d string) bool { return strings.Contains(d, "vcio") }) {
		t.Error("the firmware takes orders")
	}
}

// syscalls expands sets as the service manager does: a name with '@' is a set.
func syscalls(t *testing.T, into map[string]bool, on bool, names ...string) {
	t.Helper()
	for _, name := range names {
		if !strings.HasPrefix(name, "@") {
			into[name] = on
			continue
		}
		lines := strings.Split(strings.TrimSpace(analyze(t, "syscall-filter", "--no-pager", name)), "\n")
		for _, line := range lines[1:] {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				syscalls(t, into, on, line)
			}
		}
	}
}

// The calls of the Go runtime, of the network, and of V4L2, on the
// architectures of the boards.
func TestServiceLetsSystemCallsThrough(t *testing.T) {
	allowed := map[string]bool{}
	for _, filter := range settings(t, "lenslet.service")["SystemCallFilter"] {
		names, deny := strings.CutPrefix(filter, "~")
		syscalls(t, allowed, !deny, strings.Fields(names)...)
	}
	syscalls(t, allowed, true, "@default") // always let through, systemd.exec(5)
	needed := map[string]string{
		"runtime": "clone clone3 futex futex_time64 mmap mmap2 mprotect munmap madvise sigaltstack rt_sigaction rt_sigprocmask " +
			"sigreturn rt_sigreturn tgkill tkill gettid getpid sched_getaffinity sched_yield prctl arch_prctl getrandom nanosleep " +
			"clock_gettime clock_gettime64 exit exit_group getrlimit ugetrlimit prlimit64 uname set_robust_list rseq set_tid_address " +
			"timer_create timer_settime timer_delete setitimer brk",
		"files": "openat open read write pread64 pwrite64 close fstat fstat64 newfstatat fstatat64 statx lseek _llseek getdents64 readlinkat " +
			"fcntl fcntl64 dup dup3 pipe2 renameat renameat2 unlinkat mkdirat fsync fdatasync ftruncate fchmodat flock",
		"network": "socket bind listen accept4 connect getsockname getpeername setsockopt getsockopt sendto recvfrom sendmsg sendmmsg " +
			"recvmsg recvmmsg recvmmsg_time64 shutdown writev readv splice sendfile epoll_create1 epoll_ctl epoll_pwait epoll_wait",
		"devices": "ioctl poll ppoll ppoll_time64 eventfd2 memfd_create",
	}
	for part, names := range needed {
		for _, name := range strings.Fields(names) {
			if !allowed[name] {
				t.Errorf("%s: %s is refused", part, name)
			}
		}
	}
	for _, name := range []string{"ptrace", "bpf", "mount", "reboot", "init_module", "setuid", "chown", "clock_settime", "io_uring_setup", "swapon"} {
		if allowed[name] {
			t.Errorf("%s is let through", name)
		}
	}
}

// The one writes what the other one waits for, and neither is kept from its folder.
func TestUpdateUnitsBelongTogether(t *testing.T) {
	s, state := settings(t, "lenslet-update.service"), "/var/lib/"+settings(t, "lenslet.service")["StateDirectory"][0]
	if path := settings(t, "lenslet-update.path")["PathExists"]; !slices.Equal(path, []string{state + "/update/received.raucb"}) {
		t.Errorf("PathExists=%q", path)
	}
	if !strings.HasSuffix(s["ExecStart"][0], " -received "+state+"/update") || !slices.Contains(strings.Fields(s["ReadWritePaths"][0]), "-"+state) {
		t.Errorf("ExecStart=%q, ReadWritePaths=%q", s["ExecStart"], s["ReadWritePaths"])
	}
	// A version on trial must not overwrite the one that it would fall back to.
	if after := strings.Join(s["After"], " "); !strings.Contains(after, "lenslet-trial.service") || s["Type"][0] != "oneshot" {
		t.Errorf("After=%s, Type=%s", after, s["Type"])
	}
	if s["StateDirectory"][0] != "lenslet-update" || s["StateDirectoryMode"][0] != "0755" || s["UMask"][0] != "0022" {
		t.Error("lensletd cannot read how far it is")
	}
	// Once in the hour of the configuration, whichever that is.
	timer := settings(t, "lenslet-update.timer")
	if !slices.Equal(timer["OnCalendar"], []string{"hourly"}) || !slices.Equal(timer["RandomizedDelaySec"], []string{"50min"}) {
		t.Errorf("OnCalendar=%s, RandomizedDelaySec=%s", timer["OnCalendar"], timer["RandomizedDelaySec"])
	}
}
