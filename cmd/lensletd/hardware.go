package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"

	"lenslet/board"
	"lenslet/capture"
	"lenslet/encoder"
)

// fitBoard gives the pipeline what the table of boards says of this one: what it
// begins with where the configuration is silent, and what is too much for it.
func (d *daemon) fitBoard(cfg *encoder.PipelineConfig) {
	can := d.id.Capacity()
	if can.Rate > 0 {
		cfg.Settings.Rate = capture.Rate{Num: can.Rate, Den: 1}
	}
	cfg.Buffers = can.Buffers
	cfg.Begin = func(r capture.Rate) (width, height int) { return can.Begin(r.Float()) }
	cfg.Carries = func(s encoder.Settings) error {
		param, accepts, ok := can.Carries(s.Width, s.Height, s.Rate.Float())
		if ok {
			return nil
		}
		value := map[string]string{"resolution": fmt.Sprintf("%dx%d", s.Width, s.Height), "framerate": s.Rate.String()}[param]
		return &encoder.Refused{Name: param, Value: value, Accepts: accepts + " (" + d.id.Model + ")"}
	}
}

// boardRoot is the root directory of the board: / but in tests.
func (d *daemon) boardRoot() string { return cmp.Or(d.root, "/") }

// openLED takes the activity LED over, if that is set and there is one.
func (d *daemon) openLED() *board.LED {
	if !d.LED {
		return nil
	}
	memory := ""
	if dir, err := d.statePath(); err == nil { // else a kill leaves the LED as it is
		memory = filepath.Join(dir, "led")
	}
	return board.OpenLEDIn(d.boardRoot(), memory)
}

// signOf is what the LED shows in a state of the pipeline.
func signOf(state string) board.Sign {
	switch state {
	case "starting":
		return board.Starting
	case "streaming":
		return board.Streaming
	}
	return board.Fault
}

// boardNames are the read-only values that the board tells.
func boardNames() []string {
	return []string{"model", "revision", "serial", "family", "temperature", "throttled", "memory_free", "cma_total", "cma_free", "wifi_signal"}
}

// boardValue is one of them; "" where the board does not tell.
func boardValue(root string, id board.Identity, name string) string {
	switch name {
	case "model":
		return id.Model
	case "revision":
		return id.Revision.String()
	case "serial":
		return id.Serial
	case "family":
		return id.Family
	case "temperature":
		if t, ok := board.TemperatureIn(root); ok {
			return fmt.Sprintf("%.1f", t)
		}
	case "throttled":
		if t, ok := board.ThrottledIn(root); ok {
			return t.String()
		}
	case "memory_free":
		if m := board.ReadMemoryIn(root); m.Available > 0 {
			return strconv.FormatInt(m.Available, 10)
		}
	case "cma_total", "cma_free":
		if m := board.ReadMemoryIn(root); m.CMATotal > 0 {
			return strconv.FormatInt(map[string]int64{"cma_total": m.CMATotal, "cma_free": m.CMAFree}[name], 10)
		}
	case "wifi_signal":
		if s, ok := board.SignalIn(root); ok {
			return strconv.Itoa(s)
		}
	}
	return ""
}
