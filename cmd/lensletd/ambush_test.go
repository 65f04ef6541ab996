package main

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An ambush kills a process at the nth change of a file in a directory, between two of
// its steps: both have one processor, which the one that kills gets first. The nil
// ambush waits for a moment instead.
type ambush struct {
	t      testing.TB
	pid    atomic.Int64  // 0: not known yet
	sprung chan struct{} // closed when the change came
	over   atomic.Bool
	ended  chan struct{} // closed by watch
	free   func()
}

// changes are steps that another process can see.
const changes = unix.IN_CREATE | unix.IN_MODIFY | unix.IN_ATTRIB | unix.IN_CLOSE_WRITE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_DELETE

// lieInWait does so for the process that this goroutine starts next; nil: nth is 0.
func (k *killing) lieInWait(nth int) *ambush {
	k.t.Helper()
	if nth == 0 {
		return nil
	}
	a := &ambush{t: k.t, sprung: make(chan struct{}), ended: make(chan struct{})}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err == nil {
		_, err = unix.InotifyAddWatch(fd, k.dir, changes)
	}
	var all, one unix.CPUSet
	if err == nil {
		runtime.LockOSThread() // what it starts inherits the processor
		err = unix.SchedGetaffinity(0, &all)
	}
	for cpu := 0; err == nil && one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err == nil {
		err = unix.SchedSetaffinity(0, &one)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	a.free = func() {
		if err := unix.SchedSetaffinity(0, &all); err != nil {
			k.t.Error(err)
		}
		runtime.UnlockOSThread()
	}
	k.t.Cleanup(func() { a.over.Store(true) })
	ready := make(chan error)
	go a.watch(fd, nth, &one, ready)
	if err := <-ready; err != nil {
		k.t.Fatal(err)
	}
	return a
}

// watch counts changes, and kills.
func (a *ambush) watch(fd, nth int, processor *unix.CPUSet, ready chan<- error) {
	defer close(a.ended)
	defer unix.Close(fd)
	runtime.LockOSThread() // until it ends, and the thread with it
	err := unix.SchedSetaffinity(0, processor)
	if err == nil {
		err = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
	}
	if errors.Is(err, unix.EPERM) {
		err = nil // then it is first most of the time
	}
	ready <- err
	events := make([]byte, 4096)
	for err == nil && !a.over.Load() {
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20)
		n := 0
		if err == nil {
			n, err = unix.Read(fd, events)
		}
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			err = nil
		}
		for at := 0; at < n && a.pid.Load() != 0; at += unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[at+12:])) {
			if nth--; nth == 0 {
				_ = unix.Kill(int(a.pid.Load()), unix.SIGKILL) // it may have ended
				close(a.sprung)
				return
			}
		}
	}
}

// spring lets the process run into it, or be killed after a moment, and waits for its
// end. Some runs have less changes than one waits for.
func (a *ambush) spring(p *process, moment time.Duration) {
	if a == nil {
		time.Sleep(moment) // the moment under test
		p.kill()
		return
	}
	a.pid.Store(int64(p.cmd.Process.Pid))
	a.free()
	select {
	case <-a.sprung:
	case <-time.After(2 * time.Second):
		a.t.Log("less changes than were waited for")
	}
	a.over.Store(true)
	<-a.ended
	p.kill()
}
