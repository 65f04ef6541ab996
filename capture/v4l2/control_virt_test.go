//go:build virt

package v4l2

import (
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// vivid's own controls (drivers/media/test-drivers/vivid/vivid-ctrls.c).
const (
	cidBrightness  = 0x00980900
	cidButton      = 0x0098f900
	cidInteger32   = 0x0098f902
	cidInteger64   = 0x0098f903
	cidMenu        = 0x0098f904
	cidString      = 0x0098f905
	cidBitmask     = 0x0098f906
	cidIntegerMenu = 0x0098f907
	cidReadOnly    = 0x0098f90c
	cidClass       = 0x00980001
)

func TestVirtQueryControl(t *testing.T) {
	d := open(t, webcam)
	for _, want := range []Control{
		{ID: cidBrightness, Name: "Brightness", Type: Integer, Max: 255, Step: 1, Default: 128, Flags: 0x20},
		{ID: cidButton, Name: "Button", Type: Button, Flags: ControlWriteOnly | 0x200},
		{ID: cidInteger64, Name: "Integer 64 Bits", Type: Integer64, Min: math.MinInt64, Max: math.MaxInt64, Step: 1},
		{ID: cidInteger32, Name: "Integer 32 Bits", Type: Integer, Min: math.MinInt32, Max: math.MaxInt32, Step: 1},
		{ID: cidMenu, Name: "Menu", Type: Menu, Min: 1, Max: 4, Step: 1, Default: 3,
			Menu: []MenuItem{{1, "Menu Item 1"}, {3, "Menu Item 3"}, {4, "Menu Item 4"}}},
		{ID: cidBitmask, Name: "Bitmask", Type: Bitmask, Max: 0x80402010, Default: 0x80002000},
		{ID: cidIntegerMenu, Name: "Integer Menu", Type: IntegerMenu, Min: 1, Max: 8, Step: 1, Default: 4,
			Menu: []MenuItem{{2, "2"}, {3, "3"}, {4, "5"}, {5, "8"}, {6, "13"}, {7, "21"}, {8, "42"}}},
		{ID: cidReadOnly, Name: "Read-Only Integer 32 Bits", Type: Integer, Max: 255, Step: 1, Flags: ControlReadOnly},
	} {
		got, err := d.QueryControl(want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if _, err := d.QueryControl(CIDBitrate); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a control that is not there: %v", err)
	}
}

// v4l2-ctl gives the same names, numbers and ranges.
func TestVirtControlsAsV4L2Ctl(t *testing.T) {
	for _, path := range []string{webcam, codec} {
		out, err := exec.Command("v4l2-ctl", "-d", path, "--list-ctrls").Output()
		if err != nil {
			t.Fatal(err)
		}
		all, err := open(t, path).Controls()
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "0x") && !strings.Contains(line, "has-payload") {
				want = append(want, strings.Join(strings.Fields(line), " "))
			}
		}
		if len(all) != len(want) || len(all) == 0 {
			t.Fatalf("%s: %d controls, v4l2-ctl has %d", path, len(all), len(want))
		}
		for i, c := range all {
			head := fmt.Sprintf("%s 0x%08x ", c.Key(), c.ID)
			ok := strings.HasPrefix(want[i], head)
			if c.Type == Integer {
				ok = ok && strings.Contains(want[i], fmt.Sprintf(" min=%d max=%d step=%d default=%d ", c.Min, c.Max, c.Step, c.Default))
			}
			if !ok {
				t.Errorf("%s: %+v, v4l2-ctl has %q", path, c, want[i])
			}
		}
	}
}

func TestVirtControlsLeavesOut(t *testing.T) {
	all, err := open(t, webcam).Controls()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint32{cidString, cidClass} {
		if slices.ContainsFunc(all, func(c Control) bool { return c.ID == id }) {
			t.Errorf("%#x is in the list", id)
		}
	}
}

func TestVirtControlValues(t *testing.T) {
	d := open(t, webcam)
	for _, c := range []struct {
		id   uint32
		want []int64
	}{
		{cidBrightness, []int64{0, 255, 128}},
		{cidInteger32, []int64{math.MinInt32, -1, math.MaxInt32, 0}},
		{cidInteger64, []int64{math.MinInt64, -1, 1 << 40, math.MaxInt64, 0}},
		{cidMenu, []int64{1, 4, 3}},
		{cidIntegerMenu, []int64{8, 4}},
		{cidBitmask, []int64{0x80402010, 0x80002000}},
	} {
		for _, v := range c.want {
			if err := d.SetControl(c.id, v); err != nil {
				t.Error(err)
			}
			if got, err := d.Control(c.id); err != nil || got != v {
				t.Errorf("control %#x is %d, %v, want %d", c.id, got, err, v)
			}
		}
	}
	if err := d.SetControl(cidButton, 0); err != nil {
		t.Error(err)
	}
}

func TestVirtControlRefused(t *testing.T) {
	d := open(t, webcam)
	set := func(id uint32, v int64) error { return d.SetControl(id, v) }
	get := func(id uint32, _ int64) error { _, err := d.Control(id); return err }
	for _, c := range []struct {
		name string
		call func(uint32, int64) error
		id   uint32
		v    int64
		want error
	}{
		{"set read-only", set, cidReadOnly, 1, unix.EACCES},
		{"get a button", get, cidButton, 0, unix.EACCES},
		{"set a menu's gap", set, cidMenu, 2, unix.EINVAL},
		{"set 33 bits", set, cidBrightness, 1 << 32, unix.ERANGE},
		{"set unsigned", set, cidInteger32, 1 << 31, unix.ERANGE},
		{"get what is not there", get, CIDBitrate, 0, unix.EINVAL},
		{"set what is not there", set, CIDBitrate, 1, unix.EINVAL},
	} {
		if err := c.call(c.id, c.v); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	for name, err := range map[string]error{
		"set a text": set(cidString, 1), "get a text": get(cidString, 0), "get a heading": get(cidClass, 0),
	} {
		if err == nil {
			t.Errorf("%s works", name)
		}
	}
	// beyond the range becomes the nearest
	if err := set(cidBrightness, 1000); err != nil {
		t.Error(err)
	}
	if v, err := d.Control(cidBrightness); err != nil || v != 255 {
		t.Errorf("brightness 1000 became %d, %v", v, err)
	}
	if err := set(cidBrightness, 128); err != nil {
		t.Error(err)
	}
}

func TestVirtEncoderControls(t *testing.T) {
	d := open(t, codec)
	for id, v := range map[uint32]int64{
		CIDBitrate: 2_000_000, CIDBitrateMode: BitrateCBR, CIDHeaderMode: HeaderJoined, CIDRepeatSeqHeader: 1,
		CIDIPeriod: 30, CIDMinQP: 10, CIDMaxQP: 40, CIDLevel: Level3_1, CIDProfile: ProfileMain,
	} {
		if err := d.SetControl(id, v); err != nil {
			t.Error(err)
		}
		if got, err := d.Control(id); err != nil || got != v {
			t.Errorf("control %#x is %d, %v, want %d", id, got, err, v)
		}
	}
	if v, err := d.Control(CIDGOPSize); err != nil || v != 30 {
		t.Errorf("GOP size %d, %v; it is the I period by another name", v, err)
	}
	if err := d.SetControl(CIDForceKeyFrame, 1); err != nil {
		t.Error(err)
	}
}

func TestVirtEventErrors(t *testing.T) {
	d := open(t, webcam)
	if err := d.SubscribeEvent(99); !errors.Is(err, unix.EINVAL) {
		t.Errorf("an unknown type gives %v", err)
	}
	if err := d.SubscribeEvent(EventSourceChange); err != nil {
		t.Error(err)
	}
	if _, err := d.DequeueEvent(); !errors.Is(err, unix.ENOENT) {
		t.Errorf("no event gives %v", err)
	}
}
