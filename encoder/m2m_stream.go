package encoder

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// Buffers asked for. Contiguous memory is scarce on small boards.
const (
	unitBuffers = 4
	copyBuffers = 3
)

// Start allocates buffers and begins. When the driver refuses, everything is
// given back, and it can be configured again.
func (m *M2M) Start(deliver func(*Unit), failed func(error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state != ready {
		return fmt.Errorf("start %s: not configured, or it runs", m.name)
	}
	m.importing = m.canImport && !m.noImport
	if err := m.begin(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", m.name, err), m.giveBack())
	}
	m.deliver, m.failed, m.err = deliver, failed, nil
	m.loans.Open()
	m.copies.open()
	m.done = make(chan struct{})
	m.state = running
	go m.run()
	return nil
}

// begin brings up both queues.
func (m *M2M) begin() error {
	n, err := m.output.RequestUpTo(unitBuffers, v4l2.MMAP)
	if err != nil {
		return err
	}
	if n < unitBuffers {
		m.log.Warn("memory is short: the encoder works with fewer buffers", "encoder", m.name, "buffers", n)
	}
	m.makeUnits(n)
	if err := m.requestInput(); err != nil {
		return err
	}
	for i := range n {
		if err := m.output.Enqueue(v4l2.Buffer{Index: i, FD: -1}); err != nil {
			return err
		}
	}
	if err := m.input.StreamOn(); err != nil {
		return err
	}
	return m.output.StreamOn()
}

// requestInput makes the slots for frames: as many as the source has buffers,
// so that each of them keeps its slot, or some for copies.
func (m *M2M) requestInput() error {
	n, memory := copyBuffers, v4l2.MMAP
	if m.importing {
		n, memory = m.frames.Buffers, v4l2.DMABUF
	}
	n, err := m.input.RequestUpTo(n, memory)
	if err != nil {
		return err
	}
	m.slots, m.busy = make([]inputSlot, n), 0
	return nil
}

// giveBack stops both queues and frees their buffers. A device that is gone has
// nothing to give.
func (m *M2M) giveBack() error {
	var errs []error
	for _, q := range []*v4l2.Queue{m.input, m.output} {
		err := q.StreamOff()
		if _, e := q.Request(0, v4l2.MMAP); e != nil {
			err = e
		}
		if err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, err)
		}
	}
	m.units, m.slots = nil, nil
	return errors.Join(errs...)
}

// Drain waits until every frame taken came out as a unit. After it only Stop
// makes sense.
func (m *M2M) Drain(ctx context.Context) error {
	m.encoding.Lock() // the frame under way is still taken
	m.mu.Lock()
	was := m.state
	if was == running {
		m.state = draining
	}
	m.mu.Unlock()
	m.encoding.Unlock()
	switch was {
	case draining:
	case running:
		if err := m.dev.EncoderStop(); err != nil {
			return fmt.Errorf("drain: %w", err)
		}
	default:
		return nil
	}
	select {
	case <-m.done:
		return m.err
	case <-ctx.Done():
		return fmt.Errorf("drain %s: %w", m.name, ctx.Err())
	}
}

// Stop ends what is under way, releases all frames, and waits until no unit is
// lent. When ctx ends first the buffers stay; Stop may be called again.
func (m *M2M) Stop(ctx context.Context) error {
	m.mu.Lock()
	if m.state <= ready {
		m.mu.Unlock()
		return nil
	}
	m.state = stopping
	m.mu.Unlock()
	m.dev.Wake()
	m.wake()
	select {
	case <-m.done:
	case <-ctx.Done():
		return fmt.Errorf("stop %s: a unit is being delivered: %w", m.name, ctx.Err())
	}
	m.encoding.Lock() // Encode takes no more: it sees the state
	defer m.encoding.Unlock()
	m.halt()
	if err := m.loans.Close(ctx); err != nil {
		return fmt.Errorf("stop %s: %d units are lent: %w", m.name, m.loans.Out(), err)
	}
	if err := m.copies.close(ctx); err != nil {
		return fmt.Errorf("stop %s: copies of units are lent: %w", m.name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = ready
	if err := m.giveBack(); err != nil {
		return fmt.Errorf("stop %s: %w", m.name, err)
	}
	return nil
}

// halt takes the frames back from the codec. Units on loan stay.
func (m *M2M) halt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range []*v4l2.Queue{m.input, m.output} {
		if err := q.StreamOff(); err != nil {
			m.log.Debug("the encoder does not stop", "encoder", m.name, "error", err)
		}
	}
	m.releaseFrames()
}
