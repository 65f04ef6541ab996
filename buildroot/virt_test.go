//go:build image

package buildroot

import (
	"bufio"
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// On QEMU a script of U-Boot's plays the Pi's firmware: the flag of one restart
// boots the other slot, here an empty one, and after that the usual one, with the
// root that its command line names.
func TestVirtPlaysTheFirmware(t *testing.T) {
	b := build(t, "virt")
	image := filepath.Join(b.images, "sdcard.img")
	disk := open(t, image)
	_, parts, err := table(disk)
	if err != nil {
		t.Fatal(err)
	}
	flag := filepath.Join(t.TempDir(), "tryboot.flg")
	run(t, nil, "cp", "board/card/autoboot.txt", flag)
	run(t, []string{"MTOOLS_SKIP_CHECK=1"}, "mcopy", "-i", at(image, parts[0].start), flag, "::tryboot.flg")
	want := []string{
		"partition 3, tryboot 1", "partition 3 does not boot", "partition 2, tryboot 0",
		strings.TrimSpace(read(t, "board/virt/cmdline.txt")),
	}
	if got := firmwareSays(t, image, len(want)); !slices.Equal(got, want) {
		t.Errorf("the firmware says %q, want %q", got, want)
	}
	if card := names(t, image, parts[0].start); slices.Contains(card, "tryboot.flg") {
		t.Errorf("the flag is still there: %q", card)
	}
}

// firmwareSays boots a disk, and gives the first n lines of the script.
func firmwareSays(t *testing.T, image string, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "512",
		"-nographic", "-nodefaults", "-serial", "stdio", "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
		"-drive", "if=none,id=d,format=raw,file="+image, "-device", "virtio-blk-device,drive=d")
	console, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for scan := bufio.NewScanner(console); len(lines) < n && scan.Scan(); {
		if _, text, ok := strings.Cut(scan.Text(), "firmware: "); ok {
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	cancel()
	_ = cmd.Wait() // killed
	return lines
}
