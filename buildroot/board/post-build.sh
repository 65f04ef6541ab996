#!/bin/sh
# post-build.sh TARGET MODEL: what in the root depends on model, release and key.
# LENSLET_KEYS is the folder with cert.pem, whose updates the camera takes.
set -eu

target=$1 model=$2
here=$(dirname "$0")
release=${LENSLET_RELEASE:-devel}

# Kconfig drops without a word what is unknown or unmet: the kernel that Buildroot has
# built must have become what the fragments say.
family=rpi
[ "$model" != virt ] || family=virt
for option in $([ -z "${BUILD_DIR:-}" ] || sed -n '/^CONFIG_[A-Z0-9_]*=[ym]$/p' "$here/linux/common.fragment" "$here/linux/$family.fragment"); do
	grep -qsx -e "$option" -e "${option%=*}=y" "$BUILD_DIR"/linux-*/.config || {
		echo "the kernel has no $option, which board/linux asks for" >&2
		exit 1
	}
done

mkdir -p "$target/boot/card" "$target/data" "$target/etc/rauc"
sed "s/@MODEL@/$model/" "$here/rauc/system.conf.in" >"$target/etc/rauc/system.conf"
install -m 644 "$LENSLET_KEYS/cert.pem" "$target/etc/rauc/keyring.pem"
[ "$model" != virt ] || install -D -m 755 "$here/virt/tryboot" "$target/usr/lib/systemd/system-shutdown/tryboot"
cat >"$target/usr/lib/os-release" <<E
NAME=lenslet
ID=lenslet
VERSION="$release"
VERSION_ID=$release
VARIANT_ID=$model
PRETTY_NAME="lenslet $release ($model)"
E
