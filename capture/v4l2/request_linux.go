package v4l2

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Limits of what a driver may answer.
const (
	maxBuffers = 64
	maxLength  = 1 << 28 // bytes of a buffer
)

// A Queue is one direction of a Device. Each device has one queue of a type;
// make one Queue for it.
type Queue struct {
	d      *Device
	typ    BufType
	memory Memory // of the buffers, 0 before the first Request
	slots  []slot
	empty  error // of Dequeue: made beforehand, it comes with every frame
}

// A slot is a buffer of the queue.
type slot struct {
	mem    []byte // mapped, nil for DMABUF
	export int    // descriptor, -1 if none
	offset int    // in mem, where the data begin that were dequeued last
}

// Queue gives access to the queue of type t.
func (d *Device) Queue(t BufType) *Queue {
	return &Queue{d: d, typ: t, empty: &OpError{"VIDIOC_DQBUF", d.path, unix.EAGAIN}}
}

// Request gives back the buffers that the queue has and then asks for n new
// ones; the result is how many the driver made. MMAP buffers are mapped for
// reading and writing. With n = 0 nothing is left: mappings are gone, and the
// descriptors of Export are closed. The queue must not be streaming, otherwise
// the error is unix.EBUSY.
func (q *Queue) Request(n int, m Memory) (int, error) {
	if n < 0 || n > maxBuffers {
		return 0, q.d.fail("VIDIOC_REQBUFS", "%d buffers asked for; the limit is %d", n, maxBuffers)
	}
	if err := q.release(); err != nil {
		return 0, err
	}
	if n == 0 {
		if q.memory == 0 {
			q.memory = m
		}
		_, err := q.reqbufs(0, q.memory)
		return 0, err
	}
	count, err := q.reqbufs(n, m)
	if err != nil {
		return 0, err
	}
	q.memory = m
	q.slots = make([]slot, count)
	for i := range q.slots {
		q.slots[i].export = -1
	}
	if m != MMAP {
		return count, nil
	}
	for i := range q.slots {
		if err := q.mmap(i); err != nil {
			_, e := q.Request(0, m)
			return 0, errors.Join(err, e)
		}
	}
	return count, nil
}

// RequestUpTo is Request for buffers of which fewer will do, down to 2: where
// memory is short, half as many are asked for.
func (q *Queue) RequestUpTo(n int, m Memory) (int, error) {
	return halving(n, func(n int) (int, error) { return q.Request(n, m) })
}

func halving(n int, request func(int) (int, error)) (int, error) {
	got, err := request(n)
	for errors.Is(err, unix.ENOMEM) && n > 2 {
		n = max(2, n/2)
		got, err = request(n)
	}
	return got, err
}

// Orphan gives the buffers back to the driver, but not their memory: mappings and
// descriptors stay as they are, for who still uses them, until Request. Another file
// of the device can have buffers then. The queue must not be streaming. Kernels
// before 5.0 answer unix.EBUSY (V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS in videodev2.h).
func (q *Queue) Orphan() error {
	_, err := q.reqbufs(0, q.memory)
	return err
}

func (q *Queue) reqbufs(n int, m Memory) (int, error) {
	const op = "VIDIOC_REQBUFS"
	r := requestBuffers{count: uint32(n), typ: q.typ, memory: m}
	if err := q.d.ioctl(op, vidiocReqBufs, unsafe.Pointer(&r)); err != nil {
		return 0, err
	}
	if n > 0 && (r.count == 0 || r.count > maxBuffers) {
		return 0, q.d.fail(op, "the driver made %d buffers of %d", r.count, n)
	}
	return int(r.count), nil
}

// mmap maps the memory of buffer i.
func (q *Queue) mmap(i int) error {
	const op = "VIDIOC_QUERYBUF"
	var planes [8]plane
	var b buffer
	var err error
	if q.typ.MPlane() {
		mp := bufferMPlane{bufferHead: q.head(i), planes: &planes, bufferTail: bufferTail{length: 8}}
		err = q.d.ioctl(op, vidiocQueryBuf, unsafe.Pointer(&mp))
		b.m, b.length = planes[0].m, planes[0].length
		if err == nil && mp.length != 1 {
			return q.d.fail(op, "buffer %d has %d memory planes instead of 1", i, mp.length)
		}
	} else {
		b.bufferHead = q.head(i)
		err = q.d.ioctl(op, vidiocQueryBuf, unsafe.Pointer(&b))
	}
	if err != nil {
		return err
	}
	if b.length == 0 || b.length > maxLength {
		return q.d.fail(op, "buffer %d is %d bytes long", i, b.length)
	}
	// the offset has 32 bits, whatever the width of the union
	mem, err := unix.Mmap(q.d.fd, int64(uint32(b.m)), int(b.length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return &OpError{"mmap", q.d.path, fmt.Errorf("buffer %d: %w", i, err)}
	}
	q.slots[i].mem = mem
	return nil
}

func (q *Queue) head(i int) bufferHead {
	return bufferHead{index: uint32(i), typ: q.typ, memory: q.memory}
}

// release unmaps the buffers and closes their descriptors.
func (q *Queue) release() error {
	var errs []error
	for i := range q.slots {
		s := &q.slots[i]
		if s.mem != nil {
			if err := unix.Munmap(s.mem); err != nil {
				errs = append(errs, &OpError{"munmap", q.d.path, err})
			}
		}
		if s.export >= 0 {
			if err := unix.Close(s.export); err != nil {
				errs = append(errs, &OpError{"close of a dmabuf", q.d.path, err})
			}
		}
	}
	q.slots = nil
	return errors.Join(errs...)
}

// Len is the number of buffers.
func (q *Queue) Len() int { return len(q.slots) }

// Bytes is the memory of buffer i, from where the data begin that Dequeue
// found: Bytes(i)[:BytesUsed] are these data. It is nil with memory DMABUF. It
// is valid until Request.
func (q *Queue) Bytes(i int) []byte { return q.slots[i].mem[q.slots[i].offset:] }

// Export gives a dmabuf descriptor of MMAP buffer i, for another device. It
// stays the queue's: Request closes it.
func (q *Queue) Export(i int) (int, error) {
	if q.slots[i].export >= 0 {
		return q.slots[i].export, nil
	}
	e := exportBuffer{typ: q.typ, index: uint32(i), flags: unix.O_CLOEXEC | unix.O_RDWR}
	if err := q.d.ioctl("VIDIOC_EXPBUF", vidiocExpBuf, unsafe.Pointer(&e)); err != nil {
		return -1, err
	}
	q.slots[i].export = int(e.fd)
	return int(e.fd), nil
}
