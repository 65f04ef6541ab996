package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lenslet/capture/v4l2"
)

// Next waits for the next frame and lends it. A frame that the driver marked as
// faulty comes as Damaged, an empty one not at all. An error of the device,
// unix.ENODEV when it is gone, lasts until Stop.
func (c *Camera) Next(deadline time.Time) (*Frame, error) {
	if !c.running.Load() {
		return nil, ErrStopped
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	for failed := false; c.running.Load(); {
		b, err := c.queue.Dequeue()
		switch {
		case err == nil:
			if f := c.accept(b); f != nil {
				return c.lend(f)
			}
			if !deadline.IsZero() && time.Now().After(deadline) {
				return nil, os.ErrDeadlineExceeded
			}
		case !errors.Is(err, unix.EAGAIN) || failed:
			return nil, fmt.Errorf("%s gives no frames any more: %w", c.name, err)
		default:
			if failed, err = c.wait(deadline); err != nil {
				return nil, err
			}
		}
	}
	return nil, ErrStopped
}

// wait waits for a filled buffer. True: the device is in an error.
func (c *Camera) wait(deadline time.Time) (bool, error) {
	events, err := c.dev.Poll(unix.POLLIN, deadline)
	if errors.Is(err, v4l2.ErrWoken) {
		return false, nil // by Stop, now or before Start
	}
	return events&(unix.POLLERR|unix.POLLHUP) != 0, err
}

// accept makes a frame of a filled buffer; nil if there is nothing in it.
func (c *Camera) accept(b v4l2.Buffer) *Frame {
	damaged := c.tally.damaged(b)
	if b.BytesUsed == 0 {
		c.requeue(b.Index)
		return nil
	}
	f := &c.frames[b.Index]
	f.Data = c.queue.Bytes(b.Index)[:b.BytesUsed]
	f.Sequence, f.Timestamp, f.Damaged = b.Sequence, b.Timestamp, damaged
	if b.Flags&v4l2.FlagTimestampMask != v4l2.FlagMonotonic {
		f.Timestamp = now()
	}
	return f
}

// lend begins the loan of a frame, unless Stop came in between.
func (c *Camera) lend(f *Frame) (*Frame, error) {
	if !c.loans.Add() {
		return nil, ErrStopped
	}
	f.Lend()
	return f, nil
}

// requeue gives a buffer to the driver, to be filled again.
func (c *Camera) requeue(i int) {
	if err := c.queue.Enqueue(v4l2.Buffer{Index: i}); err != nil {
		level := slog.LevelWarn
		if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EIO) {
			level = slog.LevelDebug // Next tells
		}
		c.log.Log(context.Background(), level, "camera takes a buffer no more", "camera", c.name, "buffer", i, "error", err)
	}
}

// A tally counts the frames that a driver lost.
type tally struct {
	dropped atomic.Uint64
	next    uint32 // sequence number that would follow
	begun   bool   // next is known
}

// begin forgets the sequence numbers: a driver starts them again.
func (t *tally) begin() { t.begun = false }

// damaged counts the frames missing before a buffer, and the buffer itself if
// it is faulty or empty; true then.
func (t *tally) damaged(b v4l2.Buffer) bool {
	// a number that goes back is no gap
	if gap := b.Sequence - t.next; t.begun && gap < 1<<31 {
		t.dropped.Add(uint64(gap))
	}
	t.next, t.begun = b.Sequence+1, true
	if b.Flags&v4l2.FlagError == 0 && b.BytesUsed > 0 {
		return false
	}
	t.dropped.Add(1)
	return true
}
