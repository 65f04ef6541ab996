package v4l2

import (
	"errors"
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func queueOf(m Memory, lengths ...int) *Queue {
	q := (&Device{path: "test"}).Queue(VideoCaptureMPlane)
	q.memory = m
	for _, n := range lengths {
		s := slot{export: -1}
		if m == MMAP {
			s.mem = make([]byte, n)
		}
		q.slots = append(q.slots, s)
	}
	return q
}

func TestTaken(t *testing.T) {
	q := queueOf(MMAP, 100, 100)
	h := bufferHead{index: 1, flags: FlagKeyFrame, field: FieldNone, sequence: 7, timestamp: timeval{3, 250_000}}
	for i := range q.slots[1].mem {
		q.slots[1].mem[i] = byte(i)
	}
	b, err := q.taken(&h, plane{bytesUsed: 60, length: 100, dataOffset: 20})
	want := Buffer{Index: 1, BytesUsed: 40, FD: -1, Flags: FlagKeyFrame, Sequence: 7, Field: FieldNone, Timestamp: 3250 * time.Millisecond}
	if err != nil || b != want {
		t.Errorf("got %+v, %v, want %+v", b, err, want)
	}
	if data := q.Bytes(1)[:b.BytesUsed]; data[0] != 20 || data[39] != 59 {
		t.Errorf("data from %d to %d", data[0], data[39])
	}
	if b, err = q.taken(&h, plane{bytesUsed: 60, length: 100}); err != nil || b.BytesUsed != 60 || q.Bytes(1)[0] != 0 {
		t.Errorf("the offset before still counts: %+v, %v", b, err)
	}
}

func TestTakenDMABUF(t *testing.T) {
	q := queueOf(DMABUF, 0)
	b, err := q.taken(&bufferHead{}, plane{bytesUsed: 50, length: 100, m: 5})
	if err != nil || b.FD != 5 || b.BytesUsed != 50 || q.Bytes(0) != nil {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestTakenNonsense(t *testing.T) {
	q := queueOf(MMAP, 100)
	for _, index := range []uint32{1, math.MaxInt32, math.MaxUint32} {
		if _, err := q.taken(&bufferHead{index: index}, plane{}); err == nil {
			t.Errorf("index %d was believed", index)
		}
	}
	for _, p := range []plane{
		{bytesUsed: 101, length: 100},
		{bytesUsed: 101, length: 1000}, // the mapping counts
		{bytesUsed: math.MaxUint32, length: math.MaxUint32},
		{bytesUsed: 50, length: 100, dataOffset: 51},
		{bytesUsed: 50, length: 100, dataOffset: math.MaxUint32},
	} {
		b, err := q.taken(&bufferHead{}, p)
		if err != nil || b.BytesUsed != 0 || b.Flags&FlagError == 0 || len(q.Bytes(0)) != 100 {
			t.Errorf("%+v gives %+v, %v", p, b, err)
		}
	}
}

func TestRequestLimits(t *testing.T) {
	q := null(t).Queue(VideoCapture)
	for _, n := range []int{-1, maxBuffers + 1} {
		if _, err := q.Request(n, MMAP); err == nil || errors.Is(err, unix.ENOTTY) {
			t.Errorf("%d buffers: %v", n, err)
		}
	}
	if q.Len() != 0 {
		t.Errorf("%d buffers of nothing", q.Len())
	}
}

func TestRelease(t *testing.T) {
	mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	_, w := pipe(t)
	fd, err := unix.Dup(w)
	if err != nil {
		t.Fatal(err)
	}
	q := queueOf(DMABUF, 0)
	q.slots[0] = slot{mem: mem, export: fd}
	if err := q.release(); err != nil || q.Len() != 0 {
		t.Errorf("%d left, %v", q.Len(), err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the descriptor is still open: %v", err)
	}
	q.slots = []slot{{mem: make([]byte, 10), export: fd}}
	if err := q.release(); !errors.Is(err, unix.EINVAL) || !errors.Is(err, unix.EBADF) {
		t.Errorf("both failures should show: %v", err)
	}
}

func TestEmptyDequeueAllocatesNothing(t *testing.T) {
	q := queueOf(MMAP, 100)
	if !errors.Is(q.empty, unix.EAGAIN) {
		t.Errorf("empty is %v", q.empty)
	}
	var h bufferHead
	p := plane{bytesUsed: 10, length: 100}
	if n := testing.AllocsPerRun(100, func() { _, _ = q.taken(&h, p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
