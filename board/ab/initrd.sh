#!/bin/busybox sh
# shellcheck shell=dash # what is nearest to ash
# The initramfs: modules, and the root that the firmware has chosen.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in /m/*; do insmod "$m" || echo "AB: $m cannot be loaded"; done
root=$(sed 's/.*root=\([^ ]*\).*/\1/' /proc/cmdline)
case $root in
PARTUUID=*) root=/dev/vda$((0x${root##*-})) ;;
esac
while [ ! -e "$root" ]; do usleep 50000; done
mount -t squashfs -o ro "$root" /new || {
	echo "AB: no system on $root"
	reboot -f
}
mount --move /dev /new/dev
umount /proc /sys
exec switch_root /new /sbin/init
