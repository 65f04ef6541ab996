#!/bin/sh
# post-image.sh IMAGES MODEL: of what was built in the folder IMAGES makes
# sdcard.img, to write to a card, and update.raucb, signed with key.pem and
# cert.pem in the folder LENSLET_KEYS.
set -eu

images=$1 model=$2
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root" "$work/root/card" "$work/root/boot" "$work/bundle"

# A boot slot: firmware, device trees, kernel, command line.
boot=$work/root/boot
case $model in
virt) cp "$here/virt/cmdline.txt" "$boot/" ;;
*) cp -r "$images/rpi-firmware/." "$images"/*.dtb "$boot/" ;;
esac
case $model in
virt)
	cp "$images/Image" "$boot/"
	[ ! -e "$images/initrd" ] || cp "$images/initrd" "$boot/"
	;;
zerow) cp "$images/zImage" "$boot/kernel.img" ;;
*) cp "$images/Image" "$boot/kernel8.img" ;;
esac

# The selector, which is the owner's folder too. Up to the Pi 3 the boot ROM
# takes bootcode.bin from here, and that wants a config.txt beside it.
card=$work/root/card
cp "$here/card/autoboot.txt" "$here/card/README.txt" "$card/"
case $model in
virt) cp "$images/boot.scr" "$card/" ;;
zerow | zero2w | pi3)
	cp "$images/rpi-firmware/bootcode.bin" "$card/"
	: >"$card/config.txt"
	;;
esac

genimage --rootpath "$work/root" --tmppath "$work/tmp" --inputpath "$images" \
	--outputpath "$images" --config "$here/genimage.cfg"

# An update is the same boot slot and root.
cp "$images/rootfs.squashfs" "$images/boot.vfat" "$work/bundle/"
case $model in # what no start does without; a Pi 5 has its firmware in an EEPROM
virt) files=Image ;;
zerow) files="kernel.img config.txt start_x.elf" ;;
zero2w | pi3) files="kernel8.img config.txt start_x.elf" ;;
pi4) files="kernel8.img config.txt start4x.elf" ;;
*) files="kernel8.img config.txt" ;;
esac
sed "s/@FILES@/$files/" "$here/rauc/hook" >"$work/bundle/hook"
chmod 755 "$work/bundle/hook"
sed -e "s/@MODEL@/$model/" -e "s/@RELEASE@/${LENSLET_RELEASE:-devel}/" \
	"$here/rauc/manifest.raucm.in" >"$work/bundle/manifest.raucm"
rm -f "$images/update.raucb"
rauc --cert "$LENSLET_KEYS/cert.pem" --key "$LENSLET_KEYS/key.pem" \
	bundle "$work/bundle" "$images/update.raucb"
