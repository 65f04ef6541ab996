package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errShrunk = errors.New("it became shorter while it was read")

// openBounded opens a file that is not longer than a clip may be, and tells its
// length.
func openBounded(path string) (*os.File, int, error) {
	info, err := os.Stat(path) // first, for opening a pipe would wait
	switch {
	case err != nil:
		return nil, 0, errors.Unwrap(err) // the caller names the file
	case !info.Mode().IsRegular():
		return nil, 0, errors.New("it is no file")
	case info.Size() == 0:
		return nil, 0, errors.New("the file is empty")
	case info.Size() > clipMaxBytes:
		return nil, 0, fmt.Errorf("%d MiB are too long; the limit is %d MiB", info.Size()>>20, clipMaxBytes>>20)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, errors.Unwrap(err)
	}
	return f, int(info.Size()), nil
}

// look lets do see the first size bytes of a file, which take no memory of the
// process for good.
func look(f *os.File, size int, do func(data []byte) error) (err error) {
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	defer func() { _ = unix.Munmap(data) }() // it is mapped
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if _, fault := p.(interface{ Addr() uintptr }); !fault {
				panic(p)
			}
			err = errShrunk
		}
	}()
	return do(data)
}

// read fills a buffer with the bytes of a unit.
func (u *clipUnit) read(f *os.File, buf []byte) ([]byte, error) {
	b := buf[:u.end-u.start]
	if readNow(f.Fd(), b, u.start) {
		return b, nil
	}
	if _, err := f.ReadAt(b, int64(u.start)); err != nil {
		if errors.Is(err, io.EOF) {
			err = errShrunk
		}
		return nil, err
	}
	return b, nil
}

// readNow fills b from an offset, if the kernel has all of it in memory: then Go's
// scheduler, which would wake its monitor for a call that may wait, need not be told.
func readNow(fd uintptr, b []byte, from int) bool {
	if len(b) == 0 {
		return false
	}
	v := unix.Iovec{Base: unsafe.SliceData(b)}
	v.SetLen(len(b))
	n, _, errno := unix.RawSyscall6(unix.SYS_PREADV2, fd, uintptr(unsafe.Pointer(&v)), 1, uintptr(from), 0, unix.RWF_NOWAIT)
	return errno == 0 && int(n) == len(b)
}
