package main

import (
	"testing"
	"time"

	"lenslet/rtspd/nettest"
)

// serveCrowd serves a stream to a viewer behind a link that narrows, and to others
// that must never miss a packet. Where these are the majority they get all of it.
func serveCrowd(t *testing.T, camera *nettest.Host, number int, others ...string) (check func(*testing.T), slow *nettest.End) {
	slow, far := nettest.Connect(t, number, camera, nettest.NewHost(t))
	shape(t, slow, 10)
	s := serveSynthetic(t, slow)
	camera.Set(t, "net/ipv4/ip_forward", "1") // the one address of the stream, by other links too
	attend(t, far, s, "udp")
	var healthy []*reporter
	for i, transport := range others {
		near, far := nettest.Connect(t, number+1+i, camera, nettest.NewHost(t))
		far.Run(t, "ip", "route", "add", "default", "via", near.IPv4.String())
		healthy = append(healthy, attend(t, far, s, transport))
	}
	return func(t *testing.T) {
		least := s.least.Load()
		if most := len(others) > 1; most && least < syntheticRate/2 || !most && least > 2_000_000 {
			t.Errorf("for one of %d the codec is told %d bit/s", len(others)+1, least)
		}
		for _, w := range healthy {
			w.checkContinuity(time.Second)
			if came, _, octets, _ := w.counts(); came == 0 || float64(octets)*8 < float64(least)/2*linkEnds {
				t.Errorf("%d bytes came to a healthy viewer", octets)
			}
		}
	}, slow
}

// serveLossy serves a stream to a viewer that one packet in fifty does not reach.
func serveLossy(t *testing.T, camera *nettest.Host) (check func(*testing.T)) {
	near, far := nettest.Connect(t, 30, camera, nettest.NewHost(t))
	s := serveSynthetic(t, near)
	w := attend(t, far, s, "udp")
	w.discard = 50
	return func(t *testing.T) {
		if s.least.Load() < syntheticRate/2 {
			t.Errorf("for a loss of 2 %% the codec is told %d bit/s", s.least.Load())
		}
	}
}
