// Package buildroot is the flashable image: a BR2_EXTERNAL tree for Buildroot
// 2026.08, which make reads, and no Go.
//
// The journey of an image:
//
//  1. The configuration of a model is configs/common.config, for a Pi rpi.config,
//     and the model's own, one after the other (Makefile).
//  2. Buildroot builds lenslet (package/lenslet) from the sources around this
//     folder, the kernel with board/linux, and a root with board/overlay in it;
//     board/post-build.sh adds what depends on model and key.
//  3. board/post-image.sh makes of that the disk (board/genimage.cfg) and the
//     update, signed (board/rauc).
//  4. On the board the firmware reads autoboot.txt on the first partition, which
//     chooses a boot slot; the slot's cmdline.txt names its root. An update's hook
//     (board/rauc/hook) makes that true of whichever slot it is written to.
//
// The tests (go test -tags image) hold all that against symbols.xz, the names that
// Buildroot knows, and build each model's disk with dummies; check-tree holds it
// against a Buildroot itself; board/ab boots the disk for QEMU, with programs of
// Debian's in the place of Buildroot's.
package buildroot
