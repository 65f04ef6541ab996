package rtspd

import "testing"

func TestStates(t *testing.T) {
	for _, c := range []struct {
		from   state
		method string
		to     state
		ok     bool
	}{
		{stateInit, "SETUP", stateReady, true},
		{stateInit, "PLAY", 0, false},
		{stateInit, "PAUSE", 0, false},
		{stateInit, "TEARDOWN", 0, false},
		{stateInit, "OPTIONS", stateInit, true},
		{stateReady, "SETUP", stateReady, true},
		{stateReady, "PLAY", statePlaying, true},
		{stateReady, "PAUSE", stateReady, true},
		{stateReady, "TEARDOWN", stateInit, true},
		{stateReady, "GET_PARAMETER", stateReady, true},
		{statePlaying, "SETUP", 0, false},
		{statePlaying, "PLAY", statePlaying, true},
		{statePlaying, "PAUSE", stateReady, true},
		{statePlaying, "TEARDOWN", stateInit, true},
		{statePlaying, "SET_PARAMETER", statePlaying, true},
	} {
		to, ok := c.from.after(c.method)
		if ok != c.ok || (ok && to != c.to) {
			t.Errorf("%s after %s: %s, %v", c.method, c.from, to, ok)
		}
	}
}
