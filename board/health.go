package board

import (
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Temperature is the processor's in °C; ok is false where the board has no
// sensor for it, or the sensor does not answer.
func Temperature() (celsius float64, ok bool) { return TemperatureIn("/") }

// TemperatureIn is Temperature for the file system below root.
func TemperatureIn(root string) (celsius float64, ok bool) {
	// Zone types of Raspberry Pi and most others, of PCs, of other SoCs.
	for _, kind := range []string{"cpu", "x86_pkg_temp", "soc", "package"} {
		zones, _ := filepath.Glob(filepath.Join(root, "sys/class/thermal/thermal_zone*"))
		for _, zone := range zones {
			if !strings.HasPrefix(read(zone, "type"), kind) {
				continue
			}
			if milli, err := strconv.Atoi(read(zone, "temp")); err == nil {
				return float64(milli) / 1000, true
			}
		}
	}
	return math.NaN(), false
}

// Throttling is what the Raspberry Pi's firmware holds back, and why: the bits
// of its get_throttled. 0 is a board that is well.
type Throttling uint32

// The flags of get_throttled, as documented for vcgencmd. The Was flags stay
// set until the next boot.
const (
	UnderVoltage    Throttling = 1 << 0
	FrequencyCapped Throttling = 1 << 1
	Throttle        Throttling = 1 << 2
	SoftLimit       Throttling = 1 << 3

	WasUnderVoltage    Throttling = 1 << 16
	WasFrequencyCapped Throttling = 1 << 17
	WasThrottled       Throttling = 1 << 18
	WasSoftLimit       Throttling = 1 << 19
)

// String tells it in words: "no", or what is the case now, then what was the
// case since boot: "under-voltage, throttled; earlier: frequency capped".
func (t Throttling) String() string {
	now, earlier := words(t), words(t>>16&^t)
	switch {
	case now == "" && earlier == "":
		return "no"
	case earlier == "":
		return now
	case now == "":
		return "no; earlier: " + earlier
	}
	return now + "; earlier: " + earlier
}

// words names the low four flags.
func words(t Throttling) string {
	var w []string
	for i, name := range []string{"under-voltage", "frequency capped", "throttled", "soft temperature limit"} {
		if t&(1<<i) != 0 {
			w = append(w, name)
		}
	}
	return strings.Join(w, ", ")
}

// Throttled asks the firmware, or where the kernel does not pass its answer on,
// the driver raspberrypi-hwmon, which knows of low voltage only. ok is false
// where there is neither.
func Throttled() (t Throttling, ok bool) { return ThrottledIn("/") }

// ThrottledIn is Throttled for the file system below root.
func ThrottledIn(root string) (t Throttling, ok bool) {
	// soc/soc:firmware up to the Pi 4; soc carries an address on the Pi 5.
	files, _ := filepath.Glob(filepath.Join(root, "sys/devices/platform/soc*/*:firmware/get_throttled"))
	for _, file := range files {
		digits := strings.TrimPrefix(read(filepath.Dir(file), filepath.Base(file)), "0x")
		if bits, err := strconv.ParseUint(digits, 16, 32); err == nil {
			return Throttling(bits), true
		}
	}
	sensors, _ := filepath.Glob(filepath.Join(root, "sys/class/hwmon/hwmon*"))
	i := slices.IndexFunc(sensors, func(dir string) bool { return read(dir, "name") == "rpi_volt" })
	if i < 0 {
		return 0, false
	}
	switch read(sensors[i], "in0_lcrit_alarm") {
	case "0":
		return 0, true
	case "1":
		return UnderVoltage, true
	}
	return 0, false
}
