//go:build image

package buildroot

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestUpdateIsSigned(t *testing.T) {
	b := build(t, "zero2w")
	bundle := filepath.Join(b.images, "update.raucb")
	info := run(t, nil, "rauc", "--keyring", b.keys+"/cert.pem", "--output-format=shell", "info", bundle)
	for _, want := range []string{
		"RAUC_MF_COMPATIBLE='lenslet-zero2w'", "RAUC_MF_VERSION='v1.2.3'", "RAUC_MF_IMAGES=2", "Verified inline signature",
	} {
		if !strings.Contains(info, want) {
			t.Errorf("no %q in what rauc says of the update:\n%s", want, info)
		}
	}
	other := filepath.Join(t.TempDir(), "keys")
	makeKeys(t, other)
	if out, err := exec.Command("rauc", "--keyring", other+"/cert.pem", "info", bundle).CombinedOutput(); err == nil {
		t.Errorf("another key takes the update:\n%s", out)
	}
}

// The version of a bundle is that of the lensletd in it, at every build: a camera
// installs by night what calls itself another version than its own.
func TestBundlesCallThemselvesAsTheirLensletd(t *testing.T) {
	dir := t.TempDir()
	tree, out := fakeTree(t, dir), filepath.Join(dir, "out")
	makeKeys(t, filepath.Join(dir, "keys"))
	for _, release := range []string{"v1", "v2"} {
		run(t, nil, "make", "-s", "BUILDROOT="+tree, "OUTPUT="+out, "KEYS="+dir+"/keys", "RELEASE="+release, "zerow")
	}
	const want = "defconfig v1\nlenslet-dirclean v1\nall v1\nlenslet-dirclean v2\nall v2\n"
	if said := read(t, filepath.Join(out, "zerow/said")); said != want {
		t.Errorf("Buildroot is told %q, want %q", said, want)
	}
	for file, name := range map[string]string{
		"package/lenslet/lenslet.mk":   "-X main.version=$(or $(LENSLET_RELEASE),devel)",
		"board/post-image.sh":          "s/@RELEASE@/${LENSLET_RELEASE:-devel}/",
		"board/rauc/manifest.raucm.in": "\nversion=@RELEASE@\n",
	} {
		if !strings.Contains(read(t, file), name) {
			t.Errorf("%s has no %q", file, name)
		}
	}
}

// fakeTree is a Buildroot that notes what it is told.
func fakeTree(t *testing.T, dir string) string {
	t.Helper()
	tree := filepath.Join(dir, "tree")
	for name, text := range map[string]string{
		"Config.in.legacy": "",
		"Makefile": "all lenslet-dirclean defconfig:\n\t@echo $@ $(LENSLET_RELEASE) >>$(O)/said\n" +
			"\t@[ $@ != defconfig ] || cp $(BR2_DEFCONFIG) $(O)/.config\n",
	} {
		if err := os.MkdirAll(tree, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// A model's configuration is made by its name, again when it is asked for again.
func TestConfigurationsHaveNames(t *testing.T) {
	dir := t.TempDir()
	tree := fakeTree(t, dir)
	help := run(t, nil, "make", "-s", "help")
	for _, model := range models() {
		name, file, want := "lenslet_"+model+"_defconfig", filepath.Join(dir, model, ".config"), ""
		for _, part := range parts(model) {
			want += read(t, part)
		}
		for range 2 {
			run(t, nil, "make", "-s", "BUILDROOT="+tree, "OUTPUT="+dir, "RELEASE=v1", name)
			if got := read(t, file); got != want {
				t.Errorf("%s is\n%s", name, got)
			}
			if err := os.WriteFile(file, []byte("changed\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.Contains(help, model) {
			t.Errorf("the help does not tell of %s:\n%s", model, help)
		}
	}
	if !strings.Contains(help, "lenslet_virt_defconfig") {
		t.Errorf("the help does not tell of configurations:\n%s", help)
	}
}

// One boot image serves both slots: its root follows.
func TestRootFollowsTheBootSlot(t *testing.T) {
	for slot, root := range map[string]string{"boot.0": "-05 ", "boot.1": "-06 "} {
		for _, file := range glob(t, "board/*/cmdline.txt") {
			was := read(t, file)
			if got := hook(t, slot, was, true); got != strings.Replace(was, "-05 ", root, 1) {
				t.Errorf("%s in slot %s becomes %q", file, slot, got)
			}
			if got := hook(t, slot, strings.Replace(was, "-05 ", "-06 ", 1), true); got != strings.Replace(was, "-05 ", root, 1) {
				t.Errorf("%s for slot B, in slot %s, becomes %q", file, slot, got)
			}
		}
	}
	// RAUC marks a slot bad when its hook fails.
	hook(t, "boot.2", read(t, "board/rpi/cmdline.txt"), false)
	hook(t, "boot.1", "root=/dev/mmcblk0p5 rootwait\n", false)
}

// hook is what a slot's command line becomes.
func hook(t *testing.T, slot, cmdline string, succeeds bool) string {
	t.Helper()
	dir := t.TempDir()
	file, program := filepath.Join(dir, "cmdline.txt"), filepath.Join(dir, "hook")
	for name, text := range map[string]string{file: cmdline, program: strings.Replace(read(t, "board/rauc/hook"), "@FILES@", "cmdline.txt", 1)} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := runHook(program, slot, dir); (err == nil) != succeeds {
		t.Errorf("the hook for slot %s and %q: %v\n%s", slot, cmdline, err, out)
	}
	return read(t, file)
}

// runHook does what RAUC does when it has written a boot slot, which is in dir.
func runHook(program, slot, dir string) (out []byte, err error) {
	cmd := exec.Command(program, "slot-post-install")
	cmd.Env = append(os.Environ(), "RAUC_SLOT_NAME="+slot, "RAUC_SLOT_MOUNT_POINT="+dir)
	return cmd.CombinedOutput()
}

// The hook in each model's update takes the boot slot that comes with it, and none
// without a file that the firmware starts with: that would hang on its trial.
func TestBootSlotIsWhole(t *testing.T) {
	for _, model := range models() {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			b := build(t, model)
			dir := filepath.Join(t.TempDir(), "bundle")
			run(t, nil, "rauc", "--keyring", b.keys+"/cert.pem", "extract", filepath.Join(b.images, "update.raucb"), dir)
			slot := t.TempDir()
			run(t, []string{"MTOOLS_SKIP_CHECK=1"}, "mcopy", "-s", "-i", filepath.Join(dir, "boot.vfat"), "::*", slot)
			if out, err := runHook(filepath.Join(dir, "hook"), "boot.1", slot); err != nil {
				t.Fatalf("the boot slot of the update is refused: %v\n%s", err, out)
			}
			for _, name := range map[string][]string{
				"zerow": {"kernel.img", "config.txt", "start_x.elf"}, "zero2w": {"kernel8.img", "config.txt", "start_x.elf"},
				"pi3": {"kernel8.img", "config.txt", "start_x.elf"}, "pi4": {"kernel8.img", "config.txt", "start4x.elf"},
				"pi5": {"kernel8.img", "config.txt"}, "virt": {"Image"},
			}[model] {
				file := filepath.Join(slot, name)
				run(t, nil, "mv", file, file+".away")
				for _, how := range []string{"without", "with an empty"} {
					if out, err := runHook(filepath.Join(dir, "hook"), "boot.1", slot); err == nil || !strings.Contains(string(out), "has no "+name) {
						t.Errorf("a boot slot %s %s: %v\n%s", how, name, err, out)
					}
					run(t, nil, "touch", file)
				}
				run(t, nil, "mv", file+".away", file)
			}
		})
	}
}

// What a build adds to the root for its model.
func TestRootKnowsItsModel(t *testing.T) {
	for _, model := range models() {
		root, env := target(t)
		kernel(t, env, model, "")
		run(t, env, "board/post-build.sh", root, model)
		for file, want := range map[string]string{
			"etc/rauc/system.conf": "\ncompatible=lenslet-" + model + "\n",
			"etc/rauc/keyring.pem": "certificate\n",
			"usr/lib/os-release":   "\nVERSION_ID=v1.2.3\n",
		} {
			if got := read(t, filepath.Join(root, file)); !strings.Contains(got, want) {
				t.Errorf("%s: %s has no %q:\n%s", model, file, want, got)
			}
		}
	}
	// The program that decides what boots, by the name that RAUC is told.
	backend := "board/overlay/usr/lib/lenslet/rauc-backend"
	if info, err := os.Stat(backend); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("%s is no program: %v", backend, err)
	}
	if !strings.Contains(read(t, "board/rauc/system.conf.in"), "bootloader-custom-backend=/usr/lib/lenslet/rauc-backend\n") {
		t.Error("RAUC is not told of it")
	}
}
