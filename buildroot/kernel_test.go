//go:build image

package buildroot

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fragments are what a model's kernel is told on top of its own configuration:
// values by the options' names.
func fragments(t *testing.T, model string) map[string]string {
	t.Helper()
	all := map[string]string{}
	option := regexp.MustCompile(`^(CONFIG_[A-Z0-9_]+)=([ym])$`)
	for _, file := range strings.Fields(value(configuration(t, model), "BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES")) {
		name, ours := strings.CutPrefix(file, external)
		if !ours {
			continue
		}
		for line := range strings.Lines(read(t, name)) {
			line = strings.TrimSuffix(line, "\n")
			m := option.FindStringSubmatch(line)
			switch {
			case strings.HasPrefix(line, "#"):
			case m == nil:
				t.Errorf("%s: %q is no line of a kernel's configuration", name, line)
			case all[m[1]] != "":
				t.Errorf("%s: %s is there twice", name, m[1])
			default:
				all[m[1]] = m[2]
			}
		}
	}
	return all
}

// What the image does is in its kernels; what it needs before a module can be read,
// not as a module.
func TestKernelsHaveWhatTheImageUses(t *testing.T) {
	const raspberryPi = "CFG80211=m BRCMFMAC=m BRCMFMAC_SDIO LEDS_GPIO BCM2835_WDT USB_VIDEO_CLASS=m " +
		"VIDEO_CODEC_BCM2835=m VIDEO_ISP_BCM2835=m VIDEO_BCM2835=m"
	for _, model := range models() {
		uses := map[string]string{
			"the root":                "SQUASHFS MSDOS_PARTITION",
			"RAUC's verity bundles":   "SQUASHFS BLK_DEV_LOOP BLK_DEV_DM DM_VERITY CRYPTO_SHA256",
			"the card":                "VFAT_FS NLS_CODEPAGE_437 NLS_ASCII NLS_ISO8859_1", // FAT_DEFAULT_IOCHARSET
			"the data":                "EXT4_FS",
			"the services' sandboxes": "USER_NS BPF_SYSCALL CGROUP_BPF SECCOMP_FILTER",
			"the hardware's watchdog": "WATCHDOG_HANDLE_BOOT_ENABLED",
		}
		if model == "virt" {
			uses["the board"] = "I6300ESB_WDT"
		} else {
			uses["the board"] = raspberryPi
		}
		for _, m := range regexp.MustCompile(`(?m)^BR2_TARGET_ROOTFS_SQUASHFS4_(\w+)=y$`).FindAllStringSubmatch(read(t, "configs/common.config"), -1) {
			uses["the root's compression"] = "SQUASHFS_" + m[1]
		}
		// A sandbox lets devices through whose names the kernel knows when it begins.
		known := map[string]string{"char-video4linux": "VIDEO_DEV", "char-media": "MEDIA_SUPPORT", "char-dma_heap": "DMABUF_HEAPS"}
		for _, m := range regexp.MustCompile(`(?m)^DeviceAllow=(\S+) `).FindAllStringSubmatch(read(t, "../systemd/lenslet.service"), -1) {
			uses["the device "+m[1]] = known[m[1]]
		}
		is := fragments(t, model)
		if len(uses) < 10 {
			t.Fatalf("%q", uses)
		}
		for use, options := range uses {
			if options == "" {
				t.Errorf("what %s needs of the kernel is not known", use)
			}
			for _, option := range strings.Fields(options) {
				name, want, ok := strings.Cut(option, "=")
				if !ok {
					want = "y"
				}
				if got := is["CONFIG_"+name]; got != want {
					t.Errorf("%s: %s needs CONFIG_%s=%s, and is given %q", model, use, name, want, got)
				}
			}
		}
	}
}

// The activity LED shows by the kernel's triggers what package board has it show.
func TestKernelsHaveTheLEDsTriggers(t *testing.T) {
	m := regexp.MustCompile(`\[\.\.\.\]string\{(.*)\}\[s\]`).FindStringSubmatch(read(t, "../board/led.go"))
	if m == nil {
		t.Fatal("board/led.go has no table of triggers")
	}
	triggers := strings.Split(m[1], ", ")
	for _, trigger := range triggers {
		name := "CONFIG_LEDS_TRIGGER_" + strings.ToUpper(strings.ReplaceAll(strings.Trim(trigger, `"`), "-", "_"))
		if is := fragments(t, "zerow"); is[name] != "y" || is["CONFIG_LEDS_TRIGGERS"] != "y" {
			t.Errorf("the kernel has no %s", name)
		}
	}
	if len(triggers) != 3 {
		t.Errorf("the triggers are %q", triggers)
	}
}

// target is a root to be filled, and the environment of who fills it.
func target(t *testing.T) (root string, env []string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"root/usr/lib", "keys", "build"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "keys/cert.pem"), []byte("certificate\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "root"), []string{"LENSLET_KEYS=" + dir + "/keys", "LENSLET_RELEASE=v1.2.3", "BUILD_DIR=" + dir + "/build"}
}

// kernel puts the configuration of one there, which became what it was told but for
// one option.
func kernel(t *testing.T, env []string, model, without string) {
	t.Helper()
	dir := filepath.Join(strings.TrimPrefix(env[2], "BUILD_DIR="), "linux-custom")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for name, value := range fragments(t, model) {
		if name == without {
			lines = append(lines, "# "+name+" is not set")
			continue
		}
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	if err := os.WriteFile(filepath.Join(dir, ".config"), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A build ends where Kconfig dropped what a kernel was told.
func TestBuildWantsTheKernelItAskedFor(t *testing.T) {
	for model, without := range map[string]string{"zerow": "CONFIG_VIDEO_CODEC_BCM2835", "virt": "CONFIG_SQUASHFS_ZSTD", "pi5": "CONFIG_CFG80211"} {
		root, env := target(t)
		kernel(t, env, model, without)
		cmd := exec.Command("board/post-build.sh", root, model)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "the kernel has no "+without+"=") {
			t.Errorf("%s without %s: %v\n%s", model, without, err, out)
		}
	}
}
