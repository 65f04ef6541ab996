//go:build image

package buildroot

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

// What `systemd-analyze security` may call a service, 0 to 10: the one that the
// network speaks to, and those that run as root for a moment.
const (
	mostOfLenslet = 1.5
	mostOfOthers  = 3.0
)

// own are the units of the image that are ours: those of the folder systemd, and
// the image's.
func own(t *testing.T) []string {
	t.Helper()
	var units []string
	for _, pattern := range []string{"../systemd/*.", "board/overlay/usr/lib/systemd/system/*."} {
		for _, kind := range []string{"service", "socket", "timer", "path", "mount", "target"} {
			found, err := filepath.Glob(pattern + kind)
			if err != nil {
				t.Fatal(err)
			}
			units = append(units, found...)
		}
	}
	return units
}

// rootfs is enough of a root for systemd-analyze: this machine's units of
// systemd, ours, those of packages that ours change, and the programs that all
// these start. It returns the names of ours and those that they change.
func rootfs(t *testing.T) (root string, units []string) {
	t.Helper()
	root = t.TempDir()
	system := filepath.Join(root, "usr/lib/systemd/system")
	run(t, nil, "mkdir", "-p", filepath.Dir(system), root+"/usr/bin", root+"/etc/systemd/system")
	run(t, nil, "ln", "-s", "usr/bin", root+"/bin")
	run(t, nil, "ln", "-s", "usr/bin", root+"/sbin")
	run(t, nil, "ln", "-s", "usr/lib", root+"/lib")
	run(t, nil, "cp", "-a", "/usr/lib/systemd/system", system)
	run(t, nil, "cp", "-a", "board/overlay/.", root)
	for _, file := range own(t) {
		units = append(units, filepath.Base(file))
		run(t, nil, "cp", file, system)
	}
	for _, name := range []string{"dropbear.service", "rauc.service", "wpa_supplicant@.service"} {
		if err := os.WriteFile(filepath.Join(system, name), []byte("[Service]\nExecStart=/bin/"+name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		"lensletd", "lensletctl", "rauc", "curl", "dropbear.service", "rauc.service", "wpa_supplicant@.service", // packages of the image
		"sh", "mkdir", "kill", "test", "cp", "mount", "agetty", "systemctl", "modprobe", "iw", "mountpoint",
	} {
		if err := os.WriteFile(filepath.Join(root, "usr/bin", name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range units {
		if strings.Contains(read(t, filepath.Join(system, name)), "[Install]") {
			run(t, nil, "systemctl", "--root="+root, "enable", name)
		}
	}
	return root, append(units, "dropbear.service", "rauc.service", "wpa_supplicant@wlan0.service", "serial-getty@ttyAMA0.service")
}

// Silent is what no unknown key, missing program or ordering cycle is.
func TestUnitsVerify(t *testing.T) {
	root, units := rootfs(t)
	for _, name := range units {
		cmd := exec.Command("systemd-analyze", "verify", "--man=no", "--root="+root, name)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("systemd-analyze verify %s: %v\n%s", name, err, out)
		}
	}
}

func TestServicesAreConfined(t *testing.T) {
	root, units := rootfs(t)
	level := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)
	count := 0
	for _, file := range own(t) {
		name := filepath.Base(file)
		if !strings.HasSuffix(name, ".service") {
			continue
		}
		count++
		out := run(t, []string{"SYSTEMD_COLORS=0"}, "systemd-analyze", "security", "--no-pager", "--offline=true", "--root="+root, name)
		m := level.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no exposure level in:\n%s", out)
		}
		most := mostOfOthers
		if name == "lenslet.service" {
			most = mostOfLenslet
		}
		if is, err := strconv.ParseFloat(m[1], 64); err != nil || is > most {
			t.Errorf("exposure level of %s is %s, want %.1f or less:\n%s", name, m[1], most, out)
		}
	}
	if count < 2 {
		t.Errorf("%d services of %q", count, units)
	}
}

// The hardware brings a hung system back, and without a key there is no SSH.
func TestImageIsLockedAndWatched(t *testing.T) {
	overlay := "board/overlay/usr/lib/systemd/"
	for file, want := range map[string]string{
		overlay + "system.conf.d/10-lenslet.conf":               "\nRuntimeWatchdogSec=30s\nRebootWatchdogSec=2min\n",
		overlay + "system/dropbear.service.d/lenslet.conf":      "\nConditionPathExists=/data/system/authorized_keys\n",
		"board/overlay/etc/default/dropbear":                    "DROPBEAR_ARGS=\"-s\"\n",
		overlay + "network/80-lenslet-wired.network":            "\nDHCP=yes\nLinkLocalAddressing=yes\n",
		overlay + "network/80-lenslet-wlan.network":             "\nDHCP=yes\nLinkLocalAddressing=yes\n",
		overlay + "system/boot-card.mount":                      "\nOptions=ro,",
		overlay + "system/rauc.service.d/lenslet.conf":          "\nNice=10\nIOSchedulingClass=idle\n",
		"configs/common.config":                                 "\n# BR2_TARGET_ENABLE_ROOT_LOGIN is not set\n",
		"board/linux/rpi.fragment":                              "\nCONFIG_BCM2835_WDT=y\n",
		"board/rpi/config.txt":                                  "\nkernel_watchdog_timeout=15\n",
		overlay + "system/serial-getty@.service.d/lenslet.conf": " --autologin root ",
	} {
		if text := read(t, file); !strings.Contains(text, want) {
			t.Errorf("%s has no %q:\n%s", file, want, text)
		}
	}
	for _, file := range glob(t, "board/*/cmdline.txt") {
		words := strings.Fields(read(t, file))
		for _, want := range []string{"ro", "rootfstype=squashfs", "panic=10", "watchdog.open_timeout=60"} {
			if !slices.Contains(words, want) {
				t.Errorf("%s has no %s", file, want)
			}
		}
	}
}

// When starting the daemon anew does not help, the board is; as root, since the
// daemon's user may not, and for that exit status alone.
func TestImageReboots(t *testing.T) {
	_, command, _ := strings.Cut(read(t, "board/overlay/usr/lib/systemd/system/lenslet.service.d/image.conf"), "\nExecStopPost=+-/bin/sh -c '")
	script, _, ok := strings.Cut(command, "'\n")
	if !ok {
		t.Fatal("image.conf has no ExecStopPost=")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\necho \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for status, want := range map[string]string{"77": "--no-block reboot\n", "0": "", "2": "", "ABRT": "", "7": ""} {
		cmd := exec.Command("/bin/sh", "-c", strings.ReplaceAll(script, "$$", "$"))
		cmd.Env = []string{"PATH=" + dir, "EXIT_STATUS=" + status}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("exit status %s: %q, %v", status, out, err)
		}
	}
}

// shellcheck is silent on every script of the repository.
func TestScripts(t *testing.T) {
	var scripts []string
	for file := range strings.Lines(run(t, nil, "git", "-C", "..", "ls-files", "--cached", "--others", "--exclude-standard")) {
		file = filepath.Join("..", strings.TrimSpace(file))
		info, err := os.Lstat(file)
		if err != nil || !info.Mode().IsRegular() || info.Size() > mib {
			continue
		}
		first, _, _ := strings.Cut(read(t, file), "\n")
		if regexp.MustCompile(`^#!.*[/ ](ba|da)?sh\b`).MatchString(first) {
			scripts = append(scripts, file)
		}
	}
	if len(scripts) < 10 {
		t.Fatalf("these are all scripts: %q", scripts)
	}
	run(t, nil, "shellcheck", scripts...)
}
