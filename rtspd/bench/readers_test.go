package main

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// packetOf is an RTP packet of 100 bytes.
func packetOf(seq uint16, rtptime uint32, marker bool) []byte {
	b := make([]byte, 100)
	b[0], b[1] = 0x80, payloadType
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], rtptime)
	return b
}

func framed(packet []byte) []byte { return append([]byte{'$', 0, 0, byte(len(packet))}, packet...) }

// pair opens two sockets that are connected to each other; the first does not
// block.
func pair(t *testing.T, kind int) (ours, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(fds[0]), unix.Close(fds[1]) })
	if err := unix.SetNonblock(fds[0], true); err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

func write(t *testing.T, fd int, b []byte) {
	t.Helper()
	if _, err := unix.Write(fd, b); err != nil {
		t.Fatal(err)
	}
}

// await waits until the readers have so many packets and connections that ended.
func await(t *testing.T, r *readers, packets uint64, ended int) totals {
	t.Helper()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		sum := r.totals()
		if sum.packets >= packets && sum.ended >= ended {
			return sum
		}
		if time.Now().After(limit) {
			t.Fatalf("%+v; want %d packets, %d ended", sum, packets, ended)
		}
	}
}

func startReaders(t *testing.T) *readers {
	t.Helper()
	r, err := newReaders()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	return r
}

func TestReaders(t *testing.T) {
	r := startReaders(t)
	datagrams, sendsDatagrams := pair(t, unix.SOCK_DGRAM)
	reports, sendsReports := pair(t, unix.SOCK_DGRAM)
	stream, sendsStream := pair(t, unix.SOCK_STREAM)
	one, two := &viewer{}, &viewer{}
	before := framed(packetOf(6, 0, true))
	for _, s := range []struct {
		fd     int
		role   role
		viewer *viewer
		before []byte
	}{{datagrams, roleRTP, one, nil}, {reports, roleRTCP, one, nil}, {stream, roleStream, two, before[:50]}} {
		if err := r.add(s.fd, s.role, s.viewer, s.before); err != nil {
			t.Fatal(err)
		}
	}
	write(t, sendsStream, before[50:])
	write(t, sendsDatagrams, packetOf(9, 0, true))
	await(t, r, 2, 0)
	begun := r.begin()
	report := make([]byte, 40)
	report[0], report[1] = 0x80, 200
	write(t, sendsReports, report)
	write(t, sendsDatagrams, packetOf(10, 3000, false))
	write(t, sendsDatagrams, packetOf(12, 3000, true)) // 11 is lost
	write(t, sendsStream, slices.Concat([]byte("RTSP/1.0 200 OK\r\n\r\n"), framed(packetOf(7, 3000, false)), framed(packetOf(8, 3000, true))))
	await(t, r, 6, 0)
	sum := r.totals().minus(begun)
	if sum.packets != 4 || sum.bytes != 400 || sum.lost != 1 || sum.least != 2 || sum.viewers != 2 {
		t.Errorf("%+v", sum)
	}
	y := r.finish(begun, 1, 0)
	if a := y.arrivals; len(a) != 1 || a[0].rtptime != 3000 || a[0].last < a[0].first {
		t.Errorf("arrivals %+v", a)
	}
	if y.lost != 1 || y.least != 1 || y.most != 1 || y.missed != 0 {
		t.Errorf("%+v", y)
	}
	if !y.clock.known {
		t.Error("the report was not read")
	}
}

// Who hangs has lost nothing, and is seen.
func TestReadersNoticeWhoHangs(t *testing.T) {
	r := startReaders(t)
	var sends [2]int
	for i := range sends {
		var fd int
		fd, sends[i] = pair(t, unix.SOCK_DGRAM)
		if err := r.add(fd, roleRTP, &viewer{}, nil); err != nil {
			t.Fatal(err)
		}
		write(t, sends[i], packetOf(0, 0, true))
	}
	await(t, r, 2, 0)
	begun := r.begin()
	for i := range 5 {
		for viewer, fd := range sends {
			if viewer == 0 || i < 2 {
				write(t, fd, packetOf(uint16(i+1), uint32(i+1)*3000, true))
			}
		}
	}
	await(t, r, 9, 0)
	if y := r.finish(begun, 5, 0); y.least != 2 || y.most != 5 || y.missed != 3 || y.lost != 0 || len(y.arrivals) != 2 {
		t.Errorf("%+v", y)
	}
	done := make(chan yield)
	begun = r.begin()
	go func() { done <- r.finish(begun, 1, patience) }()
	for i := range 20 { // the slow one has all of it in the end
		write(t, sends[0], packetOf(uint16(i+6), uint32(i+6)*3000, true))
	}
	for i := range 23 {
		write(t, sends[1], packetOf(uint16(i+3), uint32(i+3)*3000, true))
	}
	for i := uint16(26); ; i++ { // behind the window
		select {
		case y := <-done:
			if y.least == 0 || y.least != y.most || y.missed != 0 || y.lost != 0 {
				t.Errorf("%+v of who is slow", y)
			}
			return
		case <-time.After(time.Millisecond):
			write(t, sends[0], packetOf(i, uint32(i)*3000, true))
			write(t, sends[1], packetOf(i, uint32(i)*3000, true))
		}
	}
}

func TestReadersNoticeAnEnd(t *testing.T) {
	r := startReaders(t)
	for i, last := range [][]byte{nil, []byte("nonsense")} {
		fd, sends := pair(t, unix.SOCK_STREAM)
		if err := r.add(fd, roleStream, &viewer{}, nil); err != nil {
			t.Fatal(err)
		}
		write(t, sends, append(framed(packetOf(1, 0, true)), last...))
		if last == nil {
			if err := unix.Shutdown(sends, unix.SHUT_WR); err != nil {
				t.Fatal(err)
			}
		}
		await(t, r, uint64(i+1), i+1)
	}
}

// More datagrams than a batch, each longer than what is copied.
func TestBatch(t *testing.T) {
	const many = batchSize + 10
	fd, sends := pair(t, unix.SOCK_DGRAM)
	if size := 1 << 20; unix.SetsockoptInt(sends, unix.SOL_SOCKET, unix.SO_SNDBUF, size) != nil {
		t.Fatal("the buffer cannot be set")
	}
	b := newBatch()
	if n := b.receive(fd); n != 0 {
		t.Fatalf("%d datagrams out of nothing", n)
	}
	go func() {
		for i := range many {
			_, _ = unix.Write(sends, packetOf(uint16(i), 0, false))
		}
	}()
	got := 0
	for limit := time.Now().Add(20 * time.Second); got < many && time.Now().Before(limit); {
		for i := range b.receive(fd) {
			head, size := b.datagram(i)
			if binary.BigEndian.Uint16(head[2:]) != uint16(got) || size != 100 || len(head) != headOfRTCP {
				t.Fatalf("datagram %d has number %d, %d bytes, %d of them copied", got, binary.BigEndian.Uint16(head[2:]), size, len(head))
			}
			got++
		}
	}
	if got != many {
		t.Errorf("%d datagrams, want %d", got, many)
	}
}
