package rtspd

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"lenslet/rtspd/wire"
)

// pollInterval is the time between two questions to a client about what it
// receives.
const pollInterval = 10 * time.Second

// poll asks a client that plays and takes requests what it receives (RFC 2326
// 10.8), when it is time. One that refuses is not asked again.
func (s *session) poll(now time.Duration) {
	v := s.viewer.Load()
	if s.pollRefused.Load() || !s.stream.plays(v) {
		s.polled.Store(0)
		return
	}
	s.polled.CompareAndSwap(0, int64(now)) // the first packets are on their way
	if now-time.Duration(s.polled.Load()) < pollInterval {
		return
	}
	s.polled.Store(int64(now))
	s.ask(&wire.Request{
		Method: "GET_PARAMETER", URL: strings.TrimSuffix(s.base, "/"),
		Header: wire.Header{{Name: "Content-Type", Value: "text/parameters"}},
		Body:   []byte("packets_received\r\njitter\r\n"),
	}, func(res *wire.Response, err error) {
		switch {
		case err != nil: // next time, perhaps
		case res.Status != wire.OK:
			s.pollRefused.Store(true)
		default:
			s.stream.told(v, parseTold(res.Body))
		}
	})
}

// A told is what a client says of its reception in the body of its answer. What
// it does not say, or not well, is negative.
type told struct {
	received int64         // packets since its SETUP
	jitter   time.Duration // sent as milliseconds
}

// maxJitter is more than any client means: a day.
const maxJitter = 24 * time.Hour

// parseTold reads the body of an answer.
func parseTold(body []byte) told {
	t := told{-1, -1}
	ps, err := wire.ParseParameters(body)
	if err != nil {
		return t
	}
	for _, p := range ps {
		switch p.Name {
		case "packets_received":
			if n, err := strconv.ParseInt(p.Value, 10, 64); err == nil && n >= 0 {
				t.received = n
			}
		case "jitter":
			ms, err := strconv.ParseFloat(p.Value, 64)
			if limit := float64(maxJitter / time.Millisecond); err == nil && ms >= 0 && ms <= limit {
				t.jitter = time.Duration(ms * float64(time.Millisecond))
			}
		}
	}
	return t
}

// plays tells whether a viewer is one of those that units are sent to.
func (s *Stream) plays(v *viewer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.group != nil {
		return slices.Contains(v.group.members, v)
	}
	return slices.Contains(s.viewers, v)
}

// told adds what a client says to the counts. A viewer that sends receiver
// reports is believed these alone: they are more, and not rounded.
func (s *Stream) told(v *viewer, t told) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := v // what counts the packets that it was sent
	if v.group != nil {
		sent = v.group.sink
	}
	if sent.reports {
		return
	}
	if t.jitter >= 0 {
		sent.toldJitter = t.jitter
	}
	if received := uint64(min(max(0, t.received), int64(sent.packets))); received > v.received {
		s.sent.Received += received - v.received
		v.received = received
	}
}
