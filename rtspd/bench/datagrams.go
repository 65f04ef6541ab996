package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is the most packets that one recvmmsg takes.
const batchSize = 64

// A batch receives many datagrams by one system call. Of each, only the head is
// copied out of the kernel, and its whole length told.
type batch struct {
	messages [batchSize]unix.Mmsghdr
	iovecs   [batchSize]unix.Iovec
	heads    [batchSize][headOfRTCP]byte
}

func newBatch() *batch {
	b := &batch{}
	for i := range b.messages {
		b.iovecs[i].Base = &b.heads[i][0]
		b.iovecs[i].SetLen(headOfRTCP)
		b.messages[i].Hdr.Iov = &b.iovecs[i]
		b.messages[i].Hdr.SetIovlen(1)
	}
	return b
}

// receive takes what is there, and tells how many datagrams; 0 if none. It does
// not wait.
func (b *batch) receive(fd int) int {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[0])), batchSize,
			unix.MSG_DONTWAIT|unix.MSG_TRUNC, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case unix.EINTR:
		default: // EAGAIN, or an ICMP error, which is over
			return 0
		}
	}
}

// datagram is one that receive took: its head and its size in bytes.
func (b *batch) datagram(i int) (head []byte, size int) {
	size = int(b.messages[i].Len)
	return b.heads[i][:min(size, headOfRTCP)], size
}
