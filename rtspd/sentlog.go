package rtspd

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// A sentLog remembers when the latest units were sent.
type sentLog struct {
	units [128]struct {
		at    time.Duration
		seq   uint16 // of the first packet
		bytes uint64 // in front of it
	}
	n     int
	bytes uint64
}

func (l *sentLog) note(b *burst, now time.Duration) {
	u := &l.units[l.n%len(l.units)]
	u.at, u.seq, u.bytes = now, b.seq, l.bytes
	l.bytes += uint64(b.framedLen())
	l.n++
}

// since is how long ago the packet with a number was sent; next is the number of
// the one to come. What was not sent yet is 0.
func (l *sentLog) since(seq, next uint16, now time.Duration) time.Duration {
	if int16(next-seq) <= 0 {
		return 0
	}
	return l.find(now, func(i int) bool { return int16(seq-l.units[i].seq) >= 0 })
}

// past is the number behind the unit with the packet of a number; next: it is the latest.
func (l *sentLog) past(seq, next uint16) uint16 {
	for n := l.n - 1; n >= 0 && n >= l.n-len(l.units); n-- {
		start := l.units[n%len(l.units)].seq
		if int16(seq-start) >= 0 {
			break
		}
		next = start
	}
	return next
}

// behind is how long ago the byte was sent that so many others, and itself, are not
// out behind.
func (l *sentLog) behind(bytes int, now time.Duration) time.Duration {
	if bytes <= 0 {
		return 0
	}
	return l.find(now, func(i int) bool { return l.bytes-l.units[i].bytes >= uint64(bytes) })
}

// find is the age of the latest unit that is it, else of the oldest.
func (l *sentLog) find(now time.Duration, is func(i int) bool) (age time.Duration) {
	for n := l.n - 1; n >= 0 && n >= l.n-len(l.units); n-- {
		i := n % len(l.units)
		age = now - l.units[i].at
		if is(i) {
			break
		}
	}
	return age
}

// A sentWalk finds when packets were sent, one after the other with falling numbers, which
// are those that a viewer sees.
type sentWalk struct {
	log  *sentLog
	n    int    // of the unit that the walk is at
	less uint16 // than in the log
	next uint16 // number of the packet that is not sent yet
}

// backward begins at the next packet, which has one number in the log and another one
// for the viewer.
func (l *sentLog) backward(next, seen uint16) sentWalk {
	return sentWalk{l, l.n - 1, next - seen, seen}
}

// when is the time of a packet. False: it is too old, or was not sent yet.
func (w *sentWalk) when(seq uint16) (at time.Duration, known bool) {
	seq += w.less
	for ; w.n >= 0 && w.n >= w.log.n-len(w.log.units); w.n-- {
		if u := &w.log.units[w.n%len(w.log.units)]; int16(seq-u.seq) >= 0 {
			return u.at, true
		}
	}
	return 0, false
}

// queue tells how many bytes the kernel took so far, how many of them the peer has
// not acknowledged, and how many wait in front of the kernel. False: there is no
// connection.
func (o *outbox) queue() (handed uint64, unsent, waiting int, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if raw := descriptor(o.conn); raw != nil {
		var err error
		ok = raw.Control(func(fd uintptr) { unsent, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }) == nil && err == nil
	}
	return o.handed, unsent, o.bytes, ok
}

// remote is where the connection goes; not valid: there is none.
func (o *outbox) remote() netip.Addr {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn == nil {
		return netip.Addr{}
	}
	return addrPort(o.conn.RemoteAddr()).Addr()
}
