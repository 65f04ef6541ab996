# Plays the Raspberry Pi's firmware on QEMU's board virt: autoboot.txt, the
# one-shot tryboot flag (here a file), the slot's cmdline.txt, /chosen/bootloader.
setenv a 0x50000000
# Of the two lines that name a partition the import takes the first, of [all].
setenv boot_partition 2
load virtio 0:1 ${a} autoboot.txt && env import -t ${a} ${filesize} boot_partition
setenv part ${boot_partition}
setenv tryboot 0
if test -e virtio 0:1 tryboot.flg; then
	fatrm virtio 0:1 tryboot.flg
	if test "${part}" = 2; then setenv part 3; else setenv part 2; fi
	setenv tryboot 1
fi
echo "firmware: partition ${part}, tryboot ${tryboot}"
fdt addr ${fdtcontroladdr}
fdt move ${fdtcontroladdr} 0x48000000 0x100000
fdt addr 0x48000000
fdt mknode /chosen bootloader
fdt set /chosen/bootloader partition <${part}>
fdt set /chosen/bootloader tryboot <${tryboot}>
# A line that begins with root= is a variable of that name.
if load virtio 0:${part} ${a} cmdline.txt && env import -t ${a} ${filesize} root; then
	setenv bootargs "root=${root}"
	echo "firmware: ${bootargs}"
	if load virtio 0:${part} ${kernel_addr_r} Image; then
		# Where the kernel's drivers are modules.
		if load virtio 0:${part} ${a} initrd; then
			booti ${kernel_addr_r} ${a}:${filesize} 0x48000000
		else
			booti ${kernel_addr_r} - 0x48000000
		fi
	fi
fi
echo "firmware: partition ${part} does not boot"
sleep 1
reset
