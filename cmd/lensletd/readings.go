package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"lenslet/board/update"
	"lenslet/encoder"
	"lenslet/rtspd"
)

// A reading is the instant that a group of read-only values is taken at.
type reading struct {
	p     *parameters
	stats rtspd.Stats
	count encoder.Counts

	update func() update.Status // of that instant, if anybody asks
}

// A readOnly is a value that can only be read.
type readOnly struct {
	name string
	of   func(*reading) string
}

// find is the one of that name; nil: it is none of these.
func find(values []readOnly, name string) *readOnly {
	for i := range values {
		if values[i].name == name {
			return &values[i]
		}
	}
	return nil
}

// unknown is the value of what cannot be told, or not yet.
const unknown = "unknown"

// readings is every value that can only be read, in the order of a listing; those with
// a unit are in ms, s or degrees Celsius.
func readings() []readOnly {
	all := []readOnly{
		{"encoder", func(r *reading) string { return r.p.pipeline.Encoder() }},
		{"camera", func(r *reading) string { return r.p.pipeline.Camera() }},
		{"viewers", func(r *reading) string { return strconv.Itoa(r.stats.Viewers) }},
		{"frames_captured", func(r *reading) string { return count(r.count.Captured) }},
		{"frames_encoded", func(r *reading) string { return count(r.count.Encoded) }},
		{"frames_dropped", func(r *reading) string { return count(r.count.Dropped) }},
		{"frames_imported", func(r *reading) string { return count(r.count.Imported) }},
		{"frames_copied", func(r *reading) string { return count(r.count.Copied) }},
		{"units_copied", func(r *reading) string { return count(r.count.UnitsCopied) }},
		{"packets_sent", func(r *reading) string { return count(r.stats.Packets) }},
		{"bytes_sent", func(r *reading) string { return count(r.stats.Bytes) }},
		{"sends_segmented", func(r *reading) string { return count(r.stats.Segmented) }},
		{"packets_received", func(r *reading) string { return count(r.stats.Received) }},
		{"packets_lost", func(r *reading) string { return count(r.stats.Lost) }},
		{"packets_resent", func(r *reading) string { return count(r.stats.Resent) }},
		{"packets_refused", func(r *reading) string { return count(r.stats.Refused) }},
		{"viewers_unreachable", func(r *reading) string { return count(r.stats.Unreachable) }},
		{"viewers_paced", func(r *reading) string { return strconv.Itoa(r.stats.PacedViewers) }},
		{"packets_paced", func(r *reading) string { return count(r.stats.Paced) }},
		{"viewers_thinned", func(r *reading) string { return strconv.Itoa(r.stats.Thinned) }},
		{"skips", func(r *reading) string { return count(r.stats.Skips) }},
		{"bitrate_now", func(r *reading) string { n := r.p.pipeline.BitrateNow(); return known(n > 0, strconv.Itoa(n)) }},
		{"resolution_now", func(r *reading) string { return r.p.pipeline.ResolutionNow() }},
		{"round_trip", func(r *reading) string { return known(r.stats.RoundTrip > 0, ms(r.stats.RoundTrip)) }},
		{"jitter", func(r *reading) string { return ms(r.stats.Jitter) }},
		{"latency", func(r *reading) string { return known(r.stats.HasLatency, ms(r.stats.P50)+"/"+ms(r.stats.P99)) }},
		{"uptime", func(r *reading) string { return strconv.Itoa(int(time.Since(r.p.started).Seconds())) }},
		{"push", func(r *reading) string { return r.p.push.Status() }},
		{"state", func(r *reading) string { state, _, _ := r.p.pipeline.Health(); return state }},
		{"faults", func(r *reading) string { _, faults, _ := r.p.pipeline.Health(); return faults }},
		{"last_fault", func(r *reading) string { _, _, last := r.p.pipeline.Health(); return last }},
		{"heap_allocations", func(*reading) string { return heapAllocations() }},
		{"version", func(*reading) string { return version }},
		{"update_state", func(r *reading) string { return r.update().String() }},
		{"update_progress", func(r *reading) string { return strconv.Itoa(r.update().Progress) }},
	}
	for _, name := range boardNames() {
		all = append(all, readOnly{name, func(r *reading) string { return cmp.Or(boardValue(r.p.root, r.p.id, name), unknown) }})
	}
	return all
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }

func known(is bool, value string) string {
	if !is {
		return unknown
	}
	return value
}

// heapAllocations counts to the object; runtime/metrics counts some later.
func heapAllocations() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return count(m.Mallocs)
}
