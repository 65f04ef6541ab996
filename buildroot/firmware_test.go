//go:build image

package buildroot

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// filters are those of config.txt that boards of a model pass (raspberrypi.com,
// "config.txt", model filters).
func filters(model string) []string {
	return map[string][]string{
		"zerow":  {"all", "pi0", "pi0w"},
		"zero2w": {"all", "pi0", "pi0w", "pi02"},
		"pi3":    {"all", "pi3", "pi3+", "cm3"},
		"pi4":    {"all", "pi4", "pi400", "cm4", "cm4s"},
		"pi5":    {"all", "pi5", "pi500", "cm5"},
	}[model]
}

// firmwareSettings are what a model's firmware is told: each NAME=VALUE, in order.
func firmwareSettings(t *testing.T, model string) (all []string) {
	t.Helper()
	passed := true
	for line := range strings.Lines(read(t, "board/rpi/config.txt")) {
		if line = strings.TrimSpace(line); len(line) > 98 { // what is behind is not read
			t.Errorf("config.txt: %q is too long", line)
		}
		switch name, ok := strings.CutPrefix(line, "["); {
		case line == "", strings.HasPrefix(line, "#"):
		case ok:
			passed = slices.Contains(filters(model), strings.TrimSuffix(name, "]"))
		case passed:
			all = append(all, line)
		}
	}
	return all
}

// The firmware with encoder and camera is what gives a picture, and memory for it:
// less than 32 MB would load the one that has neither.
func TestFirmwareIsTold(t *testing.T) {
	for _, model := range models() {
		if model == "virt" {
			continue
		}
		is := firmwareSettings(t, model)
		want := []string{"start_x=1", "disable_splash=1", "enable_uart=1", "kernel_watchdog_timeout=15"}
		switch model {
		case "zero2w", "pi3", "pi4":
			want = append(want, "arm_64bit=1")
		}
		switch model { // the smaller ones have less than they need otherwise, 64 MB
		case "zerow", "zero2w":
			want = append(want, "dtoverlay=cma,cma-96")
		case "pi4":
			want = append(want, "dtoverlay=cma,cma-256", "otg_mode=1")
		}
		for _, line := range want {
			if !slices.Contains(is, line) {
				t.Errorf("%s: the firmware is not told %s: %q", model, line, is)
			}
		}
		memory := 0
		for i, line := range is {
			name, text, _ := strings.Cut(line, "=")
			if n, err := strconv.Atoi(text); name == "gpu_mem" && err == nil {
				memory = n
			}
			// It has its own idea of the kernel, by name, and the sensors are not raw ones.
			if slices.Contains([]string{"kernel", "os_prefix", "initramfs", "cmdline", "camera_auto_detect", "start_file"}, name) || slices.Contains(is[:i], line) {
				t.Errorf("%s: the firmware is told %s", model, line)
			}
		}
		if memory < 128 {
			t.Errorf("%s: the firmware is given %d MB", model, memory)
		}
		overlays := value(configuration(t, model), "BR2_PACKAGE_RPI_FIRMWARE_INSTALL_DTB_OVERLAYS")
		if overlays != "y" && strings.Contains(strings.Join(is, " "), "dtoverlay=") {
			t.Errorf("%s: the boot slot has no overlays", model)
		}
	}
	for _, file := range glob(t, "board/*/cmdline.txt") {
		if text := read(t, file); strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
			t.Errorf("%s is not one line", file)
		}
	}
	if words := strings.Fields(read(t, "board/rpi/cmdline.txt")); !slices.Contains(words, "rootwait") || !slices.Contains(words, "console=serial0,115200") {
		t.Errorf("the Pi's kernel is told %q", words)
	}
}
