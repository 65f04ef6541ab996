package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// chunkSize is the most bytes that one read of a connection takes.
const chunkSize = 256 << 10

// A viewer is one of the readers.
type viewer struct {
	seq      sequence
	bytes    uint64
	pictures int      // of the window
	latest   uint32   // RTP time of the last picture
	scanner  *scanner // of a connection; nil: by UDP
}

// What a socket is for.
type role int

const (
	roleRTP    role = iota // datagrams of RTP
	roleRTCP               // datagrams of RTCP
	roleStream             // a connection with interleaved frames
	roleAnswer             // a connection whose bytes do not matter
)

type socket struct {
	role   role
	viewer *viewer
}

// Readers are viewers that one goroutine reads for, until close. The sockets
// stay with who opened them, and are closed after the readers.
type readers struct {
	epoll, wake int
	done        chan struct{}
	batch       *batch
	chunk       []byte

	mu      sync.Mutex
	sockets map[int32]*socket
	viewers []*viewer
	gallery gallery
	clock   mapping
	ended   int // connections that the server closed or that brought nonsense
	now     int64
}

func newReaders() (*readers, error) {
	r := &readers{sockets: map[int32]*socket{}, done: make(chan struct{}), batch: newBatch(), chunk: make([]byte, chunkSize)}
	var err error
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil {
		err = r.watch(r.wake)
	}
	if err != nil {
		_ = unix.Close(r.epoll)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	go r.loop()
	return r, nil
}

func (r *readers) watch(fd int) error {
	return unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// add gives a viewer's socket, which does not block, to the readers. Bytes that
// were read already come first.
func (r *readers) add(fd int, to role, v *viewer, before []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if to == roleStream {
		v.scanner = newScanner(func(channel byte, head []byte, size int) { r.packet(v, channel%2 == 1, head, size) })
		r.now = time.Now().UnixNano()
		v.scanner.scan(before)
	}
	if !slices.Contains(r.viewers, v) && to != roleAnswer && to != roleRTCP {
		r.viewers = append(r.viewers, v)
	}
	r.sockets[int32(fd)] = &socket{to, v}
	return r.watch(fd)
}

// close ends the readers' goroutine.
func (r *readers) close() {
	_, _ = unix.Write(r.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-r.done
	_ = unix.Close(r.wake)
	_ = unix.Close(r.epoll)
}

func (r *readers) loop() {
	runtime.LockOSThread()
	defer close(r.done)
	events := make([]unix.EpollEvent, 1024)
	for {
		n, err := unix.EpollWait(r.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic("epoll_wait: " + err.Error()) // only a mistake of ours
		}
		r.mu.Lock()
		for _, e := range events[:max(0, n)] {
			if e.Fd == int32(r.wake) {
				r.mu.Unlock()
				return
			}
			if s := r.sockets[e.Fd]; s != nil {
				r.read(int(e.Fd), s)
			}
		}
		r.mu.Unlock()
	}
}

// read takes what a socket has. It is asked again while there is more.
func (r *readers) read(fd int, s *socket) {
	if s.role == roleStream || s.role == roleAnswer {
		r.readStream(fd, s)
		return
	}
	n := r.batch.receive(fd)
	r.now = time.Now().UnixNano()
	for i := range n {
		head, size := r.batch.datagram(i)
		r.packet(s.viewer, s.role == roleRTCP, head, size)
	}
}

func (r *readers) readStream(fd int, s *socket) {
	n, err := unix.Read(fd, r.chunk)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return
	case err != nil || n == 0:
		r.end(fd)
		return
	}
	if s.role == roleStream {
		r.now = time.Now().UnixNano()
		if s.viewer.scanner.scan(r.chunk[:n]); s.viewer.scanner.broken {
			r.end(fd)
		}
	}
}

// end gives a connection up.
func (r *readers) end(fd int) {
	r.ended++
	delete(r.sockets, int32(fd))
	_ = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_DEL, fd, nil) // it is there
}

// packet counts one that was read at r.now.
func (r *readers) packet(v *viewer, control bool, head []byte, size int) {
	if control {
		if m, ok := senderReport(head); ok {
			r.clock = m
		}
		return
	}
	if len(head) < headOfRTP {
		return
	}
	v.seq.take(binary.BigEndian.Uint16(head[2:]))
	v.bytes += uint64(size)
	if head[1]&0x80 != 0 { // the marker: the last packet of the picture
		v.latest = binary.BigEndian.Uint32(head[4:])
		if r.gallery.inside(v.latest) {
			v.pictures++
		}
		r.gallery.complete(v.latest, r.now)
	}
}

// senderReport reads the two clocks of one (RFC 3550 6.4.1).
func senderReport(b []byte) (mapping, bool) {
	const from1900 = 2208988800 // seconds from 1900 to 1970
	if len(b) < headOfRTCP || b[0]>>6 != 2 || b[1] != 200 {
		return mapping{}, false
	}
	seconds := int64(binary.BigEndian.Uint32(b[8:])) - from1900
	fraction := int64(binary.BigEndian.Uint32(b[12:])) * int64(time.Second) >> 32
	return mapping{true, binary.BigEndian.Uint32(b[16:]), seconds*int64(time.Second) + fraction}, true
}

// Totals are what the readers counted.
type totals struct {
	viewers              int
	packets, bytes, lost uint64
	least                uint64 // packets of the viewer that has the fewest
	each                 []uint64
	ended                int
}

// totals sums up what came so far.
func (r *readers) totals() totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sum()
}

func (r *readers) sum() totals {
	t := totals{viewers: len(r.viewers), ended: r.ended}
	for _, v := range r.viewers {
		t.packets += v.seq.packets
		t.lost += v.seq.lost
		t.bytes += v.bytes
		t.each = append(t.each, v.seq.packets)
	}
	return t
}

// minus is what came since an earlier sum of the same viewers.
func (t totals) minus(before totals) totals {
	d := totals{viewers: t.viewers, packets: t.packets - before.packets, bytes: t.bytes - before.bytes, lost: t.lost - min(t.lost, before.lost), ended: t.ended}
	for i, n := range t.each {
		d.each = append(d.each, n-before.each[i])
	}
	if len(d.each) > 0 {
		d.least = slices.Min(d.each)
	}
	return d
}

// begin starts a window.
func (r *readers) begin() totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gallery.begin(len(r.viewers))
	for _, v := range r.viewers {
		v.pictures = 0
	}
	return r.sum()
}

// A yield is what came of a window's pictures.
type yield struct {
	arrivals    []arrival
	clock       mapping
	lost        uint64 // packets
	least, most int    // pictures of a viewer
	missed      int    // pictures that came to a viewer, not to all
}

// finish ends the window that began with a sum, when at least that many pictures
// came, and tells what became of it when all viewers are past its end: whoever is
// slow has got what there was for it. It waits for either for a time, at most: who
// hangs has less than the others.
func (r *readers) finish(begun totals, pictures int, most time.Duration) yield {
	r.await(most, func() bool { return r.gallery.begun >= pictures })
	r.mu.Lock()
	r.gallery.end()
	r.mu.Unlock()
	r.await(most, func() bool {
		return !slices.ContainsFunc(r.viewers, func(v *viewer) bool { return !r.gallery.behind(v.latest) })
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	y := yield{arrivals: slices.Clone(r.gallery.arrivals), clock: r.clock, lost: r.sum().minus(begun).lost, least: r.least()}
	for _, v := range r.viewers {
		y.most = max(y.most, v.pictures)
	}
	y.missed = r.gallery.begun - len(y.arrivals)
	return y
}

// least is the number of the window's pictures of the viewer that has the fewest.
// The lock is held.
func (r *readers) least() int {
	least := math.MaxInt
	for _, v := range r.viewers {
		least = min(least, v.pictures)
	}
	return least
}

// await waits until something holds, for a time at most, or until a viewer was cut
// off.
func (r *readers) await(most time.Duration, ok func() bool) {
	for limit := time.Now().Add(most); ; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		done := ok() || r.ended > 0
		r.mu.Unlock()
		if done || time.Now().After(limit) {
			return
		}
	}
}
