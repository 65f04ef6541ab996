//go:build image

package buildroot

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// diskSignature of every disk; partition N is PARTUUID 4c4e534c-0N.
const diskSignature = 0x4c4e534c

// built is what board/post-image.sh made for a model, of dummies.
type built struct {
	model, images, keys string
}

// build runs it with what Buildroot would have built: files of their names, and
// of the contents that count.
func build(t *testing.T, model string) built {
	t.Helper()
	dir := t.TempDir()
	b := built{model, filepath.Join(dir, "images"), filepath.Join(dir, "keys")}
	for name, content := range dummies(t, model) {
		file := filepath.Join(b.images, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "mksquashfs", root, filepath.Join(b.images, "rootfs.squashfs"), "-quiet", "-no-progress")
	makeKeys(t, b.keys)
	run(t, []string{"LENSLET_KEYS=" + b.keys, "LENSLET_RELEASE=v1.2.3"}, "board/post-image.sh", b.images, model)
	return b
}

// makeKeys does what the first build does.
func makeKeys(t *testing.T, dir string) {
	t.Helper()
	run(t, nil, "make", "-s", "KEYS="+dir, dir+"/cert.pem")
}

// dummies are the files of a build, without the root.
func dummies(t *testing.T, model string) map[string][]byte {
	t.Helper()
	kernel := map[string]string{"zerow": "zImage"}[model]
	if kernel == "" {
		kernel = "Image"
	}
	files := map[string][]byte{kernel: bytes.Repeat([]byte("kernel"), 1<<20)}
	if model == "virt" {
		script := filepath.Join(t.TempDir(), "boot.scr") // as Buildroot's host-uboot-tools do
		run(t, nil, "mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-d", "board/virt/boot.cmd", script)
		files["boot.scr"] = []byte(read(t, script))
		return files
	}
	config := configuration(t, model)
	for _, name := range strings.Fields(value(config, "BR2_LINUX_KERNEL_INTREE_DTS_NAME")) {
		files[filepath.Base(name)+".dtb"] = []byte("device tree")
	}
	for name, option := range map[string]string{
		"bootcode.bin": "BOOTCODE_BIN", "start.elf": "VARIANT_PI", "start_x.elf": "VARIANT_PI_X",
		"start4.elf": "VARIANT_PI4", "start4x.elf": "VARIANT_PI4_X",
	} {
		if value(config, "BR2_PACKAGE_RPI_FIRMWARE_"+option) == "y" {
			files["rpi-firmware/"+name] = bytes.Repeat([]byte("firmware"), 1<<18)
		}
	}
	files["rpi-firmware/overlays/disable-bt.dtbo"] = []byte("overlay")
	for name, option := range map[string]string{"config.txt": "CONFIG_FILE", "cmdline.txt": "CMDLINE_FILE"} {
		file := value(config, "BR2_PACKAGE_RPI_FIRMWARE_"+option)
		files["rpi-firmware/"+name] = []byte(read(t, strings.TrimPrefix(file, external)))
	}
	return files
}

// at is a file system in an image, in the words of mtools.
func at(image string, offset int64) string { return fmt.Sprintf("%s@@%d", image, offset) }

// names lists a folder of the FAT file system in an image, or in a partition of it.
func names(t *testing.T, image string, offset int64) []string {
	t.Helper()
	var all []string
	for _, name := range strings.Fields(run(t, []string{"MTOOLS_SKIP_CHECK=1"}, "mdir", "-b", "-i", at(image, offset), "::")) {
		all = append(all, strings.TrimPrefix(name, "::/"))
	}
	slices.Sort(all)
	return all
}

// text is a file in there.
func text(t *testing.T, image string, offset int64, name string) string {
	t.Helper()
	return run(t, []string{"MTOOLS_SKIP_CHECK=1"}, "mtype", "-i", at(image, offset), "::"+name)
}

func TestLayout(t *testing.T) {
	for _, model := range models() {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			b := build(t, model)
			disk := open(t, filepath.Join(b.images, "sdcard.img"))
			signature, parts, err := table(disk)
			if err != nil || signature != diskSignature {
				t.Fatalf("disk signature %08x, want %08x: %v", signature, diskSignature, err)
			}
			checkTable(t, parts)
			info, err := disk.Stat()
			if err != nil || info.Size() > 1900*1000*1000 {
				t.Errorf("a card of 2 GB is too small for %d bytes (%v)", info.Size(), err)
			}
			for _, p := range parts[:2] {
				if kind, size := fatType(t, disk, p.start); kind != 16 || size != p.size {
					t.Errorf("partition %d has FAT%d of %d bytes, want FAT16 of %d", p.number, kind, size, p.size)
				}
			}
			if magic := bytesAt(t, disk, parts[4].start, 4); string(magic) != "hsqs" {
				t.Errorf("root A begins with %q", magic)
			}
			if magic := binary.LittleEndian.Uint16(bytesAt(t, disk, parts[6].start+1024+56, 2)); magic != 0xef53 {
				t.Errorf("the data partition's magic number is %04x", magic)
			}
			checkFiles(t, b, parts)
		})
	}
}

// checkTable wants the layout that firmware and lensletd know.
func checkTable(t *testing.T, parts []partition) {
	t.Helper()
	want := []partition{
		{number: 1, kind: 0x0c, active: true, size: 256 * mib},
		{number: 2, kind: 0x0c, size: 64 * mib},
		{number: 3, kind: 0x0c, size: 64 * mib},
		{number: 4, kind: 0x0f},
		{number: 5, kind: 0x83, size: 256 * mib},
		{number: 6, kind: 0x83, size: 256 * mib},
		{number: 7, kind: 0x83, size: 512 * mib},
	}
	if len(parts) != len(want) {
		t.Fatalf("%d partitions, want %d: %+v", len(parts), len(want), parts)
	}
	end := int64(sector)
	for i, p := range parts {
		if p.start < end || p.start%mib != 0 {
			t.Errorf("partition %d begins at %d, after %d", p.number, p.start, end)
		}
		if p.number != 4 { // the others are inside of that
			end = p.start + p.size
		}
		w := want[i]
		if w.start = p.start; w.size == 0 {
			w.size = p.size
		}
		if p != w {
			t.Errorf("partition %d is %+v, want %+v", w.number, p, w)
		}
	}
	if last, outer := parts[6], parts[3]; last.start+last.size > outer.start+outer.size {
		t.Errorf("the data partition ends at %d, its extended one at %d", last.start+last.size, outer.start+outer.size)
	}
}

// checkFiles wants what the model's firmware looks for in selector and boot slot.
func checkFiles(t *testing.T, b built, parts []partition) {
	t.Helper()
	image := filepath.Join(b.images, "sdcard.img")
	card, boot := []string{"README.txt", "autoboot.txt"}, []string{"cmdline.txt"}
	switch b.model {
	case "zerow", "zero2w", "pi3":
		card = append(card, "bootcode.bin", "config.txt")
		boot = append(boot, "bootcode.bin", "start.elf", "start_x.elf")
	case "pi4":
		boot = append(boot, "start4.elf", "start4x.elf")
	case "virt":
		card, boot = append(card, "boot.scr"), append(boot, "Image")
	}
	if b.model != "virt" {
		boot = append(boot, "config.txt", map[bool]string{true: "kernel.img", false: "kernel8.img"}[b.model == "zerow"], "overlays/")
		for _, dtb := range glob(t, b.images+"/*.dtb") {
			boot = append(boot, filepath.Base(dtb))
		}
	}
	slices.Sort(card)
	slices.Sort(boot)
	if got := names(t, image, parts[0].start); !slices.Equal(got, card) {
		t.Errorf("the selector has %q, want %q", got, card)
	}
	if got := names(t, image, parts[1].start); !slices.Equal(got, boot) {
		t.Errorf("boot slot A has %q, want %q", got, boot)
	}
	if got := text(t, image, parts[0].start, "autoboot.txt"); got != read(t, "board/card/autoboot.txt") {
		t.Errorf("autoboot.txt is %q", got)
	}
	if got := text(t, image, parts[1].start, "cmdline.txt"); !strings.HasPrefix(got, fmt.Sprintf("root=PARTUUID=%08x-05 ", diskSignature)) {
		t.Errorf("boot slot A has the root of %q", got)
	}
}

// The firmware reads 512 bytes, and lensletd changes two digits of them.
func TestAutoboot(t *testing.T) {
	want := "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"
	if got := read(t, "board/card/autoboot.txt"); got != want {
		t.Errorf("autoboot.txt is %q, want %q", got, want)
	}
}

// Whatever names a partition names one of that disk.
func TestPartitionsAreNamedBySignature(t *testing.T) {
	id := regexp.MustCompile(`(?:by-partuuid/|by\\x2dpartuuid-|PARTUUID=)([0-9a-f]{8})(?:-|\\x2d)0([0-9])`)
	count := 0
	for _, file := range slices.Concat(glob(t, "board/overlay/usr/lib/systemd/system/*.mount"), glob(t, "board/*/cmdline.txt"), []string{"board/rauc/system.conf.in"}) {
		for _, m := range id.FindAllStringSubmatch(read(t, file), -1) {
			count++
			if m[1] != fmt.Sprintf("%08x", diskSignature) || m[2] == "4" || m[2] > "7" {
				t.Errorf("%s names the partition %s-0%s", file, m[1], m[2])
			}
		}
	}
	if count < 10 {
		t.Errorf("%d partitions are named", count)
	}
}
