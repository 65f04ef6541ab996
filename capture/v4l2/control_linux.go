package v4l2

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nextControl in an ID asks for the control after it. Without the flag for
// compound controls beside it, the kernel leaves those out.
const nextControl = 0x80000000

// Controls lists the controls whose value is a number, in the order of their
// IDs. Headings, texts and compound controls are left out; disabled controls
// are not. A device without controls has none.
func (d *Device) Controls() ([]Control, error) {
	const op = "VIDIOC_QUERY_EXT_CTRL"
	var all []Control
	for last := uint32(0); len(all) < maxEntries; {
		q := queryExtCtrl{id: last | nextControl}
		switch errno := d.call(vidiocQueryExtCtrl, unsafe.Pointer(&q)); {
		case errno == unix.EINVAL || errno == unix.ENOTTY:
			return all, nil
		case errno != 0:
			return nil, &OpError{op, d.path, errno}
		case q.id <= last:
			return nil, d.fail(op, "control %#x came after %#x", q.id, last)
		}
		last = q.id
		if q.typ == controlClass || q.flags&controlPayload != 0 {
			continue
		}
		c, err := d.described(&q)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// QueryControl describes one control. When the device does not have it the
// error is unix.EINVAL.
func (d *Device) QueryControl(id uint32) (Control, error) {
	q, err := d.query(id)
	if err != nil {
		return Control{}, err
	}
	return d.described(&q)
}

func (d *Device) query(id uint32) (queryExtCtrl, error) {
	q := queryExtCtrl{id: id}
	err := d.ioctl("VIDIOC_QUERY_EXT_CTRL", vidiocQueryExtCtrl, unsafe.Pointer(&q))
	return q, err
}

func (d *Device) described(q *queryExtCtrl) (Control, error) {
	c := Control{
		ID: q.id, Name: text(q.name[:]), Type: q.typ, Flags: q.flags,
		Min: q.minimum, Max: q.maximum, Step: int64(min(q.step, math.MaxInt64)), Default: q.defaultValue,
	}
	if c.Type != Menu && c.Type != IntegerMenu {
		return c, nil
	}
	first := max(0, c.Min)
	for i := first; i <= c.Max && i-first < maxEntries; i++ {
		m := queryMenu{id: c.ID, index: uint32(i)}
		switch errno := d.call(vidiocQueryMenu, unsafe.Pointer(&m)); {
		case errno == unix.EINVAL: // a gap
		case errno != 0:
			return Control{}, &OpError{"VIDIOC_QUERYMENU", d.path, errno}
		case c.Type == IntegerMenu:
			n := int64(binary.NativeEndian.Uint64(m.name[:]))
			c.Menu = append(c.Menu, MenuItem{i, strconv.FormatInt(n, 10)})
		default:
			c.Menu = append(c.Menu, MenuItem{i, text(m.name[:])})
		}
	}
	return c, nil
}

// Control reads the value of a control. Of a write-only control the error is
// unix.EACCES.
func (d *Device) Control(id uint32) (int64, error) {
	q, err := d.query(id)
	if err != nil {
		return 0, err
	}
	c := extControl{id: id}
	if err := d.exchange("VIDIOC_G_EXT_CTRLS", vidiocGExtCtrls, &q, &c); err != nil {
		return 0, err
	}
	if q.typ == Integer64 {
		return int64(binary.NativeEndian.Uint64(c.value[:])), nil
	}
	v := binary.NativeEndian.Uint32(c.value[:])
	if q.typ == Bitmask {
		return int64(v), nil
	}
	return int64(int32(v)), nil
}

// SetControl sets a control. The driver rounds a value to a step; one beyond
// the range becomes the nearest, or is unix.ERANGE; an item that a menu lacks is
// unix.EINVAL. A button needs no particular value. A control that is not
// changeable now gives unix.EBUSY, one that is read-only unix.EACCES.
func (d *Device) SetControl(id uint32, v int64) error {
	const op = "VIDIOC_S_EXT_CTRLS"
	q, err := d.query(id)
	if err != nil {
		return err
	}
	c := extControl{id: id}
	switch {
	case q.typ == Integer64:
		binary.NativeEndian.PutUint64(c.value[:], uint64(v))
	case v < math.MinInt32 || v > math.MaxUint32 || v > math.MaxInt32 && q.typ != Bitmask:
		return &OpError{op, d.path, unix.ERANGE} // rather than the lower half of v
	default:
		binary.NativeEndian.PutUint32(c.value[:], uint32(v))
	}
	return d.exchange(op, vidiocSExtCtrls, &q, &c)
}

func (d *Device) exchange(op string, req uintptr, q *queryExtCtrl, c *extControl) error {
	if q.flags&controlPayload != 0 || q.typ == controlClass {
		return d.fail(op, "%s has no number as its value", text(q.name[:]))
	}
	e := extControls{count: 1, controls: c}
	return d.ioctl(op, req, unsafe.Pointer(&e))
}
