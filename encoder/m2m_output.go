package encoder

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
	"lenslet/encoder/h264"
)

// pollLimit bounds one wait for the codec: a wake-up that was lost costs no
// more than that.
const pollLimit = time.Second

// An m2mUnit is a unit in a buffer of the output queue.
type m2mUnit struct {
	Unit
	index int
}

// makeUnits makes a unit for each of n buffers.
func (m *M2M) makeUnits(n int) {
	m.units = make([]m2mUnit, n)
	for i := range m.units {
		u := &m.units[i]
		u.index = i
		u.nalus = make([][]byte, 0, 16)
		u.Init(func() {
			m.requeue(u)
			m.loans.Done()
		})
	}
}

// run collects what the codec is done with, until Stop, the end of a drain, or
// a failure. It closes done.
func (m *M2M) run() {
	defer close(m.done)
	for {
		_, err := m.dev.Poll(unix.POLLIN|unix.POLLOUT, time.Now().Add(pollLimit))
		if err != nil && !errors.Is(err, v4l2.ErrWoken) && !errors.Is(err, os.ErrDeadlineExceeded) {
			m.fail(err)
			return
		}
		if m.isStopping() {
			return
		}
		polled := err == nil
		found, err := m.collect()
		switch {
		case errors.Is(err, errLast):
			return
		case err != nil:
			m.fail(err)
			return
		case polled && !found:
			// Both queues are empty, which poll(2) calls an error: all
			// units are lent, and no frame came.
			<-m.kick
		}
	}
}

func (m *M2M) isStopping() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state == stopping
}

// fail tells the owner that no more units will come.
func (m *M2M) fail(err error) {
	if m.isStopping() {
		return
	}
	m.err = err
	m.failed(err)
}

// errLast ends a drain.
var errLast = errors.New("the last unit came")

// collect takes all buffers that are ready. found: there was one.
func (m *M2M) collect() (found bool, err error) {
	for _, take := range [2]func(*M2M) error{(*M2M).takeInput, (*M2M).takeOutput} {
		for {
			err := take(m)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if err != nil {
				return found, err
			}
			found = true
		}
	}
	return found, nil
}

// takeInput releases a frame that the codec has read.
func (m *M2M) takeInput() error {
	m.mu.Lock()
	b, err := m.input.Dequeue()
	if err != nil {
		m.mu.Unlock()
		return err
	}
	slot := &m.slots[b.Index]
	f := slot.frame
	*slot = inputSlot{}
	m.busy--
	m.mu.Unlock()
	if f != nil {
		f.Release()
	}
	return nil
}

// takeOutput delivers a unit.
func (m *M2M) takeOutput() error {
	m.mu.Lock()
	b, err := m.output.Dequeue()
	m.mu.Unlock()
	if err != nil {
		if errors.Is(err, unix.EPIPE) {
			return errLast
		}
		return err
	}
	if b.Flags&v4l2.FlagError == 0 {
		m.pass(b)
	} else {
		m.requeue(&m.units[b.Index])
		m.damaged.Add(1)
		if err := m.ForceKeyFrame(); err != nil {
			m.log.Debug("no key frame after a damaged unit", "encoder", m.name, "error", err)
		}
	}
	if b.Flags&v4l2.FlagLast != 0 {
		return errLast
	}
	return nil
}

// pass delivers what a buffer holds, if there is a picture, or a copy of it.
func (m *M2M) pass(b v4l2.Buffer) {
	u := &m.units[b.Index]
	data := m.output.Bytes(b.Index)[:b.BytesUsed]
	m.judge(data)
	if c := m.copyOf(data); c != nil {
		m.requeue(u)
		if m.fill(&c.Unit, c.data, b.Timestamp) {
			m.encoded.Add(1)
			m.deliver(&c.Unit)
		} else {
			c.Release()
		}
		return
	}
	if m.fill(&u.Unit, data, b.Timestamp) && m.loans.Add() {
		u.Lend()
		m.encoded.Add(1)
		m.deliver(&u.Unit)
	} else {
		m.requeue(u)
	}
}

// fill describes what a unit holds. False: no picture.
func (m *M2M) fill(u *Unit, data []byte, timestamp time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	u.nalus = h264.Split(u.nalus[:0], data)
	m.sets.take(u.nalus)
	picture, key := kind(u.nalus)
	if key {
		u.nalus = m.sets.complete(u.nalus)
	}
	u.key, u.timestamp = key, m.stamps.find(timestamp)
	return picture
}

// requeue gives a buffer back to the codec.
func (m *M2M) requeue(u *m2mUnit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != running && m.state != draining {
		return
	}
	if err := m.output.Enqueue(v4l2.Buffer{Index: u.index, FD: -1}); err != nil {
		// run learns of it too, if the device is gone
		m.log.Warn("a buffer is lost to the encoder", "encoder", m.name, "error", err)
	}
	m.wake()
}
