package encoder

import (
	"errors"

	"golang.org/x/sys/unix"

	"lenslet/capture"
	"lenslet/capture/v4l2"
)

// An inputSlot is a buffer of the input queue.
type inputSlot struct {
	frame *capture.Frame // imported, held until the codec gives the buffer back
	busy  bool           // the codec has the buffer, or a copy is being written
}

// Encode queues the frame, or drops it when the codec is behind.
func (m *M2M) Encode(f *capture.Frame) (bool, error) {
	m.encoding.Lock()
	defer m.encoding.Unlock()
	m.mu.Lock()
	if m.state != running {
		m.mu.Unlock()
		f.Release()
		return false, nil
	}
	if !m.importing {
		m.mu.Unlock()
		return m.encodeCopy(f)
	}
	taken, err := m.tryImport(f)
	m.mu.Unlock()
	if err == nil {
		if !taken {
			f.Release()
		}
		return taken, nil
	}
	if errors.Is(err, unix.ENODEV) {
		f.Release()
		return false, err
	}
	m.log.Warn("frames cannot be imported, they are copied from now on", "encoder", m.name, "error", err)
	if err := m.copyInstead(); err != nil {
		f.Release()
		return false, err
	}
	return m.encodeCopy(f)
}

// errNoDescriptor is a frame that lies in ordinary memory.
var errNoDescriptor = errors.New("the frames have no dmabuf")

// tryImport queues the frame's own buffer. On an error the frame is still the
// caller's.
func (m *M2M) tryImport(f *capture.Frame) (bool, error) {
	if f.DMABuf < 0 {
		return false, errNoDescriptor
	}
	if f.Index >= len(m.slots) {
		m.noImport = true
		return false, errors.New("the driver gives too few buffers")
	}
	slot := &m.slots[f.Index]
	if slot.busy || m.busy >= max(1, m.frames.Buffers-spareFrames) {
		return false, nil
	}
	if len(f.Data) < m.from.size {
		m.log.Debug("a frame cannot be encoded", "sequence", f.Sequence, "error", errShort)
		return false, nil
	}
	err := m.input.Enqueue(v4l2.Buffer{Index: f.Index, FD: f.DMABuf, BytesUsed: m.payload, Timestamp: f.Timestamp})
	if err != nil {
		m.noImport = !errors.Is(err, unix.ENODEV)
		return false, err
	}
	m.stamps.put(f.Timestamp)
	m.queued(slot, f)
	m.imported.Add(1)
	return true, nil
}

// queued notes that the codec has a slot; frame is nil for a copy.
func (m *M2M) queued(slot *inputSlot, frame *capture.Frame) {
	slot.frame = frame
	slot.busy = true
	m.busy++
	m.wake()
}

// copyInstead gives up importing: the queue gets memory of the driver. Frames
// that the codec had are lost.
func (m *M2M) copyInstead() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.input.StreamOff()
	m.importing = false
	m.releaseFrames()
	if err != nil {
		return err
	}
	if err := m.requestInput(); err != nil {
		return err
	}
	return m.input.StreamOn()
}

// encodeCopy writes the frame into the driver's memory. encoding is held, so
// that nobody frees it.
func (m *M2M) encodeCopy(f *capture.Frame) (bool, error) {
	defer f.Release()
	i := m.reserve()
	if i < 0 {
		return false, nil
	}
	err := m.write(m.input.Bytes(i), f)
	m.mu.Lock()
	defer m.mu.Unlock()
	slot := &m.slots[i]
	slot.busy = false
	m.busy--
	if err != nil {
		m.log.Debug("a frame cannot be encoded", "sequence", f.Sequence, "error", err)
		return false, nil
	}
	m.stamps.put(f.Timestamp)
	if err := m.input.Enqueue(v4l2.Buffer{Index: i, FD: -1, BytesUsed: m.payload, Timestamp: f.Timestamp}); err != nil {
		return false, err
	}
	m.queued(slot, nil)
	m.copied.Add(1)
	return true, nil
}

// reserve finds a slot that the codec does not have; -1 if it has all.
func (m *M2M) reserve() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.slots {
		if slot := &m.slots[i]; !slot.busy {
			slot.busy = true
			m.busy++
			return i
		}
	}
	return -1
}

func (m *M2M) write(dst []byte, f *capture.Frame) error {
	if m.converter != nil {
		return m.converter.convert(dst, f.Data)
	}
	if len(f.Data) < m.from.size {
		return errShort
	}
	m.from.copyTo(&m.to, dst, f.Data)
	return nil
}

// releaseFrames releases every frame that the codec had. The queue is off.
func (m *M2M) releaseFrames() {
	for i := range m.slots {
		if f := m.slots[i].frame; f != nil {
			f.Release()
		}
		m.slots[i] = inputSlot{}
	}
	m.busy = 0
}

// wake tells run that a buffer was queued, or that there is nothing to wait for.
func (m *M2M) wake() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}
