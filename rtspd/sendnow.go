package rtspd

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendNow hands bytes to the kernel as far as it has room for them. Go's scheduler
// is not told of the call, for it does not wait: told, it wakes its monitor for each
// frame.
func sendNow(fd uintptr, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
