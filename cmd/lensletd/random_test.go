package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lenslet/rtspd/wire"
)

// TestRandomChanges asks the software encoder for values at and beyond the edges
// of what is possible.
func TestRandomChanges(t *testing.T) {
	url, _ := start(t, "-source", "pattern", "-set", "resolution=320x240", "-set", "framerate=15")
	changeAtRandom(t, url, 7, 200, map[string][]string{
		"resolution":   {"320x240", "640x360", "176x144", "16x16", "32x32", "642x362", "1280x720", "3840x16", "3842x2160", "15x16", "0x0", "640x"},
		"framerate":    {"30", "15", "10", "30000/1001", "60", "0.5", "61", "1/0"},
		"bitrate":      {"25000", "24999", "100000", "2000000", "12500000", "24000001", "25000000", "60000000", "90000000", "290000000", "4000000000", "0"},
		"bitrate_min":  {"25000", "250000", "1", "99999999999"},
		"bitrate_mode": {"vbr", "cbr", "abr"},
		"gop":          {"1", "60", "100000", "2147483648", "0"},
		"profile":      {"high", "main", "baseline", "constrained_baseline", "low"},
		"level":        {"4.0", "1b", "1.0", "3.1", "5.2", "6.2", "7"},
		"brightness":   {"0", "20", "-20", "900"},
		"keyframe":     {"now", "then"},
	})
}

// randomChange is one to three parameters with some of their values.
func randomChange(r *rand.Rand, values map[string][]string) (lines []string) {
	names := slices.Sorted(maps.Keys(values))
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:1+r.IntN(3)] {
		lines = append(lines, name+": "+values[name][r.IntN(len(values[name]))])
	}
	return lines
}

// changeAtRandom makes n changes: whatever is asked for, it is done, or refused
// without a change; and the stream goes on.
func changeAtRandom(t *testing.T, url string, seed uint64, n int, values map[string][]string) {
	t.Helper()
	v := dialViewer(t, url)
	v.play("tcp")
	names := strings.Join(slices.Sorted(maps.Keys(values)), "\r\n")
	names = strings.Replace(names, "keyframe\r\n", "", 1) // write-only
	now := func() string { return string(v.do("GET_PARAMETER", url, names+"\r\n").Body) }
	done := 0
	r := rand.New(rand.NewPCG(seed, 2))
	for i := range n {
		lines, before := randomChange(r, values), now()
		var res *wire.Response
		waitFor(t, time.Minute, fmt.Sprintf("%d: time for %q with\n%s", i, lines, before), func() bool {
			res = v.do("SET_PARAMETER", url, strings.Join(lines, "\r\n")+"\r\n")
			return res.Status != wire.ServiceUnavailable // else this machine had no time for the stream
		})
		what := fmt.Sprintf("%d: %q with\n%s: %d %s", i, lines, before, res.Status, res.Body)
		switch res.Status {
		case wire.OK:
			done++
			for _, line := range lines {
				if !strings.Contains(now(), line+"\r\n") && line != "keyframe: now" {
					t.Errorf("%s\nmade it %s", what, now())
				}
			}
			v.units(1)
		case wire.InvalidRange:
			if after := now(); after != before {
				t.Errorf("%s\nchanged it to %s", what, after)
			}
		default:
			t.Errorf("%s", what)
		}
		waitFor(t, 20*time.Second, "streaming after "+what, func() bool { return v.get("state") == "streaming" })
	}
	v.units(2)
	v.checkContinuity(10 * time.Second)
	if done < n/4 {
		t.Errorf("only %d of %d changes were made", done, n)
	}
}
