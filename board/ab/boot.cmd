# Plays the Raspberry Pi's firmware: autoboot.txt, the one-shot tryboot flag (here a
# file), /chosen/bootloader.
setenv a 0x50000000
setenv boot_partition 2
setenv part 2
# The last section's value stays: that of [tryboot]. The other slot is the usual.
if load virtio 0:1 ${a} autoboot.txt && env import -t ${a} ${filesize}; then
	if test "${boot_partition}" = 2; then setenv part 3; fi
fi
setenv tryboot 0
if test -e virtio 0:1 tryboot.flg; then
	fatrm virtio 0:1 tryboot.flg
	setenv part ${boot_partition}
	setenv tryboot 1
fi
echo "firmware: partition ${part}, tryboot ${tryboot}"
if test "${part}" = 2; then setenv root /dev/vda5; else setenv root /dev/vda6; fi
setenv bootargs "console=ttyAMA0 quiet panic=2 root=${root}"
fdt addr ${fdtcontroladdr}
fdt move ${fdtcontroladdr} 0x48000000 0x100000
fdt addr 0x48000000
fdt mknode /chosen bootloader
fdt set /chosen/bootloader partition <${part}>
fdt set /chosen/bootloader tryboot <${tryboot}>
if load virtio 0:${part} ${kernel_addr_r} Image && load virtio 0:${part} ${a} initrd; then
	booti ${kernel_addr_r} ${a}:${filesize} 0x48000000
fi
echo "firmware: partition ${part} does not boot"
sleep 1
reset
