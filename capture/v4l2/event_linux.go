package v4l2

import (
	"time"
	"unsafe"
)

// SubscribeEvent asks for events of a type (Event...). Poll shows them as
// unix.POLLPRI.
func (d *Device) SubscribeEvent(typ uint32) error {
	s := eventSubscription{typ: typ}
	return d.ioctl("VIDIOC_SUBSCRIBE_EVENT", vidiocSubscribeEvent, unsafe.Pointer(&s))
}

// DequeueEvent takes the oldest event. When there is none the error is
// unix.ENOENT.
func (d *Device) DequeueEvent() (Event, error) {
	var e event
	if err := d.ioctl("VIDIOC_DQEVENT", vidiocDQEvent, unsafe.Pointer(&e)); err != nil {
		return Event{}, err
	}
	at := time.Duration(e.timestamp.sec)*time.Second + time.Duration(e.timestamp.nsec)
	return Event{e.typ, e.id, e.pending, e.sequence, at, e.data}, nil
}
