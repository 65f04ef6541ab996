package board

import (
	"math"
	"strings"
	"testing"
)

func TestTemperatureIn(t *testing.T) {
	tests := []struct {
		board string
		want  float64
		ok    bool
	}{
		{"zero2w", 51.54, true},
		{"mainline", -1.5, true},
		{"pc", 63, true},
		{"rockchip", 42.3, true},
		{"container", math.NaN(), false},
	}
	for _, test := range tests {
		t.Run(test.board, func(t *testing.T) {
			got, ok := TemperatureIn(recorded(t, test.board))
			if ok != test.ok || ok && got != test.want || !ok && !math.IsNaN(got) {
				t.Errorf("got %v, %v; want %v, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

// A PC's main board is not its processor.
func TestTemperatureOfTheProcessorOnly(t *testing.T) {
	root := t.TempDir()
	put(t, root, "sys/class/thermal/thermal_zone0/type", "acpitz\n")
	put(t, root, "sys/class/thermal/thermal_zone0/temp", "27800\n")
	if got, ok := TemperatureIn(root); ok {
		t.Errorf("got %v of the main board", got)
	}
}

func TestThrottledIn(t *testing.T) {
	tests := []struct {
		board string
		want  Throttling
		ok    bool
	}{
		{"zero2w", UnderVoltage | Throttle | WasUnderVoltage | WasThrottled, true}, // not the driver's word beside it
		{"pi5", 0, true},
		{"mainline", UnderVoltage, true},
		{"rockchip", 0, false},
		{"pc", 0, false},
	}
	for _, test := range tests {
		t.Run(test.board, func(t *testing.T) {
			if got, ok := ThrottledIn(recorded(t, test.board)); got != test.want || ok != test.ok {
				t.Errorf("got %#x, %v; want %#x, %v", uint32(got), ok, uint32(test.want), test.ok)
			}
		})
	}
}

func TestThrottledForms(t *testing.T) {
	tests := []struct {
		text string
		want Throttling
		ok   bool
	}{
		{"0x80008\n", SoftLimit | WasSoftLimit, true},
		{"20002", FrequencyCapped | WasFrequencyCapped, true},
		{"", 0, false},
		{"-1", 0, false},
		{"100000000", 0, false},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			root := t.TempDir()
			put(t, root, "sys/devices/platform/soc/soc:firmware/get_throttled", test.text)
			if got, ok := ThrottledIn(root); got != test.want || ok != test.ok {
				t.Errorf("got %#x, %v; want %#x, %v", uint32(got), ok, uint32(test.want), test.ok)
			}
		})
	}
}

func TestVoltageAlarm(t *testing.T) {
	for text, ok := range map[string]bool{"0\n": true, "1\n": true, "\n": false, "yes\n": false} {
		root := t.TempDir()
		put(t, root, "sys/class/hwmon/hwmon0/name", "rpi_volt\n")
		put(t, root, "sys/class/hwmon/hwmon0/in0_lcrit_alarm", text)
		got, gotOK := ThrottledIn(root)
		if gotOK != ok || (got == UnderVoltage) != (text == "1\n") {
			t.Errorf("%q: got %v, %v", text, got, gotOK)
		}
	}
}

func TestThrottlingString(t *testing.T) {
	tests := []struct {
		bits Throttling
		want string
	}{
		{0, "no"},
		{0x1, "under-voltage"},
		{0x2, "frequency capped"},
		{0x4, "throttled"},
		{0x8, "soft temperature limit"},
		{0x6, "frequency capped, throttled"},
		{0x50005, "under-voltage, throttled"},
		{0x50001, "under-voltage; earlier: throttled"},
		{0xf0000, "no; earlier: under-voltage, frequency capped, throttled, soft temperature limit"},
		{1 << 5, "no"}, // undocumented
	}
	for _, test := range tests {
		if got := test.bits.String(); got != test.want {
			t.Errorf("%#x: got %q, want %q", uint32(test.bits), got, test.want)
		}
	}
}

// Of several firmware nodes and sensors, the one that answers counts.
func TestThrottledOfSeveral(t *testing.T) {
	root := t.TempDir()
	put(t, root, "sys/class/hwmon/hwmon2/name", "rpi_volt\n")
	put(t, root, "sys/class/hwmon/hwmon2/in0_lcrit_alarm", "0\n")
	if got, ok := ThrottledIn(root); got != 0 || !ok {
		t.Errorf("by the driver: got %v, %v", got, ok)
	}
	put(t, root, "sys/devices/platform/soc/soc:firmware/get_throttled", "\n")
	if got, ok := ThrottledIn(root); got != 0 || !ok {
		t.Errorf("by the driver, beside a silent firmware: got %v, %v", got, ok)
	}
	put(t, root, "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "f000f\n")
	if got, ok := ThrottledIn(root); got != 0xf000f || !ok {
		t.Errorf("by the firmware: got %v, %v", got, ok)
	}
}

// The words name each flag once, and nothing that is not set.
func TestThrottlingStringNamesEachFlag(t *testing.T) {
	flags := []Throttling{UnderVoltage, FrequencyCapped, Throttle, SoftLimit}
	was := []Throttling{WasUnderVoltage, WasFrequencyCapped, WasThrottled, WasSoftLimit}
	for i, flag := range flags {
		now, earlier := flag.String(), was[i].String()
		if earlier != "no; earlier: "+now {
			t.Errorf("flag %d: %q now, %q earlier", i, now, earlier)
		}
		if both := (flag | was[i]).String(); both != now {
			t.Errorf("flag %d: %q now, %q now and earlier", i, now, both)
		}
		for j, other := range flags {
			if got := strings.Contains((other | flag).String(), now); !got {
				t.Errorf("flags %d and %d: %q lacks %q", i, j, other|flag, now)
			}
		}
	}
}

// Zones are looked through by kind before number.
func TestTemperatureOfSeveralZones(t *testing.T) {
	root := t.TempDir()
	for _, step := range []struct {
		zone, kind, milli string
		want              float64
	}{
		{"thermal_zone0", "package-thermal", "40000", 40},
		{"thermal_zone3", "soc-thermal", "41000", 41},
		{"thermal_zone5", "cpu1-thermal", "42000", 42},
		{"thermal_zone2", "cpu0-thermal", "43000", 43},
		{"thermal_zone1", "gpu-thermal", "99000", 43},
	} {
		put(t, root, "sys/class/thermal/"+step.zone+"/type", step.kind+"\n")
		put(t, root, "sys/class/thermal/"+step.zone+"/temp", step.milli+"\n")
		if got, ok := TemperatureIn(root); got != step.want || !ok {
			t.Errorf("with %s: got %v, %v; want %v", step.kind, got, ok, step.want)
		}
	}
}

// What we run on right now: an answer or none, never a wrong one.
func TestHealthHere(t *testing.T) {
	if got, ok := Temperature(); ok && (got < -60 || got > 150) {
		t.Errorf("temperature %v", got)
	}
	if got, ok := Throttled(); !ok && got != 0 {
		t.Errorf("throttling %v of nothing", got)
	}
}
