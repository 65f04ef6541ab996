package rtspd

import (
	"strings"
	"testing"

	"lenslet/rtspd/rate"
)

// Where the slow viewer has left, nobody knows that its network carries more.
func TestSlowViewerLeaves(t *testing.T) {
	a, c, v := watched(t, rate.Slowest)
	a.seconds(5, map[*viewer]float64{v: 0})
	a.seconds(1, map[*viewer]float64{v: 0.5})
	c.must(200, "TEARDOWN", a.url, nil, "")
	a.seconds(5, nil)
	if len(a.told) < 2 || a.told[len(a.told)-1] != fullBitrate {
		t.Errorf("%v is told", a.told)
	}
	if log := a.log.String(); strings.Contains(log, "carries more") || !strings.Contains(log, "the network is no limit any more: bitrate raised to 6.0 Mbit/s") {
		t.Errorf("the log says %q", log)
	}
}
