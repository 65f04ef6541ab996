package v4l2

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Enqueue hands a buffer to the driver. With memory DMABUF the driver keeps the
// dmabuf itself until the buffer is dequeued; the descriptor may be closed.
func (q *Queue) Enqueue(b Buffer) error {
	h := q.head(b.Index)
	h.field = b.Field
	if h.field == FieldAny {
		h.field = FieldNone
	}
	if q.typ.Output() {
		h.bytesUsed = uint32(b.BytesUsed)
		h.timestamp = timeval{int(b.Timestamp / time.Second), int(b.Timestamp % time.Second / time.Microsecond)}
	}
	var fd uintptr
	var length uint32
	if q.memory == DMABUF {
		// the kernel wants the length beside the data that it bounds
		n, err := unix.Seek(b.FD, 0, unix.SEEK_END)
		if err != nil {
			return &OpError{"VIDIOC_QBUF", q.d.path, fmt.Errorf("size of dmabuf %d: %w", b.FD, err)}
		}
		fd, length = uintptr(uint32(b.FD)), uint32(min(n, math.MaxUint32))
	}
	if !q.typ.MPlane() {
		c := buffer{bufferHead: h, m: fd, bufferTail: bufferTail{length: length}}
		return q.d.ioctl("VIDIOC_QBUF", vidiocQBuf, unsafe.Pointer(&c))
	}
	var planes [8]plane
	planes[0] = plane{bytesUsed: h.bytesUsed, m: fd, length: length}
	c := bufferMPlane{bufferHead: h, planes: &planes, bufferTail: bufferTail{length: 1}}
	return q.d.ioctl("VIDIOC_QBUF", vidiocQBuf, unsafe.Pointer(&c))
}

// Dequeue takes a buffer back from the driver. When none is ready the error is
// unix.EAGAIN; after the buffer with FlagLast it is unix.EPIPE; a device that is
// gone gives unix.ENODEV, one that failed unix.EIO.
func (q *Queue) Dequeue() (Buffer, error) {
	var planes [8]plane
	single := buffer{bufferHead: q.head(0)}
	multi := bufferMPlane{bufferHead: single.bufferHead, planes: &planes, bufferTail: bufferTail{length: 8}}
	arg := unsafe.Pointer(&single)
	if q.typ.MPlane() {
		arg = unsafe.Pointer(&multi)
	}
	switch errno := q.d.call(vidiocDQBuf, arg); errno {
	case 0:
	case unix.EAGAIN:
		return Buffer{}, q.empty
	default:
		return Buffer{}, &OpError{"VIDIOC_DQBUF", q.d.path, errno}
	}
	if q.typ.MPlane() {
		return q.taken(&multi.bufferHead, planes[0])
	}
	return q.taken(&single.bufferHead, plane{bytesUsed: single.bytesUsed, length: single.length, m: single.m})
}

// taken makes a Buffer of what the driver told.
func (q *Queue) taken(h *bufferHead, p plane) (Buffer, error) {
	i := int(h.index)
	if i < 0 || i >= len(q.slots) {
		return Buffer{}, q.d.fail("VIDIOC_DQBUF", "there is no buffer %d", h.index)
	}
	b := Buffer{
		Index: i, FD: -1, Flags: h.flags, Sequence: h.sequence, Field: h.field,
		Timestamp: time.Duration(h.timestamp.sec)*time.Second + time.Duration(h.timestamp.usec)*time.Microsecond,
	}
	if q.memory == DMABUF {
		b.FD = int(int32(p.m))
	}
	s, length := &q.slots[i], p.length
	if s.mem != nil {
		length = uint32(len(s.mem))
	}
	s.offset = 0
	switch {
	case p.bytesUsed > length || p.dataOffset > p.bytesUsed:
		b.Flags |= FlagError // nonsense: no data are better than others' data
	case s.mem != nil: // of a dmabuf the importer sees all, from its first byte
		s.offset = int(p.dataOffset)
		b.BytesUsed = int(p.bytesUsed - p.dataOffset)
	default:
		b.BytesUsed = int(p.bytesUsed)
	}
	return b, nil
}

// StreamOn starts the flow.
func (q *Queue) StreamOn() error { return q.stream("VIDIOC_STREAMON", vidiocStreamOn) }

// StreamOff stops the flow and takes all buffers back from the driver, which
// are not dequeued.
func (q *Queue) StreamOff() error { return q.stream("VIDIOC_STREAMOFF", vidiocStreamOff) }

func (q *Queue) stream(op string, req uintptr) error {
	t := int32(q.typ)
	return q.d.ioctl(op, req, unsafe.Pointer(&t))
}
